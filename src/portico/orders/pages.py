"""`/cart`, `/checkout`, `/orders`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post

from portico.billing.payment_methods import must_have_payment_method
from portico.billing.profile import profile_of
from portico.catalog.pages import show_product
from portico.errors import (
    CartChanged,
    InputWrong,
    NotEligible,
    NotFound,
    PaymentMethodMissing,
    StillRunning,
    Trouble,
)
from portico.i18n import Message, _m
from portico.orders.cart import Cart, add_to_cart, priced_cart, remove_from_cart
from portico.orders.checkout import place_order, placement_for, shipping_address
from portico.orders.installs import code_was_shown, qr_code
from portico.orders.orders import order_with_journal, orders_with_journals
from portico.orders.progress import progress_of, status_of
from portico.orders.timeline import CANCELLED, is_being_cancelled, is_cancelled_by_customer
from portico.orders.totals import sums_of_order
from portico.portal import Portal
from portico.web import Form, paging, read_form, redirect, render, show_cart_count

ADDED = _m("Added to your cart.")
REMOVED = _m("Removed from your cart.")
CHANGED = _m("Your cart has changed meanwhile. Look at it again, then remove what you do not want.")
PLACED = _m("Thank you. We have received your order.")


@get("/cart", access="customer", include_in_schema=False)
async def cart_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    try:
        cart = await priced_cart(portal, request.user.customer)
    except Trouble:
        return render(request, "orders/cart.html", cart=None)
    answer = render(request, "orders/cart.html", cart=cart)
    show_cart_count(request, answer, cart.count)
    return answer


@post("/cart/items", access="customer", include_in_schema=False, status_code=303)
async def add_item(request: Request[Any, Any, Any]) -> Response[bytes]:
    form = await read_form(request)
    portal: Portal = request.app.state.portal
    sku = form.text("sku", most=80)
    try:
        cart = await add_to_cart(portal, request.user.customer, sku, eid=form.text("eid", most=100))
    except InputWrong as wrong:
        return await show_product(request, sku, form.refused(wrong))
    return _to_cart(request, cart, ADDED)


@post("/cart/items/{line:str}/removal", access="customer", ids={"line": "own cart line"}, status_code=303,
      include_in_schema=False)  # fmt: skip
async def remove_item(request: Request[Any, Any, Any], line: str) -> Response[bytes]:
    try:
        cart = await remove_from_cart(request.app.state.portal, request.user.customer, line)
    except CartChanged:
        return redirect(request, "/cart", CHANGED, "info")
    return _to_cart(request, cart, REMOVED)


@get("/checkout", access="customer", include_in_schema=False)
async def checkout_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return await _show_checkout(request, Form())


@post("/checkout", access="customer", include_in_schema=False, status_code=303)
async def check_out(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Places the order that the page showed; a second click or a reload comes to the same order."""
    form = await read_form(request)
    portal: Portal = request.app.state.portal
    try:
        key = UUID(form.text("checkout_key", most=40))
    except ValueError:
        raise CartChanged() from None
    try:
        placed = await place_order(portal, request.user.customer, checkout_key=key, seen=form.text("seen", most=64))
    except (PaymentMethodMissing, NotEligible, CartChanged) as refusal:
        return await _show_checkout(request, form.refused(refusal))
    except StillRunning:
        return redirect(request, f"/orders/pending-{key}")
    answer = redirect(request, f"/orders/{placed.order_id}", PLACED)
    show_cart_count(request, answer, 0)
    return answer


@get("/orders", access="customer", include_in_schema=False)
async def orders_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    try:
        known, as_of = await orders_with_journals(request.app.state.portal, request.user.customer)
    except Trouble:
        return render(request, "orders/orders.html", rows=None, where=None, as_of_time=None)
    where = paging(request, len(known))
    shown = known[where.offset : where.offset + where.size]
    rows = [(one.order, status_of(one.order, one.journal)) for one in shown]
    return render(request, "orders/orders.html", rows=rows, where=where, as_of_time=as_of)


@get("/orders/{order_id:str}", access="customer", ids={"order_id": "order"}, include_in_schema=False)
async def order_page(request: Request[Any, Any, Any], order_id: str) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    if order_id.startswith("pending-"):
        return await _pending_page(request, order_id.removeprefix("pending-"))
    known = await order_with_journal(portal, request.user.customer, order_id)
    progress = progress_of(known, portal.settings.freebit.smdp_address)
    steps = known.journal.steps
    return render(
        request,
        "orders/order.html",
        order=known.order,
        sums=sums_of_order(portal, known.order),
        progress=progress,
        as_of_time=known.as_of,
        cancellable=known.order.stage == "in_review" and known.journal.state is None and CANCELLED not in steps,
        being_cancelled=is_being_cancelled(steps),
        cancelled_by_customer=is_cancelled_by_customer(steps),
    )


@post("/orders/{order_id:str}/install", access="customer", ids={"order_id": "order"}, include_in_schema=False,
      status_code=200)  # fmt: skip
async def install_page(request: Request[Any, Any, Any], order_id: str) -> Response[bytes]:
    """The install data is a bearer secret: shown on a click, on a page that is never kept."""
    portal: Portal = request.app.state.portal
    known = await order_with_journal(portal, request.user.customer, order_id)
    installs = progress_of(known, portal.settings.freebit.smdp_address).installs
    if not installs:
        raise NotFound("nothing to install")
    shown = [(install, qr_code(install.lpa)) for install in installs]
    await code_was_shown(portal, known.order.id)
    return render(request, "orders/install.html", order=known.order, installs=shown)


async def _pending_page(request: Request[Any, Any, Any], placement_id: str) -> Response[bytes]:
    """An order whose outcome is not known yet; once it is, the address leads to it."""
    try:
        placement = await placement_for(request.app.state.portal, request.user.customer, UUID(placement_id))
    except ValueError:
        raise NotFound("placement") from None
    if placement.order_id is not None:
        return redirect(request, f"/orders/{placement.order_id}")
    return render(request, "orders/pending.html", status=202)


async def _show_checkout(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    customer = request.user.customer
    cart = await priced_cart(portal, customer)
    if not cart.lines and not form.refusal:
        return redirect(request, "/cart")
    profile = await profile_of(portal, customer)
    try:
        methods = await must_have_payment_method(portal, customer)
    except PaymentMethodMissing:
        methods = []
    return render(
        request,
        "orders/checkout.html",
        cart=cart,
        profile=profile.value,
        address=shipping_address(profile.value),
        form=form,
        methods=methods,
    )


def _to_cart(request: Request[Any, Any, Any], cart: Cart, sentence: Message) -> Response[bytes]:
    """Without the prices: what was done is done, also where they can not be read just now."""
    answer = redirect(request, "/cart", sentence)
    show_cart_count(request, answer, cart.count)
    return answer
