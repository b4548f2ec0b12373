"""WHMCS' states in the customer's words."""

from __future__ import annotations

from datetime import date
from typing import Literal

from portico.i18n import Message, _m
from portico.systems.whmcs.invoices import InvoiceRow

Tone = Literal["neutral", "info", "warning", "good", "bad"]

OVERDUE: tuple[Message, Tone] = (_m("Overdue"), "bad")
INVOICE_WORDS: dict[str, tuple[Message, Tone]] = {
    "unpaid": (_m("To pay"), "warning"),
    "paid": (_m("Paid"), "good"),
    "cancelled": (_m("Cancelled"), "neutral"),
    "refunded": (_m("Refunded"), "neutral"),
    "collections": (_m("With a collection agency"), "bad"),
    "payment_pending": (_m("Payment on its way"), "info"),
}
OTHER: tuple[Message, Tone] = (_m("Ask our support"), "neutral")


def invoice_words(row: InvoiceRow, today: date) -> tuple[Message, Tone]:
    """A state that we do not know is shown as such, never as something else."""
    return OVERDUE if row.is_overdue(today) else INVOICE_WORDS.get(row.status, OTHER)
