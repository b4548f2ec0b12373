"""How Salesforce says no: one fault per reason, as an array, with a code that clients switch on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_STATUS = {
    "INVALID_SESSION_ID": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "API_CURRENTLY_DISABLED": 403,
    "API_DISABLED_FOR_ORG": 403,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNKNOWN_EXCEPTION": 500,
    "APEX_ERROR": 500,
    "SERVER_UNAVAILABLE": 503,
}


@dataclass(frozen=True)
class Fault:
    code: str
    message: str
    fields: tuple[str, ...] | None = None
    details: Mapping[str, Any] | None = None
    """What else the answer carries for this code."""

    def for_row(self) -> dict[str, Any]:
        """As single resources spell it."""
        body: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            body["fields"] = list(self.fields)
        return {**body, **(self.details or {})}

    def for_collection(self) -> dict[str, Any]:
        """As collections spell it: another key for the same code."""
        body = {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}
        return {**body, **(self.details or {})}


class Refusal(Exception):
    """A call that is answered with faults and changes nothing."""

    def __init__(self, *faults: Fault, status: int | None = None) -> None:
        super().__init__("; ".join(f"{fault.code}: {fault.message}" for fault in faults))
        self.faults = faults
        self.status = status or status_of(faults[0].code)


def status_of(code: str) -> int:
    """The HTTP status that a code travels with; most business refusals are 400."""
    return _STATUS.get(code, 400)


def refuse(code: str, message: str, *fields: str) -> Refusal:
    return Refusal(Fault(code, message, fields))


def not_found(message: str = "The requested resource does not exist") -> Refusal:
    return Refusal(Fault("NOT_FOUND", message))


def unknown_type(name: str) -> Refusal:
    return Refusal(
        Fault(
            "INVALID_TYPE",
            f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append "
            "the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate "
            "names.",
        )
    )
