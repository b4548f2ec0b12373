"""What starts or wakes fulfillment: change events, the reconciliation poll, a card that was added.

An event is a hint: the order is read again, and only what Salesforce says now counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.customer import SfAccountId, WhmcsClientId
from portico.errors import NotFound, PorticoError, SystemDown
from portico.fulfillment.runs import defer_run
from portico.identity.mapping import customer_by_client
from portico.inbox import Event
from portico.orders import timeline
from portico.orders.cancellation_news import staff_changed
from portico.portal import Portal
from portico.systems.salesforce import orders as salesforce_orders
from portico.systems.salesforce.orders import Order
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

POLL_BACK = timedelta(days=7)


async def order_changed(portal: Portal, event: Event) -> None:
    """Reaction to a change of Order or OrderItem: approved orders begin, waiting ones look again."""
    if event.body.get("own"):
        return  # the echo of our own status writes
    order_ids = event.body.get("order_ids", [])
    await _consider_each(portal, order_ids)
    if not order_ids:  # a gap, an overflow, an event that could not be read: look at all of them
        async with portal.db.begin() as tx:
            await timeline.wake_all(tx, ["waiting_staff"], portal.clock.now())
        await poll(portal)


async def consider(portal: Portal, order_id: str) -> None:
    """Begins, wakes or unparks the fulfillment of an order, as Salesforce holds it now. Twice does no harm."""
    read_at = portal.clock.now()
    try:
        order = await salesforce_orders.get_order_to_fulfill(portal.salesforce, order_id)
    except NotFound:
        return  # deleted meanwhile, or not of ours
    if not order.is_approved:
        await staff_changed(portal, order, read_at)
        return
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        began = _is_to_begin(order) and await timeline.begin(tx, order.id, order.account_id, now)
        if began or await _moves(tx, order, now):
            await defer_run(tx, order.id)
    if began:
        log.info("fulfillment.order.began", order=order.id)


async def card_stored(portal: Portal, event: Event) -> None:
    """Reaction to WHMCS' CCUpdate."""
    client_id = event.body.get("whmcs_client_id")
    if client_id is None:
        return
    async with portal.db.begin() as tx:
        customer = await customer_by_client(tx, WhmcsClientId(client_id))
    if customer is not None:
        await payment_method_changed(portal, customer.sf_account_id)


async def payment_method_changed(portal: Portal, account_id: SfAccountId) -> None:
    """A card was added: orders that waited for one go on."""
    async with portal.db.begin() as tx:
        for order_id in await timeline.wake(tx, account_id, ["waiting_customer"], portal.clock.now()):
            await defer_run(tx, order_id)


@job("orders")
async def poll_once() -> None:
    await poll(portal())


async def defer_poll(tx: AsyncConnection) -> None:
    """The listener has no position to resume from: what it has not heard is looked for."""
    await defer(tx, poll_once, lock="poll")


@periodic("* * * * * */10", queue="orders")
async def poll_approved_orders(timestamp: int) -> None:
    """The reconciliation poll: with all change events lost, every approved order is fulfilled all the same."""
    the_portal = portal()
    every = max(1, round(the_portal.settings.fulfillment.poll_seconds / 10))
    if (timestamp // 10) % every == 0:
        await poll(the_portal)


async def poll(portal: Portal) -> None:
    since = portal.clock.now() - POLL_BACK
    await _consider_each(portal, await salesforce_orders.find_orders_to_fulfill(portal.salesforce, since))


async def _consider_each(portal: Portal, order_ids: Sequence[str]) -> None:
    """One order that can't be read never holds up the others. Raises its error once they are all seen to."""
    failed: PorticoError | None = None
    for order_id in order_ids:
        try:
            await consider(portal, order_id)
        except SystemDown:
            raise  # the others would fare the same
        except PorticoError as error:
            log.error("fulfillment.order.unreadable", order=order_id, error=str(error))
            failed = error
    if failed is not None:
        raise failed


def _is_to_begin(order: Order) -> bool:
    """An order of the portal, or one that staff gave to it by setting Pending. All other activated orders are history:
    fulfilling one that was touched by chance would bill it a second time.
    """
    if order.fulfillment_status is None:
        return order.portal_id is not None
    return order.fulfillment_status == "Pending"


async def _moves(tx: AsyncConnection, order: Order, now: datetime) -> bool:
    """Staff mend a parked order by setting it back to Pending; a waiting one is looked at again at any change."""
    if order.fulfillment_status == "Pending" and await timeline.unpark(tx, order.id, now):
        await timeline.forget_cancellation(tx, order.id)  # where it was parked for that, it is wanted after all
        return True
    return await timeline.wake_one(tx, order.id, ["waiting_staff", "waiting_customer"], now)
