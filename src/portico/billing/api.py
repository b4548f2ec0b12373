"""`/api/v1/invoices`, `/api/v1/payment-methods`, `/api/v1/payment-gateways`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Parameter

from portico.billing.hand_offs import HandOff, pay_link, payment_methods_link
from portico.billing.invoices import InvoiceRow, invoice_for, invoices_of
from portico.billing.listing import Choice, Order, Sort, Status, chosen, page_after
from portico.billing.payment_methods import gateways, payment_methods_of, today
from portico.billing.words import MethodState, method_state
from portico.errors import SingleSignOnOff
from portico.portal import Portal
from portico.web.openapi_problems import REMOTE
from portico.web.shapes import Listing, Moment, MoneyShape, money_shape, whole

PAGE = 25
InvoiceStatus = Literal["unpaid", "paid", "cancelled", "refunded", "collections", "payment_pending", "draft", "other"]
MethodKind = Literal["card", "bank", "other"]


class InvoiceOut(msgspec.Struct, frozen=True):
    """`status` is `other` where the billing system has one that we do not know."""

    id: str
    number: str
    status: InvoiceStatus
    overdue: bool
    issued: date | None
    due_date: date | None
    paid_at: Moment | None
    total: MoneyShape


class InvoiceLineOut(msgspec.Struct, frozen=True):
    description: str
    amount: MoneyShape
    service_id: str | None


class PaymentOut(msgspec.Struct, frozen=True):
    """A negative amount was paid back."""

    at: Moment | None
    amount: MoneyShape
    gateway: str
    reference: str


class InvoiceDetailOut(InvoiceOut, frozen=True, kw_only=True):
    subtotal: MoneyShape
    tax: MoneyShape
    credit: MoneyShape
    balance: MoneyShape
    gateway: str
    lines: list[InvoiceLineOut]
    transactions: list[PaymentOut]
    as_of: Moment


class LinkOut(msgspec.Struct, frozen=True):
    """Single-use: open it at once."""

    url: str
    expires_at: Moment


class PaymentMethodOut(msgspec.Struct, frozen=True):
    """`expires` is the last day on which it is good."""

    id: str
    kind: MethodKind
    brand: str
    last_four: str
    gateway: str
    expires: date | None
    state: MethodState
    usable: bool


class GatewayOut(msgspec.Struct, frozen=True):
    """A way to pay that the provider offers."""

    name: str
    label: str


@get(
    "/api/v1/invoices",
    access="customer",
    operation_id="list_invoices",
    summary="Invoices",
    refusals=REMOTE,
)
async def invoices(
    request: Request[Any, Any, Any],
    status: Literal["all", Status] = "all",
    q: Annotated[str, Parameter(max_length=40, description="Part of an invoice number.")] = "",
    sort: Sort = "date",
    order: Order = "desc",
    cursor: Annotated[str, Parameter(description="`next_cursor` of the page before.")] = "",
) -> Listing[InvoiceOut]:
    """25 at a time, newest first unless `sort` and `order` say else.

    Invoices that come or go between two pages shift nothing: a cursor names the last invoice seen.
    """
    portal: Portal = request.app.state.portal
    choice = Choice(None if status == "all" else status, q.strip(), sort, order)
    copy = await invoices_of(portal, request.user.customer)
    found = chosen(copy.value, choice, today(portal))
    shown, next_cursor = page_after(found, choice, cursor, PAGE)
    return Listing([_invoice(portal, row) for row in shown], next_cursor, len(found), copy.as_of)


@get(
    "/api/v1/invoices/{invoice_id:int}",
    access="customer",
    ids={"invoice_id": "invoice"},
    operation_id="read_invoice",
    summary="One invoice",
    refusals=REMOTE,
)
async def invoice(request: Request[Any, Any, Any], invoice_id: int) -> InvoiceDetailOut:
    """With its lines and payments."""
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
            InvoiceLineOut(
                line.description, money_shape(line.amount), str(line.service_id) if line.service_id else None
            )
            for line in found.lines
        ],
        as_of=copy.as_of,
    )


@post(
    "/api/v1/invoices/{invoice_id:int}/pay-link",
    access="customer",
    ids={"invoice_id": "invoice"},
    operation_id="create_pay_link",
    summary="A link to pay this invoice",
    refusals=(*REMOTE, SingleSignOnOff),
    status_code=201,
)
async def invoice_pay_link(request: Request[Any, Any, Any], invoice_id: int) -> Response[LinkOut]:
    """Opens this invoice in the billing system, signed in, once and for about a minute."""
    return _link(await pay_link(request.app.state.portal, request.user.customer, invoice_id))


@get(
    "/api/v1/payment-methods",
    access="customer",
    operation_id="list_payment_methods",
    summary="Cards and bank accounts on file",
    refusals=REMOTE,
)
async def payment_methods(request: Request[Any, Any, Any]) -> Listing[PaymentMethodOut]:
    """Added and removed in the billing system only: see `create_manage_link`."""
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


@post(
    "/api/v1/payment-methods/manage-link",
    access="customer",
    operation_id="create_manage_link",
    summary="A link to add or remove payment methods",
    refusals=(*REMOTE, SingleSignOnOff),
    status_code=201,
)
async def manage_link(request: Request[Any, Any, Any]) -> Response[LinkOut]:
    """Opens the payment methods in the billing system, signed in, once and for about a minute."""
    return _link(await payment_methods_link(request.app.state.portal, request.user.customer))


@get(
    "/api/v1/payment-gateways",
    access="customer",
    operation_id="list_payment_gateways",
    summary="Ways to pay that the provider offers",
    refusals=REMOTE,
)
async def payment_gateways(request: Request[Any, Any, Any]) -> Listing[GatewayOut]:
    """The same for everybody."""
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
