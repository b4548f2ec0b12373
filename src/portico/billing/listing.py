"""The list of invoices as somebody wants it: which status, which number, in which order, from where on."""

from __future__ import annotations

import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal, get_args
from urllib.parse import urlencode

import msgspec

from portico.billing.invoices import InvoiceRow
from portico.errors import FieldFault, InputWrong
from portico.i18n import _m

Status = Literal["unpaid", "overdue", "payment_pending", "collections", "paid", "refunded", "cancelled", "other"]
"""`unpaid` is all that is to be paid, also what is with a collection agency; `overdue` is the part of it that is past
its due date and not there yet; `other`, a state that WHMCS has and we do not know."""
Sort = Literal["date", "due", "total"]
Order = Literal["asc", "desc"]

STATUSES: tuple[Status, ...] = get_args(Status)
SORTS: tuple[Sort, ...] = get_args(Sort)
CURSOR_WRONG = _m("This cursor belongs to another list. Begin again without it.")
_LONGEST_SEARCH = 40
_LONGEST_CURSOR = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """What the address says; None and "" mean all."""

    status: Status | None = None
    q: str = ""
    sort: Sort = "date"
    order: Order = "desc"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Choice:
        """From a page's query string; what makes no sense there is left out."""
        status, sort, order = query.get("status", ""), query.get("sort", ""), query.get("order", "")
        return cls(
            status if status in STATUSES else None,
            query.get("q", "").strip()[:_LONGEST_SEARCH],
            sort if sort in SORTS else "date",
            "asc" if order == "asc" else "desc",
        )

    def pairs(self) -> list[tuple[str, str]]:
        """As little of a query string as says the same."""
        given = {"status": self.status or "", "q": self.q, "sort": self.sort, "order": self.order}
        return [(name, value) for name, value in given.items() if value not in ("", getattr(_USUAL, name))]

    def href(self, **changes: Any) -> str:
        """The address of the same list with these changes, from its first page on."""
        query = urlencode(replace(self, **changes).pairs())
        return f"/billing?{query}" if query else "/billing"

    def sorted_href(self, sort: Sort) -> str:
        """By this; when it is that already, the other way round."""
        turned: Order = "asc" if self.sort == sort and self.order == "desc" else "desc"
        return self.href(sort=sort, order=turned)


_USUAL = Choice()


def chosen(rows: Sequence[InvoiceRow], choice: Choice, today: date) -> list[InvoiceRow]:
    """Those that fit, in the wanted order; `today` is the provider's day."""
    wanted = _plain(choice.q)
    fitting = [row for row in rows if _has_status(row, choice.status, today) and wanted in _plain(row.number)]
    return sorted(fitting, key=lambda row: _key(row, choice.sort), reverse=choice.order == "desc")


def present(rows: Sequence[InvoiceRow], today: date) -> list[Status]:
    """The statuses that at least one of the rows has."""
    return [status for status in STATUSES if any(_has_status(row, status, today) for row in rows)]


def page_after(
    rows: list[InvoiceRow], choice: Choice, cursor: str | None, size: int
) -> tuple[list[InvoiceRow], str | None]:
    """The rows behind the cursor, and the cursor of the page behind them. Raises InputWrong for one of another list.

    A cursor names the last row seen, not a number of rows: invoices that come or go meanwhile shift nothing.
    """
    start = _start(rows, choice, cursor) if cursor else 0
    shown = rows[start : start + size]
    more = start + size < len(rows)
    return shown, _cursor(shown[-1], choice) if more and shown else None


def _has_status(row: InvoiceRow, status: Status | None, today: date) -> bool:
    if status == "overdue":
        return row.is_overdue(today)
    return status in (None, row.status) or (status == "unpaid" and row.status == "collections")


def _plain(text: str) -> str:
    """Full-width digits and letters find the same number."""
    return unicodedata.normalize("NFKC", text).casefold().strip().removeprefix("#")


def _key(row: InvoiceRow, sort: Sort) -> tuple[str | Decimal, int]:
    """Comparable within one sort, different for any two rows."""
    if sort == "total":
        return row.total.amount, row.id
    day = row.due_date if sort == "due" else row.issued
    return (day or date.min).isoformat(), row.id


def _cursor(row: InvoiceRow, choice: Choice) -> str:
    value, row_id = _key(row, choice.sort)
    packed = msgspec.json.encode((choice.sort, choice.order, str(value), row_id))
    return urlsafe_b64encode(packed).decode().rstrip("=")


def _start(rows: list[InvoiceRow], choice: Choice, cursor: str) -> int:
    seen = _opened(cursor, choice)
    descending = choice.order == "desc"
    for place, row in enumerate(rows):
        key = _key(row, choice.sort)
        if key < seen if descending else key > seen:
            return place
    return len(rows)


def _opened(cursor: str, choice: Choice) -> tuple[str | Decimal, int]:
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError("too long")
        packed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        sort, order, value, row_id = msgspec.json.decode(packed, type=tuple[Sort, Order, str, int])
        if (sort, order) != (choice.sort, choice.order):
            raise ValueError("of another order")
        return (_amount(value) if sort == "total" else value), row_id
    except (ValueError, ArithmeticError, msgspec.MsgspecError):
        raise InputWrong(FieldFault("/cursor", CURSOR_WRONG)) from None


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    if not amount.is_finite():
        raise ValueError("no amount")
    return amount
