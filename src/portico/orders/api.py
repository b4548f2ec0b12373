"""`/api/v1/cart`, `/api/v1/orders`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, get, post, put
from litestar.response import Stream

from portico.errors import IdempotencyKeyMissing
from portico.orders.cancellation import cancel
from portico.orders.cart import CartItem, PricedCart, Totals, priced_cart, put_cart
from portico.orders.checkout import ShippingAddress, place_order
from portico.orders.live import Live
from portico.orders.orders import OrderWithJournal, order_for, order_with_journal, orders_with_journals
from portico.orders.progress import ProgressStep, progress_of, status_of
from portico.portal import Portal
from portico.web import language, read_json
from portico.web.shapes import Listing, MoneyShape, money_shape, whole

MOST_KEY = 255
EVENTS = "text/event-stream"


class OptionsShape(msgspec.Struct, omit_defaults=True):
    eid: str = ""


class ItemIn(msgspec.Struct):
    sku: str
    quantity: int = 1
    options: OptionsShape = msgspec.field(default_factory=OptionsShape)


class CartIn(msgspec.Struct):
    items: list[ItemIn]


class AddressIn(msgspec.Struct):
    street: str
    city: str
    state: str
    postal_code: str
    country: str = "JP"


class OrderIn(msgspec.Struct):
    """All optional: without them the cart is ordered as it is, to the address of the billing account."""

    digest: str | None = None
    """Of the cart that the customer agreed to, as GET /cart answered it."""
    address: AddressIn | None = None


class LineOut(msgspec.Struct, frozen=True):
    sku: str
    name: str | None
    quantity: int
    billing_cycle: str | None
    net: MoneyShape | None
    options: OptionsShape
    problem: str | None


class TotalsOut(msgspec.Struct, frozen=True):
    net: MoneyShape
    tax: MoneyShape
    gross: MoneyShape


class CartOut(msgspec.Struct, frozen=True):
    items: list[LineOut]
    monthly: TotalsOut
    one_time: TotalsOut
    orderable: bool
    digest: str


class StepOut(msgspec.Struct, frozen=True):
    step: str
    state: str
    at: datetime | None
    by: str
    reason_code: str | None
    message: str | None
    fix_at: str | None


class OrderItemOut(msgspec.Struct, frozen=True):
    sku: str
    name: str
    quantity: int
    billing_cycle: str | None
    unit_price: MoneyShape
    line_number: str | None


class OrderOut(msgspec.Struct, frozen=True):
    id: str
    number: str
    status: str
    status_words: str
    placed_at: datetime
    total: MoneyShape
    items: list[OrderItemOut]
    timeline: list[StepOut]
    as_of: datetime


@get("/api/v1/cart", access="customer")
async def cart(request: Request[Any, Any, Any]) -> CartOut:
    return _cart(request, await priced_cart(request.app.state.portal, request.user.customer))


@put("/api/v1/cart", access="customer")
async def replace_cart(request: Request[Any, Any, Any]) -> CartOut:
    body = await read_json(request, CartIn)
    items = [CartItem(item.sku, item.quantity, item.options.eid) for item in body.items]
    await put_cart(request.app.state.portal, request.user.customer, items)
    return _cart(request, await priced_cart(request.app.state.portal, request.user.customer))


@post("/api/v1/orders", access="customer", status_code=201)
async def place(request: Request[Any, Any, Any]) -> Response[OrderOut]:
    """201 with the order; 202 with an operation where its outcome is not known yet."""
    key = request.headers.get("idempotency-key", "").strip().strip('"')
    if not 0 < len(key) <= MOST_KEY:
        raise IdempotencyKeyMissing()
    body = await read_json(request, OrderIn)
    portal: Portal = request.app.state.portal
    given = body.address
    address = ShippingAddress(**msgspec.structs.asdict(given)) if given else None
    placed = await place_order(portal, request.user.customer, seen=body.digest, address=address, idempotency_key=key)
    known = await order_with_journal(portal, request.user.customer, str(placed.order_id))
    location = {"location": f"/api/v1/orders/{placed.order_id}"}
    return Response(_order(request, known), status_code=201, headers=location)


@get("/api/v1/orders", access="customer")
async def orders(request: Request[Any, Any, Any]) -> Listing[OrderOut]:
    """Newest first; each without its timeline, which GET /orders/{id} has."""
    known, as_of = await orders_with_journals(request.app.state.portal, request.user.customer)
    return whole([_order(request, one, with_timeline=False) for one in known], as_of)


@get("/api/v1/orders/{order_id:str}", access="customer", ids={"order_id": "order"})
async def order(request: Request[Any, Any, Any], order_id: str) -> OrderOut:
    known = await order_with_journal(request.app.state.portal, request.user.customer, order_id)
    return _order(request, known)


@post("/api/v1/orders/{order_id:str}/cancellation", access="customer", ids={"order_id": "order"}, status_code=200)
async def cancellation(request: Request[Any, Any, Any], order_id: str) -> OrderOut:
    """Cancels an order that waits for approval: 200 with it, also when it is cancelled already; 409
    `order_approved`; 202 with an operation where the outcome is not known yet."""
    return _order(request, await cancel(request.app.state.portal, request.user.customer, order_id))


@get("/api/v1/orders/{order_id:str}/events", access="customer", ids={"order_id": "order"}, media_type=EVENTS)
async def order_events(request: Request[Any, Any, Any], order_id: str) -> Stream:
    """The order's steps as server-sent events; `Last-Event-ID`, or `?after=` at the first call, resumes."""
    portal: Portal = request.app.state.portal
    found = await order_for(portal, request.user.customer, order_id)
    last = request.headers.get("last-event-id") or request.query_params.get("after") or ""
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0
    live: Live = request.app.state.live
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    lines = live.steps(portal, request.user.user_id, found.value.id, after)
    return Stream(lines, media_type=EVENTS, headers=headers)


def _cart(request: Request[Any, Any, Any], cart: PricedCart) -> CartOut:
    spoken = language(request)
    lines = [
        LineOut(
            sku=line.item.sku,
            name=line.offer.product.name if line.offer else None,
            quantity=line.item.quantity,
            billing_cycle=line.offer.product.billing_cycle if line.offer else None,
            net=money_shape(line.net) if line.net else None,
            options=OptionsShape(line.item.eid),
            problem=line.problem.in_language(spoken) if line.problem else None,
        )
        for line in cart.lines
    ]
    return CartOut(lines, _totals(cart.monthly), _totals(cart.one_time), cart.is_orderable, cart.digest)


def _totals(totals: Totals) -> TotalsOut:
    return TotalsOut(money_shape(totals.net), money_shape(totals.tax), money_shape(totals.gross))


def _order(request: Request[Any, Any, Any], known: OrderWithJournal, *, with_timeline: bool = True) -> OrderOut:
    portal: Portal = request.app.state.portal
    order, spoken = known.order, language(request)
    status = status_of(order, known.journal)
    steps = progress_of(known, portal.settings.freebit.smdp_address).steps if with_timeline else []
    return OrderOut(
        id=order.id,
        number=order.number,
        status=status.code,
        status_words=status.words.in_language(spoken),
        placed_at=order.created_at,
        total=money_shape(order.total),
        items=[
            OrderItemOut(
                item.sku,
                item.product_name,
                int(item.quantity),
                item.billing_cycle,
                money_shape(item.unit_price),
                item.line_number,
            )
            for item in order.items
        ],
        timeline=[_step(step, spoken) for step in steps],
        as_of=known.as_of,
    )


def _step(step: ProgressStep, spoken: str) -> StepOut:
    return StepOut(
        step=step.step,
        state=step.state,
        at=step.at,
        by=step.by.in_language(spoken),
        reason_code=step.reason_code,
        message=step.message.in_language(spoken) if step.message else None,
        fix_at=step.fix_at,
    )
