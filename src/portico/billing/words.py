"""WHMCS' states in the customer's words."""

from __future__ import annotations

from datetime import date
from typing import Literal

from portico.i18n import Message, _m
from portico.systems.whmcs.invoices import InvoiceRow
from portico.systems.whmcs.pay_methods import PayMethod

Tone = Literal["neutral", "info", "warning", "good", "bad"]
Words = tuple[Message, Tone]

OTHER: Words = (_m("Ask our support"), "neutral")
INVOICE_WORDS: dict[str, Words] = {
    "unpaid": (_m("To pay"), "warning"),
    "overdue": (_m("Overdue"), "bad"),
    "payment_pending": (_m("Payment on its way"), "info"),
    "collections": (_m("With a collection agency"), "bad"),
    "paid": (_m("Paid"), "good"),
    "refunded": (_m("Refunded"), "neutral"),
    "cancelled": (_m("Cancelled"), "neutral"),
    "other": OTHER,
}

MethodState = Literal["valid", "expires_this_month", "expired"]
METHOD_WORDS: dict[MethodState, Words] = {
    "valid": (_m("Valid"), "good"),
    "expires_this_month": (_m("Expires this month"), "warning"),
    "expired": (_m("Expired"), "bad"),
}


def invoice_words(row: InvoiceRow, today: date) -> Words:
    """A state that we do not know is shown as such, never as something else."""
    return INVOICE_WORDS.get("overdue" if row.is_overdue(today) else row.status, OTHER)


def method_state(method: PayMethod, today: date) -> MethodState:
    """A card is good through the last day of its month; `today` is the provider's day."""
    if not method.is_usable(today):
        return "expired"
    ends = method.expires
    return "expires_this_month" if ends and (ends.year, ends.month) == (today.year, today.month) else "valid"
