"""What Salesforce's error codes mean to us: the one table, and how an answer is classified by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from portico.errors import NotFound, PorticoError, SetupWrong, SystemDown, SystemRefused, SystemSurprised
from portico.systems.http import Reply
from portico.systems.salesforce.exact_json import NotJson, decode

SYSTEM = "salesforce"

Meaning = Literal["locked", "busy", "down", "setup", "not_found"]

MEANINGS: dict[str, Meaning] = {
    "UNABLE_TO_LOCK_ROW": "locked",  # another write holds the row or its parent; nothing was written
    "REQUEST_LIMIT_EXCEEDED": "busy",  # refused at the door: calls of 24 h, or calls at once
    "QUERY_TIMEOUT": "down",
    "SERVER_UNAVAILABLE": "down",
    "UNKNOWN_EXCEPTION": "down",
    "INVALID_SESSION_ID": "setup",  # after a fresh token: the user or the app lost its rights
    "API_DISABLED_FOR_ORG": "setup",
    "API_CURRENTLY_DISABLED": "setup",
    "NOT_FOUND": "not_found",
    "ENTITY_IS_DELETED": "not_found",
}
"""Every other code is a business "no": SystemRefused with that code."""

_ROLLED_BACK = {"PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"}
"""What the innocent parts of a composite call say; the real reason stands elsewhere."""

_NESTED = {"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"}
"""A trigger or flow of the org failed; the reason is named in the message only."""


SEVERAL_MATCH = "MULTIPLE_CHOICES"
"""Our code for HTTP 300: the external id is not unique in the org, and several records bear it."""


class RowLocked(SystemDown):
    """Another write held the row; nothing was written, so that any call may be repeated."""

    def __init__(self, note: str) -> None:
        super().__init__(SYSTEM, note, sent=False)


class CallsSpent(SystemDown):
    """The org takes no more calls for now; `for_today` when the quota of 24 hours is used up."""

    def __init__(self, note: str) -> None:
        super().__init__(SYSTEM, note, sent=False)
        self.for_today = "TotalRequests" in note


class OrderExists(SystemRefused):
    """The marker of a new order is taken already: look the order up and adopt it."""


class CaseExists(SystemRefused):
    """The marker of a new case is taken already: look the case up and adopt it."""


@dataclass(frozen=True)
class Fault:
    code: str
    message: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        fields = f" [{', '.join(self.fields)}]" if self.fields else ""
        return f"{self.code}: {self.message}{fields}"


def error_in(reply: Reply) -> PorticoError | None:
    """The error that an answer stands for; None where it is a success.

    A 5xx says nothing about whether the work was done: SystemDown(sent=True).
    """
    if 200 <= reply.status < 300:
        return None
    faults = _faults_of(reply.body)
    if reply.status >= 500:
        return SystemDown(SYSTEM, _told(faults) or f"HTTP {reply.status}")
    if faults:
        return error_of(faults)
    return _unexplained(reply)


def error_of(faults: Sequence[Fault]) -> PorticoError:
    """The error that a non-empty list of faults of one call stands for; all of them are kept for staff."""
    reasons = [fault for fault in faults if fault.code not in _ROLLED_BACK] or list(faults)
    told = _told(reasons)
    meaning = next((meaning for fault in reasons if (meaning := _meaning(fault))), None)
    if meaning is None:
        return SystemRefused(SYSTEM, reasons[0].code, told, codes=[fault.code for fault in reasons])
    return _error_meaning(meaning, told)


def faults_in(entries: Any) -> list[Fault]:
    """Faults out of a list of error objects (`errorCode` of single rows, `statusCode` of collections)."""
    if not isinstance(entries, list):
        return []
    return [_fault(entry) for entry in entries if isinstance(entry, dict) and _code(entry)]


def _meaning(fault: Fault) -> Meaning | None:
    if fault.code in _NESTED and "UNABLE_TO_LOCK_ROW" in fault.message:
        return "locked"
    return MEANINGS.get(fault.code)


def _error_meaning(meaning: Meaning, told: str) -> PorticoError:
    match meaning:
        case "locked":
            return RowLocked(told)
        case "busy":
            return CallsSpent(told)
        case "down":
            return SystemDown(SYSTEM, told)
        case "setup":
            return SetupWrong(SYSTEM, told)
        case "not_found":
            return NotFound(told)


def _unexplained(reply: Reply) -> PorticoError:
    """An answer without Salesforce's own error list: it comes from the edge, before the org."""
    if reply.status == 300 and _are_addresses(reply.body):
        return SystemRefused(SYSTEM, SEVERAL_MATCH, "several records bear this external id")
    if reply.status == 401:
        return SetupWrong(SYSTEM, "a fresh token was refused")
    if reply.status in (301, 302, 303, 307, 308, 420, 429):
        return SystemDown(SYSTEM, f"HTTP {reply.status}", sent=False)
    return SystemSurprised(SYSTEM, f"HTTP {reply.status}", body=reply.body)


def _are_addresses(body: bytes) -> bool:
    """Of the records among which an external id can't choose."""
    try:
        rows = decode(body)
    except NotJson:
        return False
    return isinstance(rows, list) and bool(rows) and all(str(row).startswith("/services/data/") for row in rows)


def _faults_of(body: bytes) -> list[Fault]:
    try:
        return faults_in(decode(body))
    except NotJson:
        return []


def _fault(entry: dict[str, Any]) -> Fault:
    fields = entry.get("fields")
    return Fault(_code(entry), str(entry.get("message", "")), tuple(map(str, fields)) if fields else ())


def _code(entry: dict[str, Any]) -> str:
    return str(entry.get("errorCode") or entry.get("statusCode") or "")


def _told(faults: Sequence[Fault]) -> str:
    return "; ".join(map(str, faults))[:1000]
