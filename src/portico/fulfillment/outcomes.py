"""Every way that fulfillment can stop: who can fix it, what each side reads, what Salesforce is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from portico.i18n import Message, _m
from portico.orders.timeline import RunState

SalesforceStatus = Literal["In Progress", "On Hold", "Failed", "Completed"]

_PREPARING = _m("We are preparing your order. There is nothing you need to do.")
_CHECKING = _m("Our staff are checking your order and will get in touch if they need something from you.")


@dataclass(frozen=True)
class Outcome:
    """`code` is stable and is written to Salesforce with `for_staff`; `fix_at` is where the customer can mend it."""

    code: str
    state: RunState
    for_customer: Message
    for_staff: str
    fix_at: str | None = None
    look_again: timedelta | None = None
    """Without an event; None: only an event, or a member of staff, moves it."""

    @property
    def told(self) -> SalesforceStatus:
        return TOLD[self.state]


TOLD: dict[RunState, SalesforceStatus] = {
    "running": "In Progress",
    "waiting_system": "In Progress",
    "waiting_customer": "On Hold",
    "waiting_staff": "On Hold",
    "waiting_freebit": "On Hold",
    "parked": "Failed",
    "done": "Completed",
}

PAYMENT_METHOD_MISSING = Outcome(
    "PAYMENT_METHOD_MISSING",
    "waiting_customer",
    _m("There is no valid payment method on your account. Add a card; your order goes on by itself then."),
    "The client has no usable payment method in WHMCS. The order goes on by itself once one is added.",
    fix_at="/billing/payment-methods",
    look_again=timedelta(minutes=5),
)
LINE_NUMBER_MISSING = Outcome(
    "LINE_NUMBER_MISSING",
    "waiting_staff",
    _PREPARING,
    "Put the phone number on the eSIM order item (line number). The order goes on by itself then.",
    look_again=timedelta(minutes=10),
)
EID_MISSING = Outcome(
    "EID_MISSING",
    "parked",
    _CHECKING,
    "The eSIM order item has no valid EID (32 digits). Correct it, then set the fulfillment status to Pending.",
)
PRODUCT_NOT_MAPPED = Outcome(
    "PRODUCT_NOT_MAPPED",
    "parked",
    _CHECKING,
    "A product of this order has no WHMCS product id, or an eSIM plan has no Freebit plan code. Complete Product2.",
)
CUSTOMER_NOT_MAPPED = Outcome(
    "CUSTOMER_NOT_MAPPED",
    "parked",
    _CHECKING,
    "No portal user is mapped to this account, so that there is no WHMCS client to bill.",
)
PRICE_MISMATCH = Outcome(
    "PRICE_MISMATCH",
    "parked",
    _CHECKING,
    "The amounts of the WHMCS order differ from the order items. The WHMCS order was left pending: compare both.",
)
BILLING_REFUSED = Outcome(
    "BILLING_REFUSED",
    "parked",
    _CHECKING,
    "WHMCS refused the order for good. Its message is in the log and the journal.",
)
BILLING_DOUBLE = Outcome(
    "BILLING_DOUBLE",
    "parked",
    _CHECKING,
    "More than one WHMCS order carries this order's marker. Cancel all but one, then set the status to Pending.",
)
SIM_REFUSED = Outcome(
    "SIM_REFUSED", "parked", _CHECKING, "Freebit refused the eSIM activation for good. Its codes follow."
)
SIM_FAILED = Outcome(
    "SIM_FAILED", "parked", _CHECKING, "Freebit accepted the eSIM activation and failed it later. Check the line there."
)
SIM_TIMEOUT = Outcome(
    "SIM_TIMEOUT", "parked", _CHECKING, "Freebit has not finished the eSIM activation in time. Check the line there."
)
SIM_DOUBLE = Outcome(
    "SIM_DOUBLE", "parked", _CHECKING, "More than one line at Freebit carries this EID. Check the lines there."
)
SIM_PENDING = Outcome(
    "SIM_PENDING",
    "waiting_freebit",
    _m("The mobile network is preparing your eSIM. This usually takes a few minutes."),
    "Freebit accepted the eSIM activation and is working on it.",
)
OUTCOME_UNKNOWN = Outcome(
    "OUTCOME_UNKNOWN",
    "waiting_system",
    _PREPARING,
    "A call was sent and its outcome is not known yet; it is looked up before anything is repeated.",
)
SYSTEM_DOWN = Outcome(
    "SYSTEM_DOWN", "waiting_system", _PREPARING, "A system could not be reached. The order is tried again by itself."
)
STEP_FAILED = Outcome(
    "STEP_FAILED",
    "waiting_system",
    _PREPARING,
    "A step failed in a way that may pass. It is tried again by itself a few times before the order is parked.",
)
INTERNAL_ERROR = Outcome(
    "INTERNAL_ERROR",
    "parked",
    _CHECKING,
    "The same step failed several times in a way that the portal can't mend. Its log has more by this order's id.",
)
ORDER_WITHDRAWN = Outcome(
    "ORDER_WITHDRAWN",
    "waiting_staff",
    _CHECKING,
    "The order is no longer approved in Salesforce. It goes on when it is approved again.",
    look_again=timedelta(minutes=30),
)
CANCELLATION_UNDER_WAY = Outcome(
    "CANCELLATION_UNDER_WAY",
    "waiting_system",
    _m("You asked to cancel this order; we are finding out whether that came before its approval."),
    "The customer is cancelling this order; its outcome is not known yet. Nothing is set up meanwhile.",
    look_again=timedelta(seconds=10),
)
CANCELLED_BY_CUSTOMER = Outcome(
    "CANCELLED_BY_CUSTOMER",
    "parked",
    _CHECKING,
    "The customer cancelled this order before it was approved, so that nothing is set up. Cancel it here as well; or,"
    " if the customer wants it after all, set the fulfillment status to Pending.",
)
DONE = Outcome("", "done", _m("Your order is complete."), "")

OUTCOMES = {outcome.code: outcome for outcome in list(vars().values()) if isinstance(outcome, Outcome)}


class Stopped(Exception):
    """A step can't go on. `detail` is for staff only (their codes, the amounts); it follows the sentence."""

    def __init__(self, outcome: Outcome, detail: str = "", *, look_again: timedelta | None = None) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome
        self.detail = detail
        self.look_again = look_again or outcome.look_again

    @property
    def for_staff(self) -> str:
        return f"{self.outcome.for_staff} {self.detail}".strip()
