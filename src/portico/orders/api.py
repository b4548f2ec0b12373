"""`/api/v1/cart`, `/api/v1/orders`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post, put
from litestar.datastructures import ResponseHeader
from litestar.params import HeaderParameter, Parameter
from litestar.response import Stream
from msgspec import Meta

from portico.catalog.products import BillingCycle
from portico.errors import (
    CartChanged,
    IdempotencyKeyMissing,
    NotEligible,
    PaymentMethodMissing,
    StillRunning,
    TooManyStreams,
)
from portico.orders.cancellation import cancel
from portico.orders.cart import CartItem, PricedCart, priced_cart, put_cart
from portico.orders.checkout import place_order
from portico.orders.live import Live, StepEvent
from portico.orders.orders import OrderWithJournal, order_for, order_with_journal, orders_with_journals
from portico.orders.progress import ProgressStep, StatusCode, StepState, progress_of, status_of
from portico.orders.refusals import OrderApproved, OrderNotCancellable, OrderNotKnownYet
from portico.orders.shipping import checked_address
from portico.orders.totals import Totals
from portico.portal import Portal
from portico.web import language, read_json
from portico.web.openapi_problems import REMOTE
from portico.web.shapes import Body, Listing, Moment, MoneyShape, RunningShape, money_shape, whole

MOST_KEY = 255
MOST_CHANGES = 10**15
EVENTS = "text/event-stream"


class OptionsShape(Body, omit_defaults=True):
    """`eid`: 32 digits, of the device that an eSIM is for."""

    eid: str = ""


class ItemIn(Body):
    """A product of the catalog; what it requires comes into the cart by itself."""

    sku: str
    quantity: Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 9})] = 1
    options: OptionsShape = msgspec.field(default_factory=OptionsShape)


class CartIn(Body):
    """The whole cart; an empty list empties it."""

    items: Annotated[list[ItemIn], Meta(extra_json_schema={"maxItems": 20})]


class ShippingAddressIn(Body):
    """`state` is the prefecture in Japan; `country` two letters."""

    street: str
    city: str
    state: str
    postal_code: str
    country: str = "JP"


class OrderIn(Body):
    """All optional: without them the cart is ordered as it is, to the address of the billing account.

    `digest` is of the cart that the customer agreed to, as GET /cart answered it: if it has changed since, nothing is
    ordered."""

    digest: str | None = None
    address: ShippingAddressIn | None = None


class CartLineOut(msgspec.Struct, frozen=True):
    """`problem` says why it can not be ordered."""

    sku: str
    name: str | None
    quantity: int
    billing_cycle: BillingCycle | None
    net: MoneyShape | None
    options: OptionsShape
    problem: str | None


class TotalsOut(msgspec.Struct, frozen=True):
    """`gross` is what is paid."""

    net: MoneyShape
    tax: MoneyShape
    gross: MoneyShape


class CartOut(msgspec.Struct, frozen=True):
    """`digest` changes with every line and every price: give it back to POST /orders. `as_of` is the prices' age; the
    lines are always as they are."""

    items: list[CartLineOut]
    monthly: TotalsOut
    one_time: TotalsOut
    orderable: bool
    digest: str
    as_of: Moment


class StepOut(msgspec.Struct, frozen=True):
    """`by` and `message` are for people, `reason_code` is stable; `fix_at` is where the customer can mend it."""

    step: str
    state: StepState
    at: Moment | None
    by: str
    reason_code: str | None
    message: str | None
    fix_at: str | None


class OrderItemOut(msgspec.Struct, frozen=True):
    """As it was ordered; `line_number` once it has one."""

    sku: str
    name: str
    quantity: int
    billing_cycle: BillingCycle | None
    unit_price: MoneyShape
    line_number: str | None


class OrderOut(msgspec.Struct, frozen=True):
    """`status_words` are for people; `total` is net. In lists `timeline` is empty."""

    id: str
    number: str
    status: StatusCode
    status_words: str
    placed_at: Moment
    total: MoneyShape
    items: list[OrderItemOut]
    timeline: list[StepOut]
    as_of: Moment


@get("/api/v1/cart", access="customer", operation_id="read_cart", summary="The cart with prices", refusals=REMOTE)
async def cart(request: Request[Any, Any, Any]) -> CartOut:
    """Kept with the account: the same on every device."""
    return _cart(request, await priced_cart(request.app.state.portal, request.user.customer))


@put(
    "/api/v1/cart",
    access="customer",
    operation_id="replace_cart",
    summary="Replace the cart",
    body=CartIn,
    refusals=REMOTE,
)
async def replace_cart(request: Request[Any, Any, Any]) -> CartOut:
    """What can not be ordered by this account is refused, each item with its pointer."""
    body = await read_json(request, CartIn)
    items = [CartItem(item.sku, item.quantity, item.options.eid) for item in body.items]
    await put_cart(request.app.state.portal, request.user.customer, items)
    return _cart(request, await priced_cart(request.app.state.portal, request.user.customer))


@post(
    "/api/v1/orders",
    access="customer",
    operation_id="place_order",
    summary="Order what is in the cart",
    body=OrderIn,
    keyed="required",
    also={202: RunningShape},
    refusals=(*REMOTE, PaymentMethodMissing, NotEligible, CartChanged, StillRunning),
    response_headers=[ResponseHeader(name="Location", description="Of the order.", documentation_only=True)],
    status_code=201,
)
async def place(request: Request[Any, Any, Any]) -> Response[OrderOut]:
    """201 with the order; 202 with an operation where its outcome is not known yet."""
    key = request.headers.get("idempotency-key", "").strip().strip('"')
    if not 0 < len(key) <= MOST_KEY:
        raise IdempotencyKeyMissing()
    body = await read_json(request, OrderIn)
    portal: Portal = request.app.state.portal
    given = body.address
    address = checked_address(msgspec.structs.asdict(given)) if given else None
    placed = await place_order(portal, request.user.customer, seen=body.digest, address=address, idempotency_key=key)
    known = await order_with_journal(portal, request.user.customer, str(placed.order_id))
    location = {"location": f"/api/v1/orders/{placed.order_id}"}
    return Response(_order(request, known), status_code=201, headers=location)


@get("/api/v1/orders", access="customer", operation_id="list_orders", summary="Orders", refusals=REMOTE)
async def orders(request: Request[Any, Any, Any]) -> Listing[OrderOut]:
    """Newest first; each without its timeline, which GET /orders/{id} has."""
    known, as_of = await orders_with_journals(request.app.state.portal, request.user.customer)
    return whole([_order(request, one, with_timeline=False) for one in known], as_of)


@get(
    "/api/v1/orders/{order_id:str}",
    access="customer",
    ids={"order_id": "order"},
    operation_id="read_order",
    summary="One order with its timeline",
    refusals=REMOTE,
)
async def order(request: Request[Any, Any, Any], order_id: str) -> OrderOut:
    """To see it change, listen to its events instead of asking again and again."""
    known = await order_with_journal(request.app.state.portal, request.user.customer, order_id)
    return _order(request, known)


@post(
    "/api/v1/orders/{order_id:str}/cancellation",
    access="customer",
    ids={"order_id": "order"},
    operation_id="cancel_order",
    summary="Cancel an order that waits for approval",
    also={202: RunningShape},
    refusals=(*REMOTE, OrderApproved, OrderNotCancellable, OrderNotKnownYet, StillRunning),
    status_code=200,
)
async def cancellation(request: Request[Any, Any, Any], order_id: str) -> OrderOut:
    """200 with it, also when it is cancelled already; 202 with an operation where the outcome is not known yet."""
    return _order(request, await cancel(request.app.state.portal, request.user.customer, order_id))


@get(
    "/api/v1/orders/{order_id:str}/events",
    access="customer",
    ids={"order_id": "order"},
    media_type=EVENTS,
    operation_id="listen_to_order",
    summary="The timeline as it happens",
    events=StepEvent,
    refusals=(*REMOTE, TooManyStreams),
)
async def order_events(
    request: Request[Any, Any, Any],
    order_id: str,
    after: Annotated[int, Parameter(ge=0, le=MOST_CHANGES, description="As Last-Event-ID, for a first call.")] = 0,
    last_event_id: Annotated[
        str, HeaderParameter(name="Last-Event-ID", description="Of the last event that came: only later ones follow.")
    ] = "",
) -> Stream:
    """The order's steps as server-sent events, the past ones first.

    Each `data` is `step`, `state`, `at` and, where it stands still, `reason_code`. The connection ends after ten
    minutes, or when the server stops: connect again."""
    portal: Portal = request.app.state.portal
    found = await order_for(portal, request.user.customer, order_id)
    if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19:
        after = int(last_event_id)
    live: Live = request.app.state.live
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    lines = live.steps(portal, request.user.user_id, found.value.id, after)
    return Stream(lines, media_type=EVENTS, headers=headers)


def _cart(request: Request[Any, Any, Any], cart: PricedCart) -> CartOut:
    spoken = language(request)
    lines = [
        CartLineOut(
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
    return CartOut(
        lines, _totals(cart.sums.monthly), _totals(cart.sums.one_time), cart.is_orderable, cart.digest, cart.as_of
    )


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
