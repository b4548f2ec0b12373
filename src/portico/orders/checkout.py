"""Placing the order: once, however often the button is pressed, the page reloaded or the answer lost.

The cart carries a checkout key; a key makes at most one order. The order and its items are one composite call to
Salesforce, marked with a unique external id, so that a repeat is refused there and the first one adopted.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.billing.payment_methods import must_have_payment_method, today
from portico.billing.profile import profile_of
from portico.cache import drop_for
from portico.catalog.products import offers_for
from portico.creation import Creation, Recipe, carry_out, creation_of, intend
from portico.customer import Customer
from portico.errors import (
    CartChanged,
    IdempotencyKeyReused,
    NotEligible,
    NotFound,
    PorticoError,
    StillRunning,
    SystemDown,
)
from portico.identity.contacts import contact_of
from portico.identity.mapping import customer_of
from portico.orders import timeline
from portico.orders.cart import CartLine, PricedCart, empty_cart, price, read_cart
from portico.portal import Portal
from portico.post import post
from portico.systems.salesforce import orders as salesforce_orders
from portico.systems.salesforce.orders import NewOrder, NewOrderItem, ShippingAddress
from portico.systems.whmcs.clients import Client
from portico.work import defer, job, portal

__all__ = ["Placement", "ShippingAddress", "finish", "place_order", "placement_for", "resume", "shipping_address"]

log = structlog.get_logger()

KIND = "sf_order"
WAIT_SECONDS = 4.0
"""How long a second click waits for the first one's result."""
SAFETY_NET_SECONDS = 8
"""When the job looks after an order whose request has died."""

PLACE = text("""
    INSERT INTO placements (id, user_id, sf_account_id, creation_id, request_hash, idempotency_key, created_at)
    VALUES (:id, :user_id, :account_id, :creation_id, :request_hash, :idempotency_key, :now)
    ON CONFLICT (id) DO NOTHING
""")
BY_ID = text("SELECT * FROM placements WHERE id = :id AND user_id = :user_id")
BY_IDEMPOTENCY_KEY = text("SELECT * FROM placements WHERE user_id = :user_id AND idempotency_key = :key")
PLACED = text("UPDATE placements SET order_id = :order_id WHERE id = :id AND order_id IS NULL")
FORGET = text("""
    WITH gone AS (
        DELETE FROM placements USING creations
        WHERE placements.id = :id AND order_id IS NULL AND creations.id = creation_id
          AND (state = 'refused' OR (state = 'intended' AND attempt = 0 AND claimed_until IS NULL))
        RETURNING creation_id
    )
    DELETE FROM creations WHERE id IN (SELECT creation_id FROM gone)
""")


@dataclass(frozen=True)
class Placement:
    """One placing of an order. `id` is the operation that the customer can look at until `order_id` is known."""

    id: UUID
    user_id: UUID
    creation_id: UUID
    request_hash: str
    order_id: str | None


async def place_order(
    portal: Portal,
    customer: Customer,
    *,
    checkout_key: UUID | None = None,
    seen: str | None = None,
    address: ShippingAddress | None = None,
    idempotency_key: str | None = None,
) -> Placement:
    """Places the cart's order and answers it with its Salesforce id.

    `seen`: the digest of the cart that the customer agreed to. `address`: where it differs from the profile's.
    Raises CartChanged, NotEligible, PaymentMethodMissing, SystemDown (nothing was created), StillRunning.
    """
    request_hash = _hash(checkout_key, seen, address)
    earlier = await _earlier(portal, customer, checkout_key, idempotency_key, request_hash)
    if earlier is None:
        order, key = await _checked_order(portal, customer, checkout_key, seen, address)
        earlier = await _intend(portal, customer, order, key, request_hash, idempotency_key)
    return await finish(portal, customer, earlier)


async def finish(portal: Portal, customer: Customer, placement: Placement) -> Placement:
    """Carries a placement to its end, or waits for whoever does. Raises StillRunning where it is not known yet."""
    if placement.order_id is not None:
        return placement
    try:
        creation = await carry_out(portal, placement.creation_id, _recipe(portal, placement.creation_id))
        creation = await _settled(portal, creation)
    except SystemDown as error:
        if not error.sent:
            await _forget(portal, placement)
        raise
    except PorticoError:
        await _forget(portal, placement)
        raise
    if creation.state != "done":
        raise StillRunning(str(placement.id))
    return await _placed(portal, customer, placement, creation)


async def placement_for(portal: Portal, customer: Customer, placement_id: UUID) -> Placement:
    """Raises NotFound: unknown, or somebody else's."""
    async with portal.db.begin() as tx:
        row = (await tx.execute(BY_ID, {"id": placement_id, "user_id": customer.user_id})).mappings().first()
    if row is None:
        raise NotFound("placement")
    return _placement(row)


@job("orders")
async def continue_placement(placement_id: str, user_id: str) -> None:
    await resume(portal(), UUID(placement_id), UUID(user_id))


async def resume(portal: Portal, placement_id: UUID, user_id: UUID) -> None:
    """The job's part: finishes what a request could not. Comes again while the outcome is unknown."""
    async with portal.db.begin() as tx:
        customer = await customer_of(tx, user_id)
        row = (await tx.execute(BY_ID, {"id": placement_id, "user_id": user_id})).mappings().first()
    if customer is None or row is None:
        return
    try:
        await finish(portal, customer, _placement(row))
    except (StillRunning, SystemDown):
        async with portal.db.begin() as tx:
            if (await tx.execute(BY_ID, {"id": placement_id, "user_id": user_id})).first():
                await _defer(tx, placement_id, user_id)
    except PorticoError as error:
        log.warning("orders.placement.refused", placement=str(placement_id), error=error.code)


async def _earlier(
    portal: Portal, customer: Customer, checkout_key: UUID | None, idempotency_key: str | None, request_hash: str
) -> Placement | None:
    """What an earlier click, tab or try has begun."""
    by_key = {"user_id": customer.user_id, "key": idempotency_key}
    async with portal.db.begin() as tx:
        row = None
        if idempotency_key is not None:
            row = (await tx.execute(BY_IDEMPOTENCY_KEY, by_key)).mappings().first()
            if row is not None and row["request_hash"] != request_hash:
                raise IdempotencyKeyReused()
        if row is None and checkout_key is not None:
            row = (await tx.execute(BY_ID, {"id": checkout_key, "user_id": customer.user_id})).mappings().first()
    return _placement(row) if row else None


async def _checked_order(
    portal: Portal, customer: Customer, checkout_key: UUID | None, seen: str | None, address: ShippingAddress | None
) -> tuple[NewOrder, UUID]:
    """Everything that can be refused is refused here, before anything is written anywhere."""
    offers, _, profile = await asyncio.gather(
        offers_for(portal, customer), must_have_payment_method(portal, customer), profile_of(portal, customer)
    )
    async with portal.db.begin() as tx:
        cart = price(portal, await read_cart(tx, portal, customer), offers)
    if checkout_key not in (None, cart.checkout_key) or seen not in (None, cart.digest) or not cart.lines:
        raise CartChanged()
    if not cart.is_orderable:
        raise NotEligible(", ".join(line.item.sku for line in cart.lines if line.problem))
    home = shipping_address(profile.value)
    return _new_order(portal, customer, cart, address or home, changed=address not in (None, home)), cart.checkout_key


def _new_order(
    portal: Portal, customer: Customer, cart: PricedCart, address: ShippingAddress, *, changed: bool
) -> NewOrder:
    return NewOrder(
        marker="",  # the creation's, known when it is intended
        account_id=customer.sf_account_id,
        effective_date=today(portal),
        shipping_address=address,
        address_changed=changed,
        items=tuple(_new_item(cart, at, line) for at, line in enumerate(cart.lines)),
    )


def _new_item(cart: PricedCart, at: int, line: CartLine) -> NewOrderItem:
    assert line.offer is not None  # is_orderable has been checked
    product = line.offer.product
    return NewOrderItem(
        portal_item_id=f"{cart.checkout_key}-{at}",
        entry_id=product.entry_id,
        quantity=line.item.quantity,
        unit_price=product.price.amount,
        eid=line.item.eid,
    )


async def _intend(
    portal: Portal,
    customer: Customer,
    order: NewOrder,
    checkout_key: UUID,
    request_hash: str,
    idempotency_key: str | None,
) -> Placement:
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        cart = await read_cart(tx, portal, customer)  # held: a parallel click waits here
        values = {"id": checkout_key, "user_id": customer.user_id}
        row = (await tx.execute(BY_ID, values)).mappings().first()
        if row is not None:
            return _placement(row)
        if cart.checkout_key != checkout_key:
            raise CartChanged()
        request = msgspec.to_builtins(order)
        creation = await intend(tx, portal.clock, KIND, str(checkout_key), request, owner_id=customer.user_id)
        more = {"creation_id": creation.id, "account_id": customer.sf_account_id, "now": now}
        await tx.execute(PLACE, {**values, **more, "request_hash": request_hash, "idempotency_key": idempotency_key})
        await _defer(tx, checkout_key, customer.user_id)
    return Placement(checkout_key, customer.user_id, creation.id, request_hash, None)


def shipping_address(profile: Client) -> ShippingAddress:
    """The profile's address as an order holds it: a snapshot, so that a later move does not change the order."""
    home = profile.address
    street = "\n".join(part for part in (home.street, home.street2) if part)
    return ShippingAddress(street, home.city, home.state, home.postal_code, home.country)


def _recipe(portal: Portal, creation_id: UUID) -> Recipe:
    """Salesforce refuses a second order with the same marker, so that a repeat is safe and needs no quiet period."""

    async def create(marker: str) -> str:
        async with portal.db.begin() as tx:
            request = (await creation_of(tx, creation_id)).request
        order = replace(msgspec.convert(request, NewOrder), marker=marker)
        try:
            return await salesforce_orders.create_order(portal.salesforce, order)
        except salesforce_orders.OrderExists:
            try:
                return (await look_up(marker))[0]
            except SystemDown as error:  # the order is there: this must not read as "nothing was sent"
                raise SystemDown(error.system, error.note, sent=True) from error

    async def look_up(marker: str) -> list[str]:
        return list(await salesforce_orders.find_orders_by_marker(portal.salesforce, marker))

    return Recipe(create, look_up, repeat_is_refused=True)


async def _settled(portal: Portal, creation: Creation) -> Creation:
    """Waits a little for another request or job that carries this creation on at the moment."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + WAIT_SECONDS
    while creation.state == "attempted" and loop.time() < give_up:
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
            await empty_cart(tx, portal, customer, placement.id)
            await timeline.note_before_approval(tx, order_id, "placed", "done", now, actor="portico")
            await timeline.note_before_approval(tx, order_id, "approval", "waiting", now, actor="salesforce")
            await _confirm_by_mail(tx, portal, customer, order_id)
    return replace(placement, order_id=order_id)


async def _confirm_by_mail(tx: AsyncConnection, portal: Portal, customer: Customer, order_id: str) -> None:
    contact = await contact_of(tx, customer.user_id)
    if contact is None:
        return
    await post(
        portal,
        tx,
        key=f"order-placed:{order_id}",
        to=contact.email,
        template="orders/placed.txt",
        language=contact.language,
        name=contact.display_name,
        order_url=f"{portal.settings.portal.url}/orders/{order_id}",
    )


async def _forget(portal: Portal, placement: Placement) -> None:
    """Nothing was made: nothing is left behind, and the cart can be ordered again."""
    async with portal.db.begin() as tx:
        await tx.execute(FORGET, {"id": placement.id})


async def _defer(tx: AsyncConnection, placement_id: UUID, user_id: UUID) -> None:
    await defer(
        tx,
        continue_placement,
        in_seconds=SAFETY_NET_SECONDS,
        lock=f"placement:{placement_id}",
        placement_id=str(placement_id),
        user_id=str(user_id),
    )


def _hash(checkout_key: UUID | None, seen: str | None, address: ShippingAddress | None) -> str:
    return hashlib.sha256(repr((checkout_key, seen, address)).encode()).hexdigest()


def _placement(row: Any) -> Placement:
    return Placement(**{name: row[name] for name in Placement.__dataclass_fields__})
