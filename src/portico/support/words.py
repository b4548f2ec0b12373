"""Salesforce's statuses and priorities in the customer's words."""

from __future__ import annotations

from typing import Literal

from portico.i18n import Message, _m
from portico.support.cases import Case, CaseState, Priority

Tone = Literal["neutral", "info", "warning", "good", "bad"]

CASE_WORDS: dict[CaseState, tuple[Message, Tone]] = {
    "received": (_m("Received"), "info"),
    "in_progress": (_m("In progress"), "info"),
    "escalated": (_m("With our specialists"), "info"),
    "waiting_for_customer": (_m("Waiting for you"), "warning"),
    "closed": (_m("Closed"), "neutral"),
}
PRIORITY_WORDS: dict[Priority, Message] = {
    "high": _m("Urgent: a service does not work"),
    "medium": _m("Normal"),
    "low": _m("There is no hurry"),
}
ANSWERED: tuple[Message, Tone] = (_m("You have answered"), "info")
CLOSED: tuple[Message, Tone] = (_m("Closed"), "neutral")
NO_STATUS: tuple[Message, Tone] = (_m("In progress"), "info")


def case_words(case: Case) -> tuple[str | Message, Tone]:
    """A status that we do not know is shown as the org names it."""
    if case.state == "waiting_for_customer" and not case.waits_for_customer:
        return ANSWERED
    if case.state != "other":
        return CASE_WORDS[case.state]
    if not case.status:
        return CLOSED if case.is_closed else NO_STATUS
    return case.status, "neutral" if case.is_closed else "info"
