"""Placing the order: once, however often the button is pressed, the page reloaded or the answer lost.

The cart carries a checkout key; a key makes at most one order (placements.py carries it to its end).
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.billing.payment_methods import must_have_payment_method, today
from portico.billing.profile import profile_of
from portico.catalog.products import offers_for
from portico.creation import intend
from portico.customer import Customer
from portico.errors import CartChanged, IdempotencyKeyReused, NotEligible
from portico.orders.cart import CartLine, PricedCart, price, read_cart
from portico.orders.placements import (
    LOOK_AFTER_SECONDS,
    Ordered,
    OrderedLine,
    Placement,
    as_placement,
    finish,
    look_after,
    placement_for,
    placement_of,
)
from portico.portal import Portal
from portico.systems.salesforce.orders import NewOrder, NewOrderItem, ShippingAddress
from portico.systems.whmcs.clients import Client

__all__ = ["Placement", "ShippingAddress", "place_order", "placement_for", "shipping_address"]

KIND = "sf_order"

PLACE = text("""
    INSERT INTO placements (id, user_id, sf_account_id, creation_id, request_hash, idempotency_key, created_at)
    VALUES (:id, :user_id, :account_id, :creation_id, :request_hash, :idempotency_key, :now)
""")
BY_IDEMPOTENCY_KEY = text("SELECT * FROM placements WHERE user_id = :user_id AND idempotency_key = :key")


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
    asked = _Asked(checkout_key, idempotency_key, _hash(checkout_key, seen, address))
    placement = await _earlier(portal, customer, asked)
    if placement is None:
        try:
            order, cart = await _checked_order(portal, customer, checkout_key, seen, address)
            placement = await _intend(portal, customer, order, cart, asked)
        except CartChanged:
            # Perhaps because the same click, sent twice, has got its order meanwhile.
            placement = await _earlier(portal, customer, asked)
            if placement is None:
                raise
    return await finish(portal, customer, placement)


@dataclass(frozen=True)
class _Asked:
    """By what a click, tab or try is recognized as an earlier one's."""

    checkout_key: UUID | None
    idempotency_key: str | None
    request_hash: str


async def _earlier(portal: Portal, customer: Customer, asked: _Asked) -> Placement | None:
    """What an earlier click, tab or try has begun. Raises IdempotencyKeyReused."""
    async with portal.db.begin() as tx:
        placement = await _by_idempotency_key(tx, customer, asked)
        if placement is None and asked.checkout_key is not None:
            placement = await placement_of(tx, asked.checkout_key, customer.user_id)
    return placement


async def _by_idempotency_key(tx: AsyncConnection, customer: Customer, asked: _Asked) -> Placement | None:
    if asked.idempotency_key is None:
        return None
    values = {"user_id": customer.user_id, "key": asked.idempotency_key}
    row = (await tx.execute(BY_IDEMPOTENCY_KEY, values)).mappings().first()
    if row is not None and row["request_hash"] != asked.request_hash:
        raise IdempotencyKeyReused()
    return as_placement(row) if row else None


async def _checked_order(
    portal: Portal, customer: Customer, checkout_key: UUID | None, seen: str | None, address: ShippingAddress | None
) -> tuple[NewOrder, PricedCart]:
    """Everything that can be refused is refused here, before anything is written anywhere."""
    offers, _, profile = await asyncio.gather(
        offers_for(portal, customer), must_have_payment_method(portal, customer), profile_of(portal, customer)
    )
    async with portal.db.begin() as tx:
        cart = price(portal, customer, await read_cart(tx, portal, customer), offers)
    if checkout_key not in (None, cart.checkout_key) or seen not in (None, cart.digest) or not cart.lines:
        raise CartChanged()
    if not cart.is_orderable:
        raise NotEligible(", ".join(line.item.sku for line in cart.lines if line.problem))
    home = shipping_address(profile.value)
    return _new_order(portal, customer, cart, address or home, changed=address not in (None, home)), cart


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


def _ordered(cart: PricedCart) -> Ordered:
    lines = [
        OrderedLine(
            line.offer.product.name, line.item.quantity, str(line.net), line.offer.product.billing_cycle == "Monthly"
        )
        for line in cart.lines
        if line.offer
    ]
    monthly, one_time = (str(part.gross) if part.net.amount else "" for part in (cart.sums.monthly, cart.sums.one_time))
    return Ordered([line.item for line in cart.lines], lines, monthly, one_time)


async def _intend(portal: Portal, customer: Customer, order: NewOrder, cart: PricedCart, asked: _Asked) -> Placement:
    """From here on the order comes, whatever happens to this process. A parallel click waits here for the cart."""
    key, now = cart.checkout_key, portal.clock.now()
    request = {**msgspec.to_builtins(order), **msgspec.to_builtins(_ordered(cart))}
    async with portal.db.begin() as tx:
        held = await read_cart(tx, portal, customer)
        quicker = await _by_idempotency_key(tx, customer, asked) or await placement_of(tx, key, customer.user_id)
        if quicker is not None:
            return quicker
        if held.checkout_key != key:
            raise CartChanged()
        creation = await intend(tx, portal.clock, KIND, str(key), request, owner_id=customer.user_id)
        values = {
            "id": key,
            "user_id": customer.user_id,
            "account_id": customer.sf_account_id,
            "creation_id": creation.id,
            "request_hash": asked.request_hash,
            "idempotency_key": asked.idempotency_key,
            "now": now,
        }
        await tx.execute(PLACE, values)
        await look_after(tx, key, customer.user_id, in_seconds=LOOK_AFTER_SECONDS)
    return Placement(key, customer.user_id, creation.id, asked.request_hash, None)


def shipping_address(profile: Client) -> ShippingAddress:
    """The profile's address as an order holds it: a snapshot, so that a later move does not change the order."""
    home = profile.address
    street = "\n".join(part for part in (home.street, home.street2) if part)
    return ShippingAddress(street, home.city, home.state, home.postal_code, home.country)


def _hash(checkout_key: UUID | None, seen: str | None, address: ShippingAddress | None) -> str:
    return hashlib.sha256(repr((checkout_key, seen, address)).encode()).hexdigest()
