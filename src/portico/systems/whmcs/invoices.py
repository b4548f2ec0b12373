"""Invoices of a client: the list and one with its lines and payments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypedDict

from portico.customer import WhmcsClientId
from portico.errors import NotFound, SystemRefused
from portico.money import Money
from portico.systems.whmcs.client import Whmcs, call, call_for_all, call_for_page
from portico.systems.whmcs.ownership import all_must_be_of, must_be_of
from portico.systems.whmcs.shapes import (
    Row,
    as_bool,
    as_date,
    as_datetime,
    as_id,
    as_int,
    as_money,
    as_money_or_zero,
    as_raw,
    as_text,
    as_word,
    rows,
)

InvoiceStatus = Literal["unpaid", "paid", "cancelled", "refunded", "collections", "payment_pending", "draft", "other"]

_STATUSES: dict[str, InvoiceStatus] = {
    "unpaid": "unpaid",
    "overdue": "unpaid",  # a derived word of the vendor's filters
    "paid": "paid",
    "cancelled": "cancelled",
    "refunded": "refunded",
    "collections": "collections",
    "paymentpending": "payment_pending",
    "draft": "draft",
}
_WORDS: dict[InvoiceStatus, str] = {
    "unpaid": "Unpaid",
    "paid": "Paid",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
    "collections": "Collections",
    "payment_pending": "Payment Pending",
}


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    id: int
    number: str
    """As shown to customers: the sequential number where the provider uses one, else the id."""
    status: InvoiceStatus
    issued: date | None
    due_date: date | None
    paid_at: datetime | None
    """Aware, UTC."""
    total: Money
    """After credit."""
    gateway: str = ""

    def is_overdue(self, today: date) -> bool:
        """WHMCS says `Unpaid` also when it is overdue; `today` is the provider's day."""
        return self.status == "unpaid" and self.due_date is not None and self.due_date < today


@dataclass(frozen=True, slots=True)
class InvoicePage:
    rows: tuple[InvoiceRow, ...]
    total: int


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    id: int
    kind: str
    """The vendor's word, such as Hosting, Addon, Upgrade; may be empty."""
    related_id: int | None
    """For Hosting the id of the service."""
    description: str
    amount: Money
    taxed: bool

    @property
    def service_id(self) -> int | None:
        """The service that it is for. The related id of another kind is an addon's, an upgrade's or an invoice's."""
        return self.related_id if self.kind.lower() == "hosting" else None


@dataclass(frozen=True, slots=True)
class Transaction:
    id: int
    reference: str
    """The gateway's."""
    at: datetime | None
    gateway: str
    amount: Money
    """Positive: paid. Negative: paid back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice(InvoiceRow):
    subtotal: Money
    tax: Money
    credit: Money
    """What was taken from the client's credit."""
    balance: Money
    """Still to pay."""
    lines: tuple[InvoiceLine, ...]
    transactions: tuple[Transaction, ...]
    notes: str


async def get_invoices(
    whmcs: Whmcs,
    client_id: WhmcsClientId,
    *,
    status: InvoiceStatus | None = None,
    offset: int = 0,
    limit: int = 25,
) -> InvoicePage:
    """One page, newest first. Drafts are left out, so a page may hold fewer than `limit`; `total` counts them."""
    found, total = await call_for_page(
        whmcs, "GetInvoices", _query(client_id, status), "invoices", "invoice", offset=offset, limit=limit
    )
    return InvoicePage(_read_rows(whmcs, client_id, found), total)


async def get_invoices_of(whmcs: Whmcs, client_id: WhmcsClientId) -> list[InvoiceRow]:
    """All invoices of a client, newest first, without drafts."""
    found = await call_for_all(whmcs, "GetInvoices", _query(client_id, None), "invoices", "invoice")
    return list(_read_rows(whmcs, client_id, found))


async def get_invoice(whmcs: Whmcs, client_id: WhmcsClientId, invoice_id: int) -> Invoice:
    """Raises NotFound: unknown, a draft, or somebody else's."""
    try:
        row = await call(whmcs, "GetInvoice", {"invoiceid": invoice_id}, repeatable=True)
    except SystemRefused as refused:
        if refused.vendor_code == "invoice_not_found":
            raise NotFound("invoice") from None
        raise
    must_be_of(row, client_id, "userid", "invoice")
    invoice = _invoice(whmcs, row)
    if invoice.status == "draft" or invoice.id != invoice_id:
        raise NotFound("invoice")
    return invoice


def _query(client_id: WhmcsClientId, status: InvoiceStatus | None) -> dict[str, str | int | None]:
    return {
        "userid": client_id,
        "status": _WORDS.get(status) if status else None,
        "orderby": "date",
        "order": "desc",
    }


def _read_rows(whmcs: Whmcs, client_id: WhmcsClientId, found: list[Row]) -> tuple[InvoiceRow, ...]:
    all_must_be_of(found, client_id, "userid", "invoices")
    read = [InvoiceRow(**_basics(whmcs, row)) for row in found]
    shown = [row for row in read if row.status != "draft"]
    return tuple(sorted(shown, key=lambda row: (row.issued or date.min, row.id), reverse=True))


class _Basics(TypedDict):
    id: int
    number: str
    status: InvoiceStatus
    issued: date | None
    due_date: date | None
    paid_at: datetime | None
    total: Money
    gateway: str


def _basics(whmcs: Whmcs, row: Row) -> _Basics:
    invoice_id = as_int(row, "invoiceid" if "invoiceid" in row else "id")
    return {
        "id": invoice_id,
        "number": as_text(row, "invoicenum") or str(invoice_id),
        "status": _STATUSES.get(as_word(row, "status"), "other"),
        "issued": as_date(row, "date"),
        "due_date": as_date(row, "duedate"),
        "paid_at": as_datetime(row, "datepaid", whmcs.timezone),
        "total": as_money(row, "total", _currency(whmcs, row)),
        "gateway": as_raw(row, "paymentmethod"),
    }


def _currency(whmcs: Whmcs, row: Row) -> str:
    """The rows of the list name it, a single invoice does not."""
    return as_raw(row, "currencycode") or whmcs.settings.currency


def _invoice(whmcs: Whmcs, row: Row) -> Invoice:
    currency = _currency(whmcs, row)
    return Invoice(
        **_basics(whmcs, row),
        subtotal=as_money(row, "subtotal", currency),
        tax=as_money_or_zero(row, "tax", currency) + as_money_or_zero(row, "tax2", currency),
        credit=as_money_or_zero(row, "credit", currency),
        balance=as_money(row, "balance", currency),
        lines=tuple(_line(line, currency) for line in rows(row, "items", "item")),
        transactions=tuple(
            _transaction(whmcs, transaction, currency) for transaction in rows(row, "transactions", "transaction")
        ),
        notes=as_text(row, "notes"),
    )


def _line(row: Row, currency: str) -> InvoiceLine:
    return InvoiceLine(
        id=as_int(row, "id"),
        kind=as_raw(row, "type"),
        related_id=as_id(row, "relid"),
        description=as_text(row, "description"),
        amount=as_money(row, "amount", currency),
        taxed=as_bool(row, "taxed"),
    )


def _transaction(whmcs: Whmcs, row: Row, currency: str) -> Transaction:
    return Transaction(
        id=as_int(row, "id"),
        reference=as_raw(row, "transid"),
        at=as_datetime(row, "date", whmcs.timezone),
        gateway=as_raw(row, "gateway"),
        amount=as_money_or_zero(row, "amountin", currency) - as_money_or_zero(row, "amountout", currency),
    )
