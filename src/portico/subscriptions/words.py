"""WHMCS' service states and billing cycles in the customer's words."""

from __future__ import annotations

from typing import Literal

from portico.i18n import Message, _m

Tone = Literal["neutral", "info", "warning", "good", "bad"]

SERVICE_WORDS: dict[str, tuple[Message, Tone]] = {
    "pending": (_m("Being set up"), "info"),
    "active": (_m("Active"), "good"),
    "suspended": (_m("Suspended"), "bad"),
    "terminated": (_m("Ended"), "neutral"),
    "cancelled": (_m("Cancelled"), "neutral"),
    "fraud": (_m("Ask our support"), "neutral"),
    "completed": (_m("Done"), "good"),
    "other": (_m("Ask our support"), "neutral"),
}
CYCLE_WORDS: dict[str, Message] = {
    "monthly": _m("a month"),
    "quarterly": _m("every 3 months"),
    "semiannually": _m("every 6 months"),
    "annually": _m("a year"),
    "biennially": _m("every 2 years"),
    "triennially": _m("every 3 years"),
    "one_time": _m("once"),
    "free": _m("free of charge"),
    "other": _m("see your invoice"),
}
