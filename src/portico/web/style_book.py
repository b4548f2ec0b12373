"""The style book (demo only): every part of a page in each of its states, to judge by eye and to test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from portico import errors
from portico.errors import FieldFault, InputWrong
from portico.i18n import Message, _m
from portico.money import Money
from portico.web.failures import answer_failure
from portico.web.forms import REQUIRED, Form
from portico.web.pages import render
from portico.web.paging import paging

_MOMENT = datetime(2026, 11, 3, 5, 2, tzinfo=UTC)


@dataclass(frozen=True)
class _Person:
    display_name: str = "Hanako Sato"
    email: str = "hanako@example.com"
    is_staff: bool = False
    customer: None = None
    unread: int = 2


@dataclass(frozen=True)
class _Bill:
    number: int
    issued: date
    total: Money
    words: Message
    tone: str


_WORDS = ((_m("Unpaid"), "warning"), (_m("Paid"), "good"), (_m("Overdue"), "bad"), (_m("Refunded"), "neutral"))
_BILLS = [
    _Bill(10250 - place, date(2026, 11 - place % 9, 1), Money(Decimal(1100 + place * 3333), "JPY"), *_WORDS[place % 4])
    for place in range(37)
]
_FAILURES: dict[str, errors.PorticoError] = {
    "missing": errors.NotFound(),
    "down": errors.SystemDown("whmcs"),
    "running": errors.StillRunning("0b5c"),
    "tries": errors.TooManyTries(),
    "crash": errors.PorticoError(),
}


@get(["/style-book", "/style-book/{part:str}"], access="public", ids={"part": "part of the style book"},
     include_in_schema=False, sync_to_thread=False)  # fmt: skip
def style_book(request: Request[Any, Any, Any], part: FromPath[str] = "") -> Response[Any]:
    if part == "card":
        return render(request, "components/style_book_card.html", form=_refused_form(), status=200)
    request.scope["user"] = _Person()
    if part in _FAILURES:
        return answer_failure(request, _FAILURES[part])
    if part:
        raise errors.NotFound(part)
    where = paging(request, len(_BILLS), 6)
    bills = _BILLS[where.offset : where.offset + where.size]
    return render(
        request, "components/style_book.html",
        form=_refused_form(), status=200, bills=bills, where=where, moment_shown=_MOMENT,
        owed=Money(Decimal(12980), "JPY"), steps=_steps(), fresh=Form(),
    )  # fmt: skip


def _refused_form() -> Form:
    form = Form.of({"email": "hanako@example", "address.line1": "1-2-3 Marunouchi", "plan": "b", "message": "Good day"})
    return form.refused(
        InputWrong(
            FieldFault("/email", _m("Enter the address in full, such as name@example.com.")),
            FieldFault("/address/postal_code", _m("A postal code has seven digits.")),
            *(FieldFault(f"/{name}", REQUIRED) for name in ("plan", "card", "message")),
            FieldFault("/terms", _m("Please accept the terms to go on.")),
        )
    )


def _steps() -> list[dict[str, Any]]:
    return [
        {"state": "done", "title": _m("Order received"), "note": None, "at": _MOMENT},
        {"state": "done", "title": _m("Approved"), "note": None, "at": _MOMENT},
        {"state": "waiting", "title": _m("Payment method"), "note": _m("Please add a card to go on."), "at": _MOMENT},
        {"state": "running", "title": _m("SIM is being prepared"), "note": _m("Usually 10 minutes."), "at": None},
        {"state": "stopped", "title": _m("Billing order"), "note": _m("We are looking into it."), "at": None},
        {"state": "ended", "title": _m("Order received"), "note": None, "at": _MOMENT},
        {"state": "pending", "title": _m("Line active"), "note": None, "at": None},
    ]
