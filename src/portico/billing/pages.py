"""`/billing`: invoices, payment methods, and the hand-offs to WHMCS."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post

from portico.billing.hand_offs import pay_link, payment_methods_link
from portico.billing.invoices import invoice_for, invoices_of
from portico.billing.payment_methods import came_back, payment_methods_of, today
from portico.billing.words import INVOICE_WORDS, invoice_words
from portico.errors import Trouble
from portico.i18n import _m
from portico.portal import Portal
from portico.web import hand_off, own_path, paging, read_form, redirect, render
from portico.web.cookies import cookie, cookie_name

BACK = "back-to"
BACK_SECONDS = 1800
WELCOME_BACK = _m("Welcome back. What you changed at our billing site shows here now.")


@get("/billing", access="customer", include_in_schema=False)
async def invoices_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    chosen = request.query_params.get("status", "")
    chosen = chosen if chosen in INVOICE_WORDS else ""
    try:
        copy = await invoices_of(portal, request.user.customer)
    except Trouble:
        return render(request, "billing/invoices.html", rows=None, chosen=chosen, states=[])
    matching = [row for row in copy.value if chosen in ("", row.status)]
    where = paging(request, len(matching))
    shown = matching[where.offset : where.offset + where.size]
    present = [state for state in INVOICE_WORDS if any(row.status == state for row in copy.value)]
    return render(
        request,
        "billing/invoices.html",
        rows=[(row, *invoice_words(row, today(portal))) for row in shown],
        where=where,
        chosen=chosen,
        states=[(state, INVOICE_WORDS[state][0]) for state in present],
        as_of_time=copy.as_of,
    )


@get("/billing/invoices/{invoice_id:int}", access="customer", ids={"invoice_id": "invoice"}, include_in_schema=False)
async def invoice_page(request: Request[Any, Any, Any], invoice_id: int) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    copy = await invoice_for(portal, request.user.customer, invoice_id)
    words, tone = invoice_words(copy.value, today(portal))
    return render(request, "billing/invoice.html", invoice=copy.value, words=words, tone=tone, as_of_time=copy.as_of)


@post("/billing/invoices/{invoice_id:int}/pay", access="customer", ids={"invoice_id": "invoice"}, status_code=303,
      include_in_schema=False)  # fmt: skip
async def pay(request: Request[Any, Any, Any], invoice_id: int) -> Response[bytes]:
    """Straight to that invoice inside WHMCS, by a link made on this click."""
    link = await pay_link(request.app.state.portal, request.user.customer, invoice_id)
    return _leaving(request, hand_off(link.url), f"/billing/invoices/{invoice_id}")


@get("/billing/payment-methods", access="customer", include_in_schema=False)
async def payment_methods_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    try:
        copy = await payment_methods_of(portal, request.user.customer)
    except Trouble:
        return render(request, "billing/payment_methods.html", methods=None)
    methods = [(method, method.is_usable(today(portal))) for method in copy.value]
    return render(request, "billing/payment_methods.html", methods=methods, as_of_time=copy.as_of)


@post("/billing/payment-methods/manage", access="customer", status_code=303, include_in_schema=False)
async def manage_payment_methods(request: Request[Any, Any, Any]) -> Response[bytes]:
    form = await read_form(request)
    link = await payment_methods_link(request.app.state.portal, request.user.customer)
    return _leaving(request, hand_off(link.url), own_path(form.text("next")) or "/billing/payment-methods")


@get("/billing/return", access="customer", include_in_schema=False)
async def return_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Where WHMCS' pages send the customer: back to what they came from, with everything read anew."""
    portal: Portal = request.app.state.portal
    await came_back(portal, request.user.customer)
    name = cookie_name(portal.settings, BACK)
    answer = redirect(request, own_path(request.cookies.get(name, "")) or "/billing", WELCOME_BACK, "info")
    answer.set_cookie(cookie(portal.settings, BACK, "", 0))
    return answer


def _leaving(request: Request[Any, Any, Any], answer: Response[bytes], back_to: str) -> Response[bytes]:
    """Remembers the page to come back to; without the cookie (another device) it is the billing page."""
    answer.set_cookie(cookie(request.app.state.portal.settings, BACK, back_to, BACK_SECONDS))
    return answer
