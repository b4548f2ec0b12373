"""A customer cancels an order that is not approved yet.

The intent is committed before Salesforce is called, and fulfillment (its first step looks for it) does not begin
meanwhile: whoever takes the order's lock first, the approval's run or the cancellation, the other one gives way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.cache import drop_for
from portico.creation import Creation, LostClaim, Recipe, carry_out, creation_of, intend, withdraw
from portico.customer import Customer
from portico.errors import NotFound, PorticoError, Refusal, StillRunning, SystemDown, SystemRefused
from portico.identity.audit import record
from portico.identity.mapping import customer_of
from portico.orders import timeline
from portico.orders.cancellation_news import tell_cancelled, tell_not_cancelled
from portico.orders.orders import OrderWithJournal
from portico.orders.placements import LOOK_AFTER_SECONDS, placement_for, settled
from portico.orders.refusals import OrderApproved, OrderNotCancellable, OrderNotKnownYet
from portico.portal import Portal
from portico.systems.salesforce import order_cancellation
from portico.systems.salesforce import orders as salesforce_orders
from portico.systems.salesforce.orders import Order
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

KIND = "sf_order_cancellation"
PENDING = "pending-"

OF_ORDER = text(f"SELECT id FROM creations WHERE kind = '{KIND}' AND business_key = :order_id")  # noqa: S608
OWN = text(f"SELECT id FROM creations WHERE kind = '{KIND}' AND id = :id AND owner_id = :user_id")  # noqa: S608
FORGET = text(f"DELETE FROM creations WHERE kind = '{KIND}' AND id = :id AND state IN ('done', 'refused', 'parked')")  # noqa: S608
DUE = text(f"""
    SELECT creations.id FROM creations JOIN journal ON journal.order_id = business_key AND step = 'cancelled'
    WHERE kind = '{KIND}' AND journal.state = 'running' AND creations.updated_at <= :before
      AND (wake_at IS NULL OR wake_at <= :now) AND (claimed_until IS NULL OR claimed_until <= :now)
""")  # noqa: S608


async def order_to_cancel(portal: Portal, customer: Customer, order_id: str) -> OrderWithJournal:
    """The order as Salesforce holds it now. Raises NotFound, OrderNotKnownYet, SystemDown."""
    order_id = await _known_id(portal, customer, order_id)
    order = await salesforce_orders.get_order(portal.salesforce, customer.sf_account_id, order_id)
    async with portal.db.begin() as tx:
        journal = await timeline.journal_of(tx, order.id)
    return OrderWithJournal(order, journal, portal.clock.now())


def must_be_cancellable(known: OrderWithJournal) -> None:
    """Raises OrderApproved, OrderNotCancellable."""
    if known.order.is_approved or known.journal.state is not None:
        raise OrderApproved(known.order.id)
    if known.order.stage != "in_review":
        raise OrderNotCancellable(known.order.id)


async def cancel(portal: Portal, customer: Customer, order_id: str) -> OrderWithJournal:
    """Cancels it, once, however often this is called; answers it cancelled. Whoever did it first, it is a success.

    Raises NotFound, OrderApproved, OrderNotCancellable, OrderNotKnownYet; SystemDown where nothing was done;
    StillRunning where nobody knows yet: it goes on by itself.
    """
    known = await order_to_cancel(portal, customer, order_id)
    await drop_for(portal, customer, "own:order")
    creation = await _intend(portal, customer, known.order)
    if creation is not None:
        await _finish(portal, customer, creation)
    order = replace(known.order, status=portal.settings.salesforce.order_status_cancelled, stage="cancelled")
    async with portal.db.begin() as tx:
        return OrderWithJournal(order, await timeline.journal_of(tx, order.id), portal.clock.now())


@dataclass(frozen=True)
class Cancellation:
    order_id: str
    state: Literal["running", "done", "refused"]


async def cancellation_for(portal: Portal, customer: Customer, creation_id: UUID) -> Cancellation:
    """One that was answered with StillRunning. Raises NotFound: unknown, or somebody else's."""
    async with portal.db.begin() as tx:
        if (await tx.execute(OWN, {"id": creation_id, "user_id": customer.user_id})).first() is None:
            raise NotFound("cancellation")
        creation = await creation_of(tx, creation_id)
    state: Literal["running", "done", "refused"] = "running"
    if creation.is_settled:
        state = "done" if creation.state == "done" else "refused"
    return Cancellation(creation.business_key, state)


@job("orders")
async def continue_cancellation(creation_id: str) -> None:
    await resume(portal(), UUID(creation_id))


@periodic("* * * * * */15", queue="orders")
async def sweep_cancellations(timestamp: int) -> None:
    await sweep(portal())


async def sweep(portal: Portal) -> int:
    """Gives every cancellation that nobody carries on a job; answers how many."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        values = {"now": now, "before": now - timedelta(seconds=LOOK_AFTER_SECONDS)}
        due = list((await tx.execute(DUE, values)).scalars())
        for creation_id in due:
            await _look_after(tx, creation_id, in_seconds=0)
    return len(due)


async def resume(portal: Portal, creation_id: UUID) -> None:
    """The job's part: finishes what a request could not; the sweep comes again while Salesforce is away."""
    async with portal.db.begin() as tx:
        try:
            creation = await creation_of(tx, creation_id)
        except NoResultFound:
            return
        customer = await customer_of(tx, creation.owner_id) if creation.owner_id else None
    if customer is None:
        return
    try:
        creation = await carry_out(portal, creation.id, _recipe(portal, customer, creation.business_key))
    except (SystemRefused, Refusal, NotFound) as error:
        log.info("orders.cancellation.refused", order=creation.business_key, error=str(error))
        await _given_up(portal, customer, creation, told=True)
    except (PorticoError, LostClaim, NoResultFound) as error:
        log.info("orders.cancellation.waits", order=creation.business_key, error=str(error))
    else:
        await _settle(portal, customer, creation, told=True)


async def _known_id(portal: Portal, customer: Customer, order_id: str) -> str:
    """An order that was sent without an answer has an address of its own until its id is known."""
    if not order_id.startswith(PENDING):
        return order_id
    try:
        placement = await placement_for(portal, customer, UUID(order_id.removeprefix(PENDING)))
    except ValueError:
        raise NotFound("placement") from None
    if placement.order_id is None:
        raise OrderNotKnownYet(order_id)
    return placement.order_id


async def _intend(portal: Portal, customer: Customer, order: Order) -> Creation | None:
    """From here on it is cancelled or refused, whatever happens to this process. None: it is cancelled already."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        await timeline.lock(tx, order.id)
        known = OrderWithJournal(order, await timeline.journal_of(tx, order.id), now)
        earlier = await _of_order(tx, order.id)
        if earlier and timeline.is_being_cancelled(known.journal.steps):
            return earlier
        if order.stage == "cancelled":
            return None
        must_be_cancellable(known)
        if earlier:  # refused once, or reinstated by staff
            await tx.execute(FORGET, {"id": earlier.id})
        creation = await intend(tx, portal.clock, KIND, order.id, {}, owner_id=customer.user_id)
        await timeline.note_cancellation(tx, order.id, "running", now, actor="customer")
        await _look_after(tx, creation.id, in_seconds=LOOK_AFTER_SECONDS)
    return creation


async def _finish(portal: Portal, customer: Customer, creation: Creation) -> None:
    """The request's part: to its end, or until it knows that it does not know."""
    try:
        creation = await carry_out(portal, creation.id, _recipe(portal, customer, creation.business_key))
        creation = await settled(portal, creation)
    except NoResultFound:
        raise SystemDown("salesforce", "a parallel click took it back", sent=False) from None
    except LostClaim:
        raise StillRunning(str(creation.id)) from None
    except (SystemRefused, Refusal, NotFound) as error:
        if not await _given_up(portal, customer, creation):
            raise StillRunning(str(creation.id)) from error
        raise _refusal(error) from error
    except PorticoError as error:
        if isinstance(error, SystemDown) and not error.sent:
            await _take_back(portal, creation)
            raise
        raise StillRunning(str(creation.id)) from error
    await _settle(portal, customer, creation)
    if creation.state == "refused":  # by a parallel click
        raise OrderApproved() if creation.code == order_cancellation.APPROVED else OrderNotCancellable()
    if creation.state != "done":
        raise StillRunning(str(creation.id))


def _recipe(portal: Portal, customer: Customer, order_id: str) -> Recipe:
    """A repeat does no harm to the order, but the quiet period must pass before an approval is believed: a call that
    was given up may still arrive, and would take back what fulfillment has begun with.
    """
    account_id = customer.sf_account_id

    async def create(_: str) -> str:
        await order_cancellation.cancel_order(portal.salesforce, account_id, order_id)
        return order_id

    async def look_up(_: str) -> list[str]:
        try:
            order = await salesforce_orders.get_order(portal.salesforce, account_id, order_id)
        except NotFound:
            return []
        return [order_id] if order.stage == "cancelled" else []

    return Recipe(create, look_up)


async def _settle(portal: Portal, customer: Customer, creation: Creation, *, told: bool = False) -> None:
    """Once: the copies dropped, the line of the journal, the audit's row, a notice and a mail."""
    if creation.state in ("refused", "parked"):
        await _given_up(portal, customer, creation, told=told)
    if creation.state != "done":
        return
    await drop_for(portal, customer, "own:order")
    order_id, now = creation.business_key, portal.clock.now()
    async with portal.db.begin() as tx:
        await timeline.lock(tx, order_id)
        if not timeline.is_being_cancelled((await timeline.journal_of(tx, order_id)).steps):
            return
        await timeline.note_cancellation(tx, order_id, "done", now, actor="customer")
        await tell_cancelled(portal, tx, customer.user_id, order_id, key=str(creation.id), by="customer")
        await record(tx, now, actor=str(customer.user_id), action="order.cancelled", object=f"order {order_id}")


async def _given_up(portal: Portal, customer: Customer, creation: Creation, *, told: bool = False) -> bool:
    """The order stays as it is. False where only a look-up was refused, which says nothing about the order.

    `told`: the person does not look on any more, and is written to.
    """
    await drop_for(portal, customer, "own:order")
    order_id = creation.business_key
    async with portal.db.begin() as tx:
        await timeline.lock(tx, order_id)
        if (await creation_of(tx, creation.id)).state not in ("refused", "parked"):
            return False
        if timeline.is_being_cancelled((await timeline.journal_of(tx, order_id)).steps):
            await timeline.forget_cancellation(tx, order_id)
            if told:
                await tell_not_cancelled(portal, tx, customer.user_id, order_id, key=str(creation.id))
    return True


async def _take_back(portal: Portal, creation: Creation) -> None:
    """Where nothing was sent, nothing is left, so that the button can be pressed again."""
    async with portal.db.begin() as tx:
        await timeline.lock(tx, creation.business_key)
        if await withdraw(tx, creation.id):  # else a parallel click is just about it
            await timeline.forget_cancellation(tx, creation.business_key)


def _refusal(error: PorticoError) -> PorticoError:
    if not isinstance(error, SystemRefused):
        return error
    approved = error.vendor_code == order_cancellation.APPROVED
    return OrderApproved(error.note) if approved else OrderNotCancellable(error.note)


async def _of_order(tx: AsyncConnection, order_id: str) -> Creation | None:
    found = (await tx.execute(OF_ORDER, {"order_id": order_id})).scalar_one_or_none()
    return await creation_of(tx, found) if found else None


async def _look_after(tx: AsyncConnection, creation_id: UUID, *, in_seconds: float) -> None:
    lock = f"cancellation:{creation_id}"
    await defer(tx, continue_cancellation, in_seconds=in_seconds, lock=lock, creation_id=str(creation_id))
