"""What WHMCS says when it says no, and what that means to us. The only place where its messages are read.

They are English sentences with varying capitals and tails (a gateway list, a field name): compared by how they begin.
Each row has a captured sample in tests/systems/whmcs/captured/refusals.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog

from portico.errors import (
    EmailTaken,
    PorticoError,
    SetupWrong,
    SignInWrong,
    SingleSignOnOff,
    SystemDown,
    SystemRefused,
    SystemSurprised,
)

log = structlog.get_logger()

Becomes = str | type[EmailTaken | SignInWrong | SingleSignOnOff]

SETUP_WRONG = (
    "invalid ip",
    "invalid permissions",
    "authentication failed",
    "invalid or missing credentials",
    "invalid password provided",
    "access denied",
    "administrator account disabled",
    "action not found",
)
"""Our credential, its rights, our address: an operator must act. Never to be read as a customer's wrong password."""

OUR_FAULT = ("empty action request", "expecting parameter", "either clientid or email is required")

REFUSALS: tuple[tuple[str, Becomes], ...] = (
    ("a user already exists with that email address", EmailTaken),
    ("the email address entered is not available for use", EmailTaken),
    ("duplicate email address", EmailTaken),
    ("email or password invalid", SignInWrong),
    ("sso authentication blocked for client", SingleSignOnOff),
    ("client not found", "client_not_found"),
    ("client id not found", "client_not_found"),
    ("invalid client_id", "client_not_found"),
    ("invoice id not found", "invoice_not_found"),
    ("invoice not found or not unpaid", "invoice_not_unpaid"),
    ("payment attempt failed", "payment_failed"),
    ("service id not found", "service_not_found"),
    ("order id not found or status not pending", "order_not_pending"),
    ("order id not found", "order_not_found"),
    ("unable to add order when client status is closed", "client_closed"),
    ("invalid payment method", "gateway_invalid"),
    ("no items added to cart", "product_invalid"),
    ("existing cancellation request exists", "cancellation_exists"),
    ("invalid owner user id", "owner_invalid"),
    ("you did not enter your", "client_input_wrong"),
    ("the email address you entered was not valid", "client_input_wrong"),
    ("the email address entered is not valid", "client_input_wrong"),
    ("valid country required", "client_input_wrong"),
    ("you did not provide required custom field value", "client_field_required"),
    ("token could not be provisioned", "sso_failed"),
    ("invalid destination", "sso_destination_invalid"),
)
"""How a message begins (normalized) → a refusal of ours, or the code that SystemRefused carries."""

FIELDS: tuple[tuple[str, str], ...] = (
    ("you did not enter your first name", "first_name"),
    ("you did not enter your last name", "last_name"),
    ("you did not enter your email address", "email"),
    ("you did not enter your address", "street"),
    ("you did not enter your city", "city"),
    ("you did not enter your state", "state"),
    ("you did not enter your postcode", "postal_code"),
    ("you did not enter your phone number", "phone"),
    ("the email address you entered was not valid", "email"),
    ("the email address entered is not valid", "email"),
    ("valid country required", "country"),
)
"""How a message begins → the field of ClientChange that it is about: `facts["field"]` of the SystemRefused."""

UNKNOWN = "refused"


def error_for(action: str, message: str, http_status: int = 200) -> PorticoError:
    """The error for a `result=error` answer; to be raised by the caller. Logged where an operator must act."""
    said = " ".join(message.lower().split())
    if said.startswith(SETUP_WRONG):
        return setup_wrong(action, message)
    if said.startswith(OUR_FAULT):
        return SystemSurprised("whmcs", f"{action}: {message}")
    for beginning, becomes in REFUSALS:
        if said.startswith(beginning):
            return _refusal(becomes, action, message)
    return _unknown(action, message, http_status)


def _unknown(action: str, message: str, http_status: int) -> PorticoError:
    if http_status in (401, 403):
        return setup_wrong(action, message)
    if http_status >= 500:
        return SystemDown("whmcs", f"{action}: HTTP {http_status}")
    log.warning("whmcs.refusal.unknown", action=action, message=redacted(message))
    return SystemRefused("whmcs", UNKNOWN, message, action=action)


def setup_wrong(action: str, note: str) -> SetupWrong:
    log.error("whmcs.setup.wrong", action=action, note=note)
    return SetupWrong("whmcs", f"{action}: {note}", action=action)


def redacted(message: str) -> str:
    """For the log: without what may be somebody's address, number or text, and short."""
    return re.sub(r"\S*@\S*|[0-9]{4,}", "…", message)[:200]


def _refusal(becomes: Becomes, action: str, message: str) -> PorticoError:
    if isinstance(becomes, str):
        return SystemRefused("whmcs", becomes, message, action=action, **_field(message))
    make: Callable[[str], PorticoError] = becomes
    return make(f"whmcs {action}")


def _field(message: str) -> dict[str, str]:
    said = " ".join(message.lower().split())
    name = next((name for beginning, name in FIELDS if said.startswith(beginning)), None)
    return {"field": name} if name else {}
