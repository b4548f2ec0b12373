"""`/api/v1/invoices`, `/api/v1/payment-methods`, `/api/v1/payment-gateways`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Parameter

from portico.billing.hand_offs import HandOff, pay_link, payment_methods_link
from portico.billing.invoices import InvoiceRow, invoice_for, invoices_of
from portico.billing.listing import Choice, Order, Sort, Status, chosen, page_after
from portico.billing.payment_methods import gateways, payment_methods_of, today
from portico.billing.words import MethodState, method_state
from portico.portal import Portal
from portico.web.shapes import Listing, MoneyShape, money_shape, whole

PAGE = 25


class InvoiceOut(msgspec.Struct, frozen=True):
    id: str
    number: str
    status: str
    overdue: bool
    issued: date | None
    due_date: date | None
    paid_at: datetime | None
    total: MoneyShape


class LineOut(msgspec.Struct, frozen=True):
    description: str
    amount: MoneyShape
    service_id: str | None


class PaymentOut(msgspec.Struct, frozen=True):
    """A negative amount was paid back."""

    at: datetime | None
    amount: MoneyShape
    gateway: str
    reference: str


class InvoiceDetailOut(InvoiceOut, frozen=True, kw_only=True):
    subtotal: MoneyShape
    tax: MoneyShape
    credit: MoneyShape
    balance: MoneyShape
    gateway: str
    lines: list[LineOut]
    transactions: list[PaymentOut]
    as_of: datetime


class LinkOut(msgspec.Struct, frozen=True):
    """Single-use: open it at once."""

    url: str
    expires_at: datetime


class PaymentMethodOut(msgspec.Struct, frozen=True):
    id: str
    kind: str
    brand: str
    last_four: str
    gateway: str
    expires: date | None
    state: MethodState
    usable: bool


class GatewayOut(msgspec.Struct, frozen=True):
    name: str
    label: str


@get("/api/v1/invoices", access="customer")
async def invoices(
    request: Request[Any, Any, Any],
    status: Status | None = None,
    q: Annotated[str, Parameter(max_length=40)] = "",
    sort: Sort = "date",
    order: Order = "desc",
    cursor: str | None = None,
) -> Listing[InvoiceOut]:
    """25 at a time, newest first unless `sort` and `order` say else. `q`: part of an invoice number.

    Invoices that come or go between two pages shift nothing: a cursor names the last invoice seen.
    """
    portal: Portal = request.app.state.portal
    choice = Choice(status, q.strip(), sort, order)
    copy = await invoices_of(portal, request.user.customer)
    found = chosen(copy.value, choice, today(portal))
    shown, next_cursor = page_after(found, choice, cursor, PAGE)
    return Listing([_invoice(portal, row) for row in shown], next_cursor, len(found), copy.as_of)


@get("/api/v1/invoices/{invoice_id:int}", access="customer", ids={"invoice_id": "invoice"})
async def invoice(request: Request[Any, Any, Any], invoice_id: int) -> InvoiceDetailOut:
    portal: Portal = request.app.state.portal
    copy = await invoice_for(portal, request.user.customer, invoice_id)
    found = copy.value
    basics = msgspec.structs.asdict(_invoice(portal, found))
    return InvoiceDetailOut(
        **basics,
        subtotal=money_shape(found.subtotal),
        tax=money_shape(found.tax),
        credit=money_shape(found.credit),
        balance=money_shape(found.balance),
        gateway=found.gateway,
        transactions=[
            PaymentOut(one.at, money_shape(one.amount), one.gateway, one.reference) for one in found.transactions
        ],
        lines=[
            LineOut(line.description, money_shape(line.amount), str(line.service_id) if line.service_id else None)
            for line in found.lines
        ],
        as_of=copy.as_of,
    )


@post("/api/v1/invoices/{invoice_id:int}/pay-link", access="customer", ids={"invoice_id": "invoice"}, status_code=201)
async def invoice_pay_link(request: Request[Any, Any, Any], invoice_id: int) -> Response[LinkOut]:
    return _link(await pay_link(request.app.state.portal, request.user.customer, invoice_id))


@get("/api/v1/payment-methods", access="customer")
async def payment_methods(request: Request[Any, Any, Any]) -> Listing[PaymentMethodOut]:
    portal: Portal = request.app.state.portal
    copy = await payment_methods_of(portal, request.user.customer)
    shown = [
        PaymentMethodOut(
            str(method.id),
            method.kind,
            method.brand,
            method.last_four,
            method.gateway,
            method.expires,
            method_state(method, today(portal)),
            method.is_usable(today(portal)),
        )
        for method in copy.value
    ]
    return whole(shown, copy.as_of)


@post("/api/v1/payment-methods/manage-link", access="customer", status_code=201)
async def manage_link(request: Request[Any, Any, Any]) -> Response[LinkOut]:
    return _link(await payment_methods_link(request.app.state.portal, request.user.customer))


@get("/api/v1/payment-gateways", access="customer")
async def payment_gateways(request: Request[Any, Any, Any]) -> Listing[GatewayOut]:
    copy = await gateways(request.app.state.portal)
    return whole([GatewayOut(gateway.name, gateway.label) for gateway in copy.value], copy.as_of)


def _invoice(portal: Portal, row: InvoiceRow) -> InvoiceOut:
    return InvoiceOut(
        id=str(row.id),
        number=row.number,
        status=row.status,
        overdue=row.is_overdue(today(portal)),
        issued=row.issued,
        due_date=row.due_date,
        paid_at=row.paid_at,
        total=money_shape(row.total),
    )


def _link(link: HandOff) -> Response[LinkOut]:
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(LinkOut(link.url, link.expires_at), status_code=201, headers=headers)
