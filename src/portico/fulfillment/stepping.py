"""How a step is done once: its line in the journal before and after, and a creation behind what must not be doubled."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec

from portico.creation import Creation, Recipe, carry_out, creation_of, intend, reopen
from portico.customer import Customer
from portico.errors import NotFound, PorticoError, Refusal, SystemRefused
from portico.fulfillment import outcomes
from portico.fulfillment.outcomes import Outcome, Stopped
from portico.orders import timeline
from portico.orders.timeline import Claim, Step
from portico.portal import Portal
from portico.systems.salesforce.orders import Order, OrderItem

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
    """One try to bring an order further: the order as Salesforce holds it, and the journal so far."""

    portal: Portal
    mine: Claim
    order: Order
    read_at: float
    """When `order` was asked for, by the loop's clock."""
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
                await note(run, key, "running", actor)
            try:
                done = await _stopping_at_refusals(function(run, *args, **kwargs))
            except Stopped as stop:
                state: timeline.StepState = "stopped" if stop.outcome.state == "parked" else "waiting"
                await note(run, key, state, actor, done=_why(stop), reason_code=stop.outcome.code)
                raise
            await note(run, key, "done", actor, done=done)

        return once

    return decorate


async def _stopping_at_refusals(doing: Awaitable[Done]) -> Done:
    """WHMCS' "no" is always definite: repeating it mends nothing."""
    try:
        return await doing
    except SystemRefused as error:
        if error.system != "whmcs":
            raise
        raise Stopped(outcomes.BILLING_REFUSED, _codes_in(error)) from error


async def create_once(
    run: Run,
    kind: str,
    key: str,
    request: dict[str, Any],
    recipe: Callable[[dict[str, Any]], Recipe],
    stops: tuple[Outcome, Outcome],
) -> Creation:
    """Carries a creation on until it is done. Raises Stopped where it is refused, parked or not known yet.

    `recipe` gets the request as it was intended: what was sent is looked for, whatever staff corrected since.
    """
    refused, double = stops
    async with run.portal.db.begin() as tx:
        intent = await intend(tx, run.portal.clock, kind, key, request, owner_id=run.customer.user_id)
        if intent.state in ("intended", "refused", "parked"):
            intent = await reopen(tx, intent, request)
    try:
        creation = await carry_out(run.portal, intent.id, recipe(intent.request))
    except (SystemRefused, Refusal, NotFound) as error:
        async with run.portal.db.begin() as tx:
            if (await creation_of(tx, intent.id)).state != "refused":
                raise  # the look-up was refused, which says nothing about the thing looked for
        raise Stopped(refused, _codes_in(error)) from error
    if creation.state == "parked":
        raise Stopped(double, creation.code or "")
    if creation.state != "done":
        now = run.portal.clock.now()
        wait = creation.wake_at - now if creation.wake_at else timedelta(seconds=2)
        raise Stopped(outcomes.OUTCOME_UNKNOWN, look_again=max(wait, timedelta(seconds=1)))
    return creation


async def note(
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


def _codes_in(error: PorticoError) -> str:
    if isinstance(error, SystemRefused):
        return f"{error.system} {error.vendor_code}: {error.vendor_message}"
    return error.code


def _why(stop: Stopped) -> Done:
    """The customer's words for it, as the timeline shows them (orders/progress.py translates)."""
    return Done(facts={"message": stop.outcome.for_customer.text, "fix_at": stop.outcome.fix_at})
