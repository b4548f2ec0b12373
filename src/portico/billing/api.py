"""`/api/v1/invoices`, `/api/v1/payment-methods`, `/api/v1/payment-gateways`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Parameter

from portico.billing.hand_offs import HandOff, pay_link, payment_methods_link
from portico.billing.invoices import InvoiceRow, invoice_for, invoices_of
from portico.billing.payment_methods import gateways, payment_methods_of, today
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


class InvoiceDetailOut(InvoiceOut, frozen=True, kw_only=True):
    subtotal: MoneyShape
    tax: MoneyShape
    credit: MoneyShape
    balance: MoneyShape
    lines: list[LineOut]
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
    expires: date | None
    usable: bool


class GatewayOut(msgspec.Struct, frozen=True):
    name: str
    label: str


@get("/api/v1/invoices", access="customer")
async def invoices(
    request: Request[Any, Any, Any],
    status: str | None = None,
    q: str | None = None,
    cursor: Annotated[int, Parameter(ge=0, le=100_000)] = 0,
) -> Listing[InvoiceOut]:
    """Newest first, 25 at a time. `status`: unpaid, paid, …; `q`: part of an invoice number."""
    portal: Portal = request.app.state.portal
    copy = await invoices_of(portal, request.user.customer)
    chosen = [row for row in copy.value if status in (None, row.status) and (not q or q in row.number)]
    shown = [_invoice(portal, row) for row in chosen[cursor : cursor + PAGE]]
    more = str(cursor + PAGE) if cursor + PAGE < len(chosen) else None
    return Listing(shown, more, len(chosen), copy.as_of)


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
        lines=[
            LineOut(line.description, money_shape(line.amount), str(line.related_id) if line.related_id else None)
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
            method.expires,
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
