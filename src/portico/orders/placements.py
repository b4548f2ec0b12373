"""An order being placed: carried to its end by whoever comes first, the request, a second click or the job.

The order and its items are one composite call to Salesforce, marked with a unique external id, so that a repeat is
refused there and the first one adopted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.cache import drop_for
from portico.creation import Creation, LostClaim, Recipe, carry_out, creation_of
from portico.customer import Customer
from portico.errors import NotFound, PorticoError, Refusal, StillRunning, SystemDown, SystemRefused, SystemSurprised
from portico.identity.contacts import contact_of
from portico.identity.mapping import customer_of
from portico.orders import timeline
from portico.orders.cart import CartItem, take_out
from portico.portal import Portal
from portico.post import post
from portico.systems.salesforce import orders as salesforce_orders
from portico.systems.salesforce.orders import NewOrder
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

WAIT_SECONDS = 4.0
"""How long a second click waits for the first one's result."""
LOOK_AFTER_SECONDS = 8
"""When the job looks after an order whose request has died, or whose outcome is not known."""

BY_ID = text("SELECT * FROM placements WHERE id = :id AND user_id = :user_id")
PLACED = text("UPDATE placements SET order_id = :order_id WHERE id = :id AND order_id IS NULL")
# Only where certainly nothing was made, and nobody is about to make it: else the order would come all the same.
TAKE_BACK = text("""
    WITH idle AS (
        SELECT creations.id FROM creations JOIN placements ON placements.creation_id = creations.id
        WHERE placements.id = :id AND placements.order_id IS NULL
          AND (creations.state = 'refused' OR creations.state = 'intended' AND creations.claimed_until IS NULL)
        FOR UPDATE OF creations
    ), gone AS (
        DELETE FROM placements WHERE creation_id IN (SELECT id FROM idle)
    )
    DELETE FROM creations WHERE id IN (SELECT id FROM idle)
""")
OPEN = text("""
    SELECT placements.id, placements.user_id FROM placements JOIN creations ON creations.id = placements.creation_id
    WHERE placements.order_id IS NULL AND creations.state <> 'parked' AND placements.created_at <= :before
      AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = 'placement:' || placements.id
                      AND status IN ('todo', 'doing'))
""")


@dataclass(frozen=True)
class Placement:
    """One placing of an order. `id` is the operation that the customer can look at until `order_id` is known."""

    id: UUID
    user_id: UUID
    creation_id: UUID
    request_hash: str
    order_id: str | None


class OrderedLine(msgspec.Struct):
    """As the customer saw it: `net` is of all of it, with its currency."""

    name: str
    quantity: int
    net: str
    is_monthly: bool


class Ordered(msgspec.Struct):
    """What of a creation's request is the cart's. `monthly` and `one_time` are with tax, empty for nothing."""

    cart: list[CartItem]
    lines: list[OrderedLine] = []
    monthly: str = ""
    one_time: str = ""


async def finish(portal: Portal, customer: Customer, placement: Placement) -> Placement:
    """The request's part: carries a placement to its end, or waits for whoever does.

    Raises StillRunning where its outcome is not known yet: it goes on by itself. Any other error leaves nothing
    behind where nothing was made, so that the cart can be ordered again.
    """
    try:
        return await _carry_on(portal, customer, placement)
    except StillRunning:
        raise
    except PorticoError:
        await _take_back(portal, placement)
        raise


async def placement_for(portal: Portal, customer: Customer, placement_id: UUID) -> Placement:
    """Raises NotFound: unknown, or somebody else's."""
    async with portal.db.begin() as tx:
        placement = await placement_of(tx, placement_id, customer.user_id)
    if placement is None:
        raise NotFound("placement")
    return placement


async def placement_of(tx: AsyncConnection, placement_id: UUID, user_id: UUID) -> Placement | None:
    row = (await tx.execute(BY_ID, {"id": placement_id, "user_id": user_id})).mappings().first()
    return as_placement(row) if row else None


def as_placement(row: Any) -> Placement:
    return Placement(**{name: row[name] for name in Placement.__dataclass_fields__})


@job("orders")
async def continue_placement(placement_id: str, user_id: str) -> None:
    await resume(portal(), UUID(placement_id), UUID(user_id))


@periodic("* * * * * */20", queue="orders")
async def sweep_placements(timestamp: int) -> None:
    await sweep(portal())


async def look_after(tx: AsyncConnection, placement_id: UUID, user_id: UUID, *, in_seconds: float) -> None:
    arguments = {"placement_id": str(placement_id), "user_id": str(user_id)}
    await defer(tx, continue_placement, in_seconds=in_seconds, lock=f"placement:{placement_id}", **arguments)


async def sweep(portal: Portal) -> int:
    """Gives every order that nobody carries on a job; answers how many. The row is the truth, jobs are disposable."""
    before = portal.clock.now() - timedelta(seconds=2 * LOOK_AFTER_SECONDS)
    async with portal.db.begin() as tx:
        found = (await tx.execute(OPEN, {"before": before})).all()
        for row in found:
            await look_after(tx, row.id, row.user_id, in_seconds=0)
    return len(found)


async def resume(portal: Portal, placement_id: UUID, user_id: UUID) -> None:
    """The job's part: finishes what a request could not, however long Salesforce is away."""
    async with portal.db.begin() as tx:
        customer = await customer_of(tx, user_id)
        placement = await placement_of(tx, placement_id, user_id)
    if customer is None or placement is None:
        return
    try:
        await _carry_on(portal, customer, placement)
    except (Refusal, SystemRefused, NotFound) as error:
        log.warning("orders.placement.refused", placement=str(placement_id), error=str(error))
        await _take_back(portal, placement, told_by="orders/not_placed.txt")
    except PorticoError as error:
        log.info("orders.placement.waits", placement=str(placement_id), error=error.code)
        async with portal.db.begin() as tx:
            if await placement_of(tx, placement_id, user_id):
                await look_after(tx, placement_id, user_id, in_seconds=LOOK_AFTER_SECONDS)


async def _carry_on(portal: Portal, customer: Customer, placement: Placement) -> Placement:
    if placement.order_id is not None:
        return placement
    try:
        creation = await carry_out(portal, placement.creation_id, _recipe(portal, placement.creation_id))
        creation = await settled(portal, creation)
    except NoResultFound:
        raise SystemDown("salesforce", "a parallel click took it back", sent=False) from None
    except LostClaim:
        raise StillRunning(str(placement.id)) from None
    if creation.state == "refused":  # recorded by a process that died before it could clear up
        raise SystemRefused("salesforce", creation.code or "refused")
    if creation.state != "done":
        raise StillRunning(str(placement.id))
    return await _placed(portal, customer, placement, creation)


def _recipe(portal: Portal, creation_id: UUID) -> Recipe:
    """Salesforce refuses a second order with the same marker, so that a repeat is safe and needs no quiet period."""

    async def create(marker: str) -> str:
        async with portal.db.begin() as tx:
            request = (await creation_of(tx, creation_id)).request
        order = replace(msgspec.convert(request, NewOrder), marker=marker)
        try:
            return await salesforce_orders.create_order(portal.salesforce, order)
        except salesforce_orders.OrderExists as exists:
            found = await look_up(marker)
            if len(found) != 1:
                raise SystemSurprised("salesforce", f"{exists.vendor_code}, and {len(found)} such orders") from exists
            return found[0]

    async def look_up(marker: str) -> list[str]:
        return list(await salesforce_orders.find_orders_by_marker(portal.salesforce, marker))

    return Recipe(create, look_up, repeat_is_refused=True)


async def settled(portal: Portal, creation: Creation) -> Creation:
    """Waits a little for another request or job that carries this creation on at the moment.

    Raises NoResultFound where that one took it back.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + WAIT_SECONDS
    while creation.state in ("intended", "attempted") and loop.time() < give_up:
        await asyncio.sleep(0.05)
        async with portal.db.begin() as tx:
            creation = await creation_of(tx, creation.id)
    return creation


async def _placed(portal: Portal, customer: Customer, placement: Placement, creation: Creation) -> Placement:
    """The order exists: remembered, journaled, confirmed by mail, once; and the cart is free for the next one."""
    order_id = str(creation.remote_id)
    now = portal.clock.now()
    await drop_for(portal, customer, "own:order")
    async with portal.db.begin() as tx:
        if (await tx.execute(PLACED, {"id": placement.id, "order_id": order_id})).rowcount:
            ordered = msgspec.convert(creation.request, Ordered)
            await take_out(tx, portal, customer, placement.id, ordered.cart)
            await timeline.note_once(tx, order_id, "placed", "done", now, actor="portico")
            await timeline.note_once(tx, order_id, "approval", "waiting", now, actor="salesforce")
            url, key = f"{portal.settings.portal.url}/orders/{order_id}", f"order-placed:{order_id}"
            await _write(tx, portal, customer.user_id, key, "orders/placed.txt", order_url=url, ordered=ordered)
    return replace(placement, order_id=order_id)


async def _take_back(portal: Portal, placement: Placement, *, told_by: str = "") -> None:
    """Where nothing was made, nothing is left. `told_by`: the mail for a person who does not look on any more."""
    async with portal.db.begin() as tx:
        taken = (await tx.execute(TAKE_BACK, {"id": placement.id})).rowcount
        if taken and told_by:
            await _write(tx, portal, placement.user_id, f"order-not-placed:{placement.id}", told_by)


async def _write(tx: AsyncConnection, portal: Portal, user_id: UUID, key: str, template: str, **values: Any) -> None:
    contact = await contact_of(tx, user_id)
    if contact is None:
        return
    to, language, name = contact.email, contact.language, contact.display_name
    await post(portal, tx, key=key, to=to, template=template, language=language, name=name, **values)
