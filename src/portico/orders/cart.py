"""The cart: kept in Postgres, so that it survives the detour to WHMCS, a new device and the loss of Redis."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.catalog.products import Offer, Offers, offers_for
from portico.customer import Customer
from portico.errors import CartChanged, FieldFault, InputWrong, NotFound
from portico.i18n import Message, _m
from portico.money import Money
from portico.orders.totals import Sums, sums_of
from portico.portal import Portal
from portico.systems.salesforce.catalog import Product

MOST_ITEMS = 20
MOST_OF_ONE = 9
EID = re.compile(r"[0-9]{32}")
BETWEEN_DIGITS = re.compile(r"[\s\u2010-\u2015\u2212\u30fc-]")
"""What people type between groups of digits: spaces, and every dash that a keyboard offers."""

SELECT = text("SELECT items, version, checkout_key FROM carts WHERE user_id = :user_id")
HOLD = text("SELECT items, version, checkout_key FROM carts WHERE user_id = :user_id FOR UPDATE")
MAKE = text("""
    INSERT INTO carts (user_id, items, version, checkout_key, updated_at)
    VALUES (:user_id, '[]', 0, :checkout_key, :now) ON CONFLICT (user_id) DO NOTHING
""")
WRITE = text("""
    UPDATE carts SET items = CAST(:items AS jsonb), version = version + 1, updated_at = :now WHERE user_id = :user_id
""")
NEW_KEY = text("UPDATE carts SET checkout_key = :key WHERE user_id = :user_id")


class CartItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the customer chose. `eid`: the 32 digits of the phone's eSIM chip, for eSIM plans."""

    sku: str
    quantity: int = 1
    eid: str = ""


@dataclass(frozen=True)
class Cart:
    items: tuple[CartItem, ...]
    checkout_key: UUID

    @property
    def count(self) -> int:
        return sum(item.quantity for item in self.items)


@dataclass(frozen=True)
class CartLine:
    id: str
    """Names it for its removal, among the lines that this customer has now."""
    item: CartItem
    offer: Offer | None
    """None: no longer for this customer, or gone from the catalog."""
    problem: Message | None

    @property
    def net(self) -> Money | None:
        return self.offer.product.price * self.item.quantity if self.offer else None


@dataclass(frozen=True)
class PricedCart:
    lines: tuple[CartLine, ...]
    sums: Sums
    checkout_key: UUID
    digest: str
    """Of everything that the customer sees and agrees to: items, prices, options."""
    as_of: datetime
    """Of the oldest of the copies that the prices come from; the lines are our own, and live."""

    @property
    def is_orderable(self) -> bool:
        return bool(self.lines) and all(line.problem is None for line in self.lines)

    @property
    def count(self) -> int:
        return sum(line.item.quantity for line in self.lines)


NOT_FOR_YOU = _m("This product is not available for your account. Remove it to go on.")
SOLD_OUT = _m("This product is not available at the moment. Remove it, or come back later.")
EID_WRONG = _m("Enter the EID of your phone: 32 digits. You find it under Settings, About, or by dialing *#06#.")
NEEDS_PLAN = _m("This belongs to a plan that is not in your cart. Remove it to go on.")
CLASHES = _m("This can not be ordered together with another product in your cart. Remove one of them.")
NEEDS_OTHER = _m("This needs %(name)s as well. Remove it and add it again.")


async def cart_of(portal: Portal, customer: Customer) -> Cart:
    async with portal.db.begin() as tx:
        return await read_cart(tx, portal, customer)


async def priced_cart(portal: Portal, customer: Customer) -> PricedCart:
    """The cart with today's prices and what stands in the way of ordering it."""
    cart = await cart_of(portal, customer)
    return price(portal, customer, cart, await offers_for(portal, customer))


async def add_to_cart(portal: Portal, customer: Customer, sku: str, *, eid: str = "") -> Cart:
    """Adds one, and what it requires (the activation fee). Raises NotFound, InputWrong."""
    offers = await offers_for(portal, customer)
    offer = offers.of(sku)
    item = CartItem(sku, 1, _eid(offer, eid, "/eid"))
    if not offer.can_be_ordered:
        raise InputWrong(FieldFault("/sku", SOLD_OUT))
    async with portal.db.begin() as tx:
        cart = await read_cart(tx, portal, customer)
        items = [*cart.items, item]
        return await _change(tx, portal, customer, cart, [*items, *_missing(offers, items, offer.required)])


async def remove_from_cart(portal: Portal, customer: Customer, line: str) -> Cart:
    """Removes the line of this id, and what only it required; one that has gone already is no fault, so that whoever
    got no answer may press again. Raises NotFound for what is no line of theirs, CartChanged.
    """
    if not line.startswith(_mark(customer)):
        raise NotFound("cart line")
    cart = await cart_of(portal, customer)
    if _position(customer, cart, line) is None:
        return cart
    offers = await offers_for(portal, customer)
    async with portal.db.begin() as tx:
        cart = await read_cart(tx, portal, customer)
        position = _position(customer, cart, line)
        if position is None:
            return cart
        items = list(cart.items)
        gone = items.pop(position)
        return await _change(tx, portal, customer, cart, _without_orphans(offers, items, gone))


async def put_cart(portal: Portal, customer: Customer, items: Sequence[CartItem]) -> None:
    """Replaces all lines; required products are added where missing. Raises InputWrong with every fault."""
    offers = await offers_for(portal, customer)
    faults: list[FieldFault] = []
    checked = [_checked(offers, item, f"/items/{at}", faults) for at, item in enumerate(items)]
    if faults:
        raise InputWrong(*faults)
    required = {offer.required.sku: offer.required for item in checked if (offer := offers.of(item.sku)).required}
    for product in required.values():
        checked += _missing(offers, checked, product)
    async with portal.db.begin() as tx:
        await read_cart(tx, portal, customer)
        await _write(tx, portal, customer, checked)


async def read_cart(tx: AsyncConnection, portal: Portal, customer: Customer, *, hold: bool = True) -> Cart:
    """Makes an empty cart where there is none; `hold` locks it for this transaction."""
    values = {"user_id": customer.user_id, "checkout_key": uuid4(), "now": portal.clock.now()}
    await tx.execute(MAKE, values)
    row = (await tx.execute(HOLD if hold else SELECT, {"user_id": customer.user_id})).mappings().one()
    return Cart(tuple(msgspec.convert(row["items"], list[CartItem])), row["checkout_key"])


async def take_out(
    tx: AsyncConnection, portal: Portal, customer: Customer, key: UUID, ordered: Iterable[CartItem]
) -> None:
    """After the order: what was ordered leaves the cart, what was put in since stays. Only where `key` is still its
    key; it gets a new one, so that the next order is another.
    """
    cart = await read_cart(tx, portal, customer)
    if cart.checkout_key != key:
        return
    left = list(cart.items)
    for item in ordered:
        if item in left:
            left.remove(item)
    await _write(tx, portal, customer, left)
    await tx.execute(NEW_KEY, {"user_id": customer.user_id, "key": uuid4()})


def price(portal: Portal, customer: Customer, cart: Cart, offers: Offers) -> PricedCart:
    by_sku = {offer.product.sku: offer for offer in offers.items}
    lines = tuple(
        CartLine(
            _line_id(customer, cart, item),
            item,
            by_sku.get(item.sku),
            _problem(item, by_sku.get(item.sku), cart.items, offers),
        )
        for item in cart.items
    )
    seen = [(line.item.sku, line.item.quantity, line.item.eid, str(line.net)) for line in lines]
    return PricedCart(
        lines,
        sums_of(portal, [(line.offer.product.billing_cycle, line.net) for line in lines if line.offer and line.net]),
        cart.checkout_key,
        _digest(cart.checkout_key, seen)[:32],
        offers.as_of,
    )


def _line_id(customer: Customer, cart: Cart, item: CartItem) -> str:
    """By what it is, not by where it stands: other lines may come and go. Lines that are alike share one id, which
    says how many there are, so that of a removal that comes twice the second finds nothing to do.
    """
    return f"{_kind(customer, cart, item)}-{cart.items.count(item)}"


def _kind(customer: Customer, cart: Cart, item: CartItem) -> str:
    return _mark(customer) + _digest(cart.checkout_key, item.sku, item.quantity, item.eid)[:16]


def _mark(customer: Customer) -> str:
    """Begins the id of every line that this customer ever had."""
    return f"{_digest(customer.user_id)[:8]}-"


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _position(customer: Customer, cart: Cart, line: str) -> int | None:
    """Where the line stands; None: it has gone. Raises CartChanged where there are more like it than were seen."""
    kind, _, seen = line.rpartition("-")
    alike = [at for at, item in enumerate(cart.items) if _kind(customer, cart, item) == kind]
    if not alike or str(len(alike)) == seen:
        return alike[0] if alike else None
    if seen.isascii() and seen.isdigit() and len(alike) < int(seen[:9]):
        return None
    raise CartChanged()


def _problem(item: CartItem, offer: Offer | None, items: Sequence[CartItem], offers: Offers) -> Message | None:
    if offer is None:
        return NOT_FOR_YOU
    product, held = offer.product, _held(items)
    if not offer.can_be_ordered:
        return SOLD_OUT
    if held[product.excludes_sku]:
        return CLASHES
    if offer.required is not None and held[offer.required.sku] < _wanted(offers, items, offer.required):
        return NEEDS_OTHER(name=offer.required.name)
    if product.sim_kind == "eSIM" and not EID.fullmatch(item.eid):
        return EID_WRONG
    if product.item_class == "Activation" and _requiring(offers, product) and not _wanted(offers, items, product):
        return NEEDS_PLAN
    return None


def _checked(offers: Offers, item: CartItem, at: str, faults: list[FieldFault]) -> CartItem:
    """The item as it is kept; what is wrong with it is added to `faults`."""
    try:
        offer = offers.of(item.sku)
    except NotFound:
        faults.append(FieldFault(f"{at}/sku", NOT_FOR_YOU))
        return item
    if not offer.can_be_ordered:
        faults.append(FieldFault(f"{at}/sku", SOLD_OUT))
    most = 1 if offer.product.sim_kind else MOST_OF_ONE
    if not 1 <= item.quantity <= most:
        faults.append(FieldFault(f"{at}/quantity", _m("Choose a quantity from 1 to %(most)s.")(most=most)))
    try:
        return CartItem(item.sku, item.quantity, _eid(offer, item.eid, f"{at}/options/eid"))
    except InputWrong as wrong:
        faults.extend(wrong.faults)
        return item


def _eid(offer: Offer, given: str, pointer: str) -> str:
    if offer.product.sim_kind != "eSIM":
        return ""
    eid = BETWEEN_DIGITS.sub("", unicodedata.normalize("NFKC", given))
    if not EID.fullmatch(eid):
        raise InputWrong(FieldFault(pointer, EID_WRONG))
    return eid


def _missing(offers: Offers, items: Sequence[CartItem], product: Product | None) -> list[CartItem]:
    """What is lacking of a required product."""
    if product is None:
        return []
    return [CartItem(product.sku)] * (_wanted(offers, items, product) - _held(items)[product.sku])


def _without_orphans(offers: Offers, items: list[CartItem], gone: CartItem) -> list[CartItem]:
    """A fee whose plan has gone goes too, and no more than that: two plans have two fees."""
    product = next((offer.required for offer in offers.items if offer.product.sku == gone.sku), None)
    if product is None:
        return items
    wanted = _wanted(offers, items, product)
    surplus = min(_held(items)[product.sku] - wanted, _wanted(offers, [*items, gone], product) - wanted)
    kept: list[CartItem] = []
    for item in reversed(items):
        if item.sku == product.sku and 0 < item.quantity <= surplus:
            surplus -= item.quantity
        else:
            kept.insert(0, item)
    return kept


def _wanted(offers: Offers, items: Iterable[CartItem], product: Product) -> int:
    """How many the items require: an activation fee each, but one installation, whatever hangs on it."""
    requiring = _requiring(offers, product)
    count = sum(item.quantity for item in items if item.sku in requiring)
    return count if product.item_class == "Activation" else min(count, 1)


def _requiring(offers: Offers, product: Product) -> set[str]:
    return {o.product.sku for o in offers.items if o.required is not None and o.required.sku == product.sku}


def _held(items: Iterable[CartItem]) -> Counter[str]:
    held: Counter[str] = Counter()
    for item in items:
        held[item.sku] += item.quantity
    return held


async def _change(
    tx: AsyncConnection, portal: Portal, customer: Customer, cart: Cart, items: Sequence[CartItem]
) -> Cart:
    await _write(tx, portal, customer, items)
    return replace(cart, items=tuple(items))


async def _write(tx: AsyncConnection, portal: Portal, customer: Customer, items: Sequence[CartItem]) -> None:
    if len(items) > MOST_ITEMS:
        raise InputWrong(FieldFault("/items", _m("A cart holds at most %(most)s products.")(most=MOST_ITEMS)))
    values: dict[str, Any] = {"items": msgspec.json.encode(list(items)).decode(), "now": portal.clock.now()}
    await tx.execute(WRITE, {**values, "user_id": customer.user_id})
