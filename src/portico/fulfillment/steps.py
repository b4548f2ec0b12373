"""The steps of fulfillment, in the order in which story.py calls them.

A step that the journal calls done is never done again; one that died under way starts over, and finds through its
marker what its first try has made. No step has an undo of its own: what was made stays visible to staff, and an order
that can't go on is parked with the WHMCS order as it stands.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from portico.cache import drop_for
from portico.creation import Creation, Recipe, carry_out, intend, reopen
from portico.customer import Customer
from portico.errors import Refusal, SystemRefused
from portico.fulfillment import outcomes
from portico.fulfillment.outcomes import Outcome, Stopped
from portico.orders import timeline
from portico.orders.timeline import Claim, Step
from portico.portal import Portal
from portico.systems.freebit import lines as freebit_lines
from portico.systems.salesforce import orders as salesforce_orders
from portico.systems.salesforce.orders import Order, OrderItem
from portico.systems.whmcs import orders as whmcs_orders
from portico.systems.whmcs import pay_methods, services

P = ParamSpec("P")


@dataclass(frozen=True)
class Done:
    """What a step leaves behind in the journal."""

    remote_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    sent: object = None
    """What was sent, kept as a digest."""


@dataclass
class Run:
    """One try to bring an order further: the order as Salesforce holds it now, and the journal so far."""

    portal: Portal
    mine: Claim
    order: Order
    customer: Customer
    journal: dict[str, Step]

    @property
    def esim_lines(self) -> list[OrderItem]:
        return [item for item in self.order.items if item.sim_kind == "eSIM"]

    def fact(self, step: str, name: str) -> Any:
        return self.journal[step].facts[name]


def step(
    name: str, actor: str
) -> Callable[[Callable[Concatenate[Run, P], Awaitable[Done]]], Callable[Concatenate[Run, P], Awaitable[None]]]:
    """Names a step in the journal: skipped when done there, noted before and after. Per line: `name:item id`."""

    def decorate(
        function: Callable[Concatenate[Run, P], Awaitable[Done]],
    ) -> Callable[Concatenate[Run, P], Awaitable[None]]:
        @functools.wraps(function)
        async def once(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> None:
            key = ":".join([name, *(item.id for item in args if isinstance(item, OrderItem))])
            before = run.journal.get(key)
            if before is not None and before.state == "done":
                return
            if before is None or before.state != "waiting":
                await _note(run, key, "running", actor)
            try:
                done = await function(run, *args, **kwargs)
            except Stopped as stop:
                state: timeline.StepState = "stopped" if stop.outcome.state == "parked" else "waiting"
                await _note(run, key, state, actor, done=_why(stop), reason_code=stop.outcome.code)
                raise
            await _note(run, key, "done", actor, done=done)

        return once

    return decorate


async def confirm_approval(run: Run) -> None:
    """Approval can be taken back; what is written here on the first run is the customer's line of it."""
    if run.order.status_code != "Activated":
        raise Stopped(outcomes.ORDER_WITHDRAWN)
    if "approval" not in run.journal or run.journal["approval"].state != "done":
        await _note(run, "approval", "done", "salesforce")


@step("began", actor="salesforce")
async def tell_salesforce_we_began(run: Run) -> Done:
    now = run.portal.clock.now()
    await salesforce_orders.update_fulfillment(
        run.portal.salesforce, run.order.id, status="In Progress", error_code="", error_message="", updated_at=now
    )
    return Done()


@step("payment_method", actor="whmcs")
async def check_payment_method(run: Run) -> Done:
    today = run.portal.clock.now().astimezone(ZoneInfo(run.portal.settings.portal.timezone)).date()
    methods = await pay_methods.get_pay_methods(run.portal.whmcs, run.customer.whmcs_client_id)
    if not pay_methods.has_usable(methods, today):
        raise Stopped(outcomes.PAYMENT_METHOD_MISSING)
    return Done()


@step("billing_order", actor="whmcs")
async def place_billing_order(run: Run) -> Done:
    """AddOrder, once: a second one would bill twice. The order item's id in a custom field is the marker."""
    whmcs, client_id = run.portal.whmcs, run.customer.whmcs_client_id
    lines = [line for item in run.order.items for line in _billing_lines(item)]
    markers = sorted({item.id for item in run.order.items})

    async def create(_: str) -> str:
        gateway = run.portal.settings.whmcs.gateway
        placed = await whmcs_orders.add_order(whmcs, client_id, gateway, lines)
        return str(placed.order_id)

    async def look_up(_: str) -> list[str]:
        found = await whmcs_orders.find_orders_by_marker(whmcs, client_id, markers)
        return [str(order_id) for order_id in found]

    creation = await _create(run, "whmcs_order", run.order.id, {"items": markers}, Recipe(create, look_up), _BILLING)
    await drop_for(run.portal, run.customer, "own:fulfillment")
    return Done(remote_id=creation.remote_id, sent=lines)


@step("amounts", actor="portico")
async def compare_amounts(run: Run) -> Done:
    """What WHMCS will bill must be what the order showed, line by line; else nobody accepts it unseen."""
    placed = await _services_of(run)
    for item in run.order.items:
        billed = [service for service in placed if service.order_item == item.id]
        if len(billed) != int(item.quantity):
            raise Stopped(outcomes.PRICE_MISMATCH, f"{item.sku}: {len(billed)} services for {item.quantity}.")
        for service in billed:
            amount = service.recurring if item.billing_cycle == "Monthly" else service.first_payment
            if amount.amount != item.unit_price.amount:
                detail = f"{item.sku}: order item {item.unit_price}, WHMCS service {service.id} {amount}."
                raise Stopped(outcomes.PRICE_MISMATCH, detail)
    return Done(facts={"services": {str(service.id): service.order_item for service in placed}})


@step("accepted", actor="whmcs")
async def accept_billing_order(run: Run) -> Done:
    order_id = _billing_order_id(run)
    await whmcs_orders.accept_order(run.portal.whmcs, order_id)
    await drop_for(run.portal, run.customer, "own:fulfillment")
    return Done()


@step("esim", actor="freebit")
async def request_esim(run: Run, item: OrderItem) -> Done:
    """PA05-41 with the EID; the phone number is the marker (numbered mode), or the EID itself (unnumbered)."""
    freebit = run.portal.freebit
    numbered = run.portal.settings.freebit.esim_mode == "numbered"
    eid, plan_code = _checked_esim(item, numbered=numbered)
    account = item.line_number if numbered else None

    async def create(_: str) -> str:
        await freebit_lines.activate_esim(freebit, eid=eid, plan_code=plan_code, account=account)
        return account or f"eid:{eid}"

    async def look_up(_: str) -> list[str]:
        found = await _lines_with(run, item, account)
        return [line.account for line in found]

    creation = await _create(run, "esim_activation", item.id, {"account": account}, Recipe(create, look_up), _SIM)
    return Done(remote_id=creation.remote_id, sent=(eid, plan_code, account))


@step("line", actor="freebit")
async def wait_for_esim(run: Run, item: OrderItem) -> Done:
    """Acceptance is not activation: only the account's own state says that the line works."""
    settings = run.portal.settings.freebit
    account = item.line_number if settings.esim_mode == "numbered" else None
    found = await _lines_with(run, item, account)
    line = found[0] if found else None
    if line is not None and line.state == "active":
        facts = {"account": line.account, "iccid": line.iccid or "", "matching_id": line.matching_id or ""}
        return Done(remote_id=line.account, facts=facts)
    if line is not None and line.state in ("obsolete", "suspended"):
        raise Stopped(outcomes.SIM_FAILED, f"Line {line.account} is {line.state}.")
    asked = run.journal[f"esim:{item.id}"].updated_at
    if run.portal.clock.now() - asked > timedelta(hours=settings.deadline_hours):
        raise Stopped(outcomes.SIM_TIMEOUT)
    raise Stopped(outcomes.SIM_PENDING, look_again=timedelta(seconds=settings.poll_seconds))


@step("billing_details", actor="whmcs")
async def write_billing_details(run: Run) -> Done:
    """The number, EID and ICCID onto the service; and Active, where AcceptOrder alone has not made it so."""
    for service in await _services_of(run):
        item = next(item for item in run.order.items if item.id == service.order_item)
        line = run.journal.get(f"line:{item.id}")
        fields = services.with_line(run.portal.whmcs, service, **_line_details(item, line)) if line else None
        await services.update_client_product(
            run.portal.whmcs,
            service.id,
            status="active" if service.status == "pending" else None,
            domain=line.facts["account"] if line else None,
            custom_fields=fields,
        )
    await drop_for(run.portal, run.customer, "own:fulfillment")
    return Done()


@step("recorded", actor="salesforce")
async def write_salesforce_ids(run: Run) -> Done:
    marked = run.fact("amounts", "services")
    for item in run.order.items:
        line = run.journal.get(f"line:{item.id}")
        ids = [service_id for service_id, marker in marked.items() if marker == item.id]
        await salesforce_orders.update_item(
            run.portal.salesforce,
            item.id,
            whmcs_service_id=",".join(ids),
            activation_status="Activated",
            iccid=line.facts["iccid"] if line else None,
            line_number=line.facts["account"] if line else None,
        )
    return Done()


# Refusals of a marked call, and a marker found more than once, as outcomes: (refused, double).
_BILLING = (outcomes.BILLING_REFUSED, outcomes.BILLING_DOUBLE)
_SIM = (outcomes.SIM_REFUSED, outcomes.SIM_DOUBLE)


async def _create(
    run: Run, kind: str, key: str, request: dict[str, Any], recipe: Recipe, stops: tuple[Outcome, Outcome]
) -> Creation:
    """Carries a creation on until it is done. Raises Stopped where it is refused, parked or not known yet."""
    refused, double = stops
    async with run.portal.db.begin() as tx:
        intent = await intend(tx, run.portal.clock, kind, key, request, owner_id=run.customer.user_id)
        if intent.state == "refused":
            await reopen(tx, intent.id)
    try:
        creation = await carry_out(run.portal, intent.id, recipe)
    except SystemRefused as error:
        raise Stopped(refused, f"{error.system} {error.vendor_code}: {error.vendor_message}") from error
    except Refusal as error:
        raise Stopped(refused, error.code) from error
    if creation.state == "parked":
        raise Stopped(double, creation.code or "")
    if creation.state != "done":
        now = run.portal.clock.now()
        wait = creation.wake_at - now if creation.wake_at else timedelta(seconds=2)
        raise Stopped(outcomes.OUTCOME_UNKNOWN, look_again=max(wait, timedelta(seconds=1)))
    return creation


def _billing_lines(item: OrderItem) -> list[whmcs_orders.NewServiceLine]:
    if not item.whmcs_product_id:
        raise Stopped(outcomes.PRODUCT_NOT_MAPPED, item.sku)
    monthly = item.billing_cycle == "Monthly"
    line = whmcs_orders.NewServiceLine(
        product_id=item.whmcs_product_id,
        billing_cycle="monthly" if monthly else "one_time",
        # Only recurring prices can be overridden; a one-time product must cost what the order says (compare_amounts).
        price=item.unit_price if monthly else None,
        order_item=item.id,
        line_number=item.line_number or "",
        eid=item.eid or "",
    )
    return [line] * int(item.quantity)


def _billing_order_id(run: Run) -> int:
    return int(run.journal["billing_order"].remote_id or 0)


async def _services_of(run: Run) -> list[services.Service]:
    """The services of this order's WHMCS order, as WHMCS holds them now."""
    order_id = _billing_order_id(run)
    own = await services.get_clients_products(run.portal.whmcs, run.customer.whmcs_client_id)
    markers = {item.id for item in run.order.items}
    return [service for service in own if service.order_id == order_id and service.order_item in markers]


def _why(stop: Stopped) -> Done:
    """The customer's words for it, as the timeline shows them (orders/progress.py translates)."""
    return Done(facts={"message": stop.outcome.for_customer.text, "fix_at": stop.outcome.fix_at})


def _line_details(item: OrderItem, line: Step) -> dict[str, str]:
    return {"line_number": line.facts["account"], "eid": item.eid or "", "iccid": line.facts["iccid"]}


def _checked_esim(item: OrderItem, *, numbered: bool) -> tuple[str, str]:
    """EID and plan code, once all is there that Freebit needs."""
    if not item.eid or len(item.eid) != 32 or not item.eid.isdigit():
        raise Stopped(outcomes.EID_MISSING, item.sku)
    if not item.freebit_plan_code:
        raise Stopped(outcomes.PRODUCT_NOT_MAPPED, item.sku)
    if numbered and not item.line_number:
        raise Stopped(outcomes.LINE_NUMBER_MISSING)
    return item.eid, item.freebit_plan_code


async def _lines_with(run: Run, item: OrderItem, account: str | None) -> list[freebit_lines.Line]:
    """The lines at Freebit that carry this item's EID (and number, where it is known)."""
    if account is None:
        return await freebit_lines.find_lines_by_eid(run.portal.freebit, item.eid or "")
    line = await freebit_lines.get_details(run.portal.freebit, account)
    return [line] if line is not None and line.eid in (None, "", item.eid) else []


async def _note(
    run: Run,
    key: str,
    state: timeline.StepState,
    actor: str,
    *,
    done: Done | None = None,
    reason_code: str | None = None,
) -> None:
    now = run.portal.clock.now()
    left = done or Done()
    digest = hashlib.sha256(repr(left.sent).encode()).hexdigest() if left.sent else None
    async with run.portal.db.begin() as tx:
        await timeline.note(
            tx,
            run.mine,
            key,
            state,
            now,
            actor=actor,
            digest=digest,
            remote_id=left.remote_id,
            reason_code=reason_code,
            facts=left.facts,
        )
        journal = await timeline.journal_of(tx, run.order.id)
    run.journal.update(journal.steps)
