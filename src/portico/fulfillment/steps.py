"""The steps of fulfillment, in the order in which story.py calls them.

A step that the journal calls done is never done again; one that died under way starts over, and finds through its
marker what its first try has made. No step has an undo of its own: what was made stays visible to staff, and an order
that can't go on is parked with the WHMCS order as it stands.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from portico.cache import drop_for
from portico.creation import Recipe
from portico.fulfillment import outcomes
from portico.fulfillment.outcomes import Stopped
from portico.fulfillment.stepping import Done, Run, create_once, note, step
from portico.orders import timeline
from portico.orders.timeline import Step
from portico.systems.freebit import lines as freebit_lines
from portico.systems.salesforce import orders as salesforce_orders
from portico.systems.salesforce.orders import OrderItem
from portico.systems.salesforce.sf_id import SfItemId
from portico.systems.whmcs import orders as whmcs_orders
from portico.systems.whmcs import pay_methods, services

__all__ = [
    "Run", "accept_billing_order", "check_payment_method", "compare_amounts", "confirm_approval",
    "place_billing_order", "request_esim", "tell_salesforce_we_began", "wait_for_esim", "write_billing_details",
    "write_salesforce_ids",
]  # fmt: skip

FRESH_SECONDS = 1.0
"""An order that was read so lately is not read again before something is made of it."""


async def confirm_approval(run: Run) -> None:
    """Approval can be taken back, or come after the customer has cancelled; what is written here on the first run is
    the customer's line of it.
    """
    if timeline.is_being_cancelled(run.journal):
        raise Stopped(outcomes.CANCELLATION_UNDER_WAY)
    if timeline.is_cancelled_by_customer(run.journal):
        raise Stopped(outcomes.CANCELLED_BY_CUSTOMER)
    if run.order.status_code != "Activated":
        raise Stopped(outcomes.ORDER_WITHDRAWN)
    if "approval" not in run.journal or run.journal["approval"].state != "done":
        await note(run, "approval", "done", "salesforce")


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
    await _still_approved(run)
    whmcs, client_id = run.portal.whmcs, run.customer.whmcs_client_id
    lines = [line for item in run.order.items for line in _billing_lines(item)]
    markers = sorted({item.id for item in run.order.items})

    async def look_up(_: str) -> list[str]:
        found = await whmcs_orders.find_orders_by_marker(whmcs, client_id, markers)
        return [str(order_id) for order_id in found]

    async def create(marker: str) -> str:
        # Our own memory may be older than the world (a restored backup): one look is cheaper than billing twice.
        for there in await look_up(marker):
            return there
        gateway = run.portal.settings.whmcs.gateway
        placed = await whmcs_orders.add_order(whmcs, client_id, gateway, lines)
        return str(placed.order_id)

    recipe = Recipe(create, look_up)
    creation = await create_once(run, "whmcs_order", run.order.id, {"items": markers}, lambda _: recipe, _BILLING)
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
            _compare(item, service)
    strangers = [service.id for service in placed if all(service.order_item != item.id for item in run.order.items)]
    if strangers:
        raise Stopped(outcomes.PRICE_MISMATCH, f"WHMCS services {strangers} belong to no item of the order.")
    return Done(facts={"services": {str(service.id): service.order_item for service in placed}})


def _compare(item: OrderItem, service: services.Service) -> None:
    """A first month may cost less (part of a month), never more: the order shows no set-up fee of WHMCS' own."""
    monthly = item.billing_cycle == "Monthly"
    amount, price = service.recurring if monthly else service.first_payment, item.unit_price.amount
    if amount.amount != price or (monthly and service.first_payment.amount > price):
        billed = f"{service.first_payment} first, {service.recurring} recurring"
        detail = f"{item.sku}: order item {item.unit_price}, WHMCS service {service.id} {billed}."
        raise Stopped(outcomes.PRICE_MISMATCH, detail)


@step("accepted", actor="whmcs")
async def accept_billing_order(run: Run) -> Done:
    order_id = _billing_order_id(run)
    await whmcs_orders.accept_order(run.portal.whmcs, order_id)
    await drop_for(run.portal, run.customer, "own:fulfillment")
    return Done()


@step("esim", actor="freebit")
async def request_esim(run: Run, item: OrderItem) -> Done:
    """PA05-41 with the EID; the phone number is the marker (numbered mode), or the EID itself (unnumbered)."""
    await _still_approved(run)
    current = next((each for each in run.order.items if each.id == item.id), None)
    if current is None:
        raise Stopped(outcomes.ORDER_WITHDRAWN, f"{item.sku} is no longer in the order.")
    request = await _activation_of(run, current)

    def recipe(asked: dict[str, Any]) -> Recipe:
        async def create(_: str) -> str:
            freebit, account = run.portal.freebit, asked["account"]
            await freebit_lines.activate_esim(freebit, eid=asked["eid"], plan_code=asked["plan_code"], account=account)
            return account or f"eid:{asked['eid']}"

        async def look_up(_: str) -> list[str]:
            return [line.account for line in await _lines(run, asked, asked["eid"])]

        return Recipe(create, look_up)

    creation = await create_once(run, "esim_activation", item.id, request, recipe, _SIM)
    asked = creation.request
    return Done(remote_id=creation.remote_id, facts={"asked": asked}, sent=asked)


@step("line", actor="freebit")
async def wait_for_esim(run: Run, item: OrderItem) -> Done:
    """Acceptance is not activation: only the account's own state says that the line works."""
    settings = run.portal.settings.freebit
    asked = run.fact(f"esim:{item.id}", "asked")
    found = await _lines(run, asked, asked["eid"], item.eid or "")  # staff may have had it issued anew for another EID
    line = found[0] if found else None
    if line is not None and line.state == "active":
        facts = {"account": line.account, "iccid": line.iccid, "matching_id": line.matching_id}
        return Done(remote_id=line.account, facts=facts)
    if line is not None and line.state in ("obsolete", "suspended"):
        raise Stopped(outcomes.SIM_FAILED, f"Line {line.account} is {line.state}.")
    since = run.journal[f"esim:{item.id}"].updated_at
    if run.portal.clock.now() - since > timedelta(hours=settings.deadline_hours):
        raise Stopped(outcomes.SIM_TIMEOUT)
    raise Stopped(outcomes.SIM_PENDING, look_again=timedelta(seconds=settings.poll_seconds))


@step("billing_details", actor="whmcs")
async def write_billing_details(run: Run) -> Done:
    """The number, EID and ICCID onto the service; and Active, where AcceptOrder alone has not made it so."""
    items = {item.id: item for item in run.order.items}
    for service in await _services_of(run):
        item = items[SfItemId(service.order_item)]
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


async def _still_approved(run: Run) -> None:
    """Before anything is made elsewhere: a run may take a minute, and staff withdraw an order meanwhile."""
    now = asyncio.get_running_loop().time()
    if now - run.read_at < FRESH_SECONDS:
        return
    run.order, run.read_at = await salesforce_orders.get_order_to_fulfill(run.portal.salesforce, run.order.id), now
    if run.order.status_code != "Activated":
        raise Stopped(outcomes.ORDER_WITHDRAWN)


def _billing_lines(item: OrderItem) -> list[whmcs_orders.NewServiceLine]:
    if not item.whmcs_product_id or item.billing_cycle is None:
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
    return [service for service in own if service.order_id == order_id]


def _line_details(item: OrderItem, line: Step) -> dict[str, str]:
    return {"line_number": line.facts["account"], "eid": item.eid or "", "iccid": line.facts["iccid"]}


async def _activation_of(run: Run, item: OrderItem) -> dict[str, Any]:
    """What Freebit is to be asked for, once all is there that it needs."""
    settings = run.portal.settings.freebit
    numbered = settings.esim_mode == "numbered"
    if not re.fullmatch("[0-9]{32}", item.eid or ""):
        raise Stopped(outcomes.EID_MISSING, item.sku)
    if not item.freebit_plan_code:
        raise Stopped(outcomes.PRODUCT_NOT_MAPPED, item.sku)
    if numbered and not item.line_number:
        raise Stopped(outcomes.LINE_NUMBER_MISSING)
    return {
        "eid": item.eid,
        "plan_code": item.freebit_plan_code,
        "account": item.line_number if numbered else None,
        # An eSIM may have carried lines before: only one that was not there yet can be ours.
        "known": [] if numbered else await freebit_lines.get_master_lines(run.portal.freebit),
    }


async def _lines(run: Run, asked: Mapping[str, Any], *eids: str) -> list[freebit_lines.Line]:
    """The lines that may have come of an activation; one that ended counts only where no other is there."""
    freebit = run.portal.freebit
    if asked["account"] is None:
        found = await freebit_lines.find_lines_by_eid(freebit, asked["eid"], known=asked["known"])
        return [line for line in found if line.state != "obsolete"] or found
    line = await freebit_lines.get_details(freebit, asked["account"])
    return [line] if line is not None and line.eid in ("", *eids) else []
