"""`/billing`: invoices, payment methods, and the hand-offs to WHMCS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from litestar import Request, Response, get, post

from portico.billing.hand_offs import HandOff, pay_link, payment_methods_link
from portico.billing.invoices import invoice_for, invoices_of
from portico.billing.listing import Choice, chosen, present
from portico.billing.payment_methods import gateway_names, payment_methods_of, today
from portico.billing.profile import credit_of
from portico.billing.returns import is_good, left_by, packed, unpacked, what_changed
from portico.billing.words import INVOICE_WORDS, METHOD_WORDS, invoice_words, method_state
from portico.errors import Trouble
from portico.portal import Portal
from portico.web import hand_off, own_path, paging, read_form, redirect, render
from portico.web.cookies import cookie, cookie_name

T = TypeVar("T")

LEFT = "left"
LEFT_SECONDS = 1800


@get("/billing", access="customer", include_in_schema=False)
async def invoices_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    choice, day, customer = Choice.read(request.query_params), today(portal), request.user.customer
    copy, credit = await asyncio.gather(_or_none(invoices_of(portal, customer)), credit_of(portal, customer))
    if copy is None:
        return render(request, "billing/invoices.html", rows=None, credit=credit)
    found = chosen(copy.value, choice, day)
    where = paging(request, len(found))
    shown = found[where.offset : where.offset + where.size]
    return render(
        request,
        "billing/invoices.html",
        rows=[(row, *invoice_words(row, day)) for row in shown],
        where=where,
        choice=choice,
        states=[(state, INVOICE_WORDS[state][0]) for state in present(copy.value, day)],
        credit=credit,
        as_of_time=copy.as_of,
    )


@get("/billing/invoices/{invoice_id:int}", access="customer", ids={"invoice_id": "invoice"}, include_in_schema=False)
async def invoice_page(request: Request[Any, Any, Any], invoice_id: int) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    copy, gateways = await asyncio.gather(invoice_for(portal, request.user.customer, invoice_id), gateway_names(portal))
    words, tone = invoice_words(copy.value, today(portal))
    return render(
        request,
        "billing/invoice.html",
        invoice=copy.value,
        words=words,
        tone=tone,
        gateways=gateways,
        as_of_time=copy.as_of,
    )


@post("/billing/invoices/{invoice_id:int}/pay", access="customer", ids={"invoice_id": "invoice"}, status_code=303,
      include_in_schema=False)  # fmt: skip
async def pay(request: Request[Any, Any, Any], invoice_id: int) -> Response[bytes]:
    """Straight to that invoice inside WHMCS, by a link made on this click."""
    link = await pay_link(request.app.state.portal, request.user.customer, invoice_id)
    return _leaving(request, link, f"/billing/invoices/{invoice_id}")


@get("/billing/payment-methods", access="customer", include_in_schema=False)
async def payment_methods_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    copy, gateways = await asyncio.gather(
        _or_none(payment_methods_of(portal, request.user.customer)), gateway_names(portal)
    )
    if copy is None:
        return render(request, "billing/payment_methods.html", methods=None, gateways=gateways)
    states = [(method, method_state(method, today(portal))) for method in copy.value]
    methods = [(method, state != "expired", *METHOD_WORDS[state]) for method, state in states]
    return render(request, "billing/payment_methods.html", methods=methods, gateways=gateways, as_of_time=copy.as_of)


@post("/billing/payment-methods/manage", access="customer", status_code=303, include_in_schema=False)
async def manage_payment_methods(request: Request[Any, Any, Any]) -> Response[bytes]:
    form = await read_form(request)
    link = await payment_methods_link(request.app.state.portal, request.user.customer)
    return _leaving(request, link, own_path(form.text("next")) or "/billing/payment-methods")


@get("/billing/return", access="customer", include_in_schema=False)
async def return_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Where WHMCS' pages send the customer: back to what they came from, with everything read anew."""
    portal: Portal = request.app.state.portal
    left = unpacked(request.cookies.get(cookie_name(portal.settings, LEFT), ""))
    sentence = await what_changed(portal, request.user.customer, left)
    back = own_path(left.back) if left and left.user_id == str(request.user.user_id) else None
    answer = redirect(request, back or "/billing", sentence, "success" if is_good(sentence) else "info")
    answer.set_cookie(cookie(portal.settings, LEFT, "", 0))
    return answer


async def _or_none(read: Awaitable[T]) -> T | None:
    """None where the system is away: that part of the page says so, the rest is there."""
    try:
        return await read
    except Trouble:
        return None


def _leaving(request: Request[Any, Any, Any], link: HandOff, back_to: str) -> Response[bytes]:
    """Remembers what is true now and the page to come back to, in this browser only."""
    answer = hand_off(link.url)
    left = left_by(request.user.customer, link, back_to)
    answer.set_cookie(cookie(request.app.state.portal.settings, LEFT, packed(left), LEFT_SECONDS))
    return answer
