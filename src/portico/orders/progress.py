"""Where an order stands, in the customer's words: one status, and the steps with their times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from portico.i18n import Message, _m
from portico.orders.orders import OrderWithJournal
from portico.orders.timeline import CANCELLED as CANCELLED_LINE
from portico.orders.timeline import Journal, Step
from portico.systems.salesforce.orders import Order, OrderItem

Tone = Literal["neutral", "info", "warning", "good", "bad"]
StepState = Literal["upcoming", "running", "waiting", "done", "stopped"]
StatusCode = Literal[
    "waiting_for_approval",
    "cancelled",
    "approved",
    "being_set_up",
    "preparing_esim",
    "needs_you",
    "with_staff",
    "complete",
]

BY: dict[str, Message] = {
    "customer": _m("You"),
    "portico": _m("Portal"),
    "salesforce": _m("Our staff"),
    "whmcs": _m("Billing"),
    "freebit": _m("Mobile network"),
}


@dataclass(frozen=True)
class Status:
    code: StatusCode
    words: Message
    tone: Tone


@dataclass(frozen=True)
class ProgressStep:
    """`usually` says how long it takes; `fix_at` is where the customer can mend what it waits for."""

    step: str
    title: Message
    state: StepState
    at: datetime | None
    by: Message
    usually: Message | None
    reason_code: str | None
    message: Message | None
    fix_at: str | None


@dataclass(frozen=True)
class Install:
    """What a phone needs to load the eSIM: a bearer secret, never in an address that could be kept."""

    item: OrderItem
    lpa: str
    smdp_address: str
    matching_id: str
    number: str


@dataclass(frozen=True)
class Progress:
    status: Status
    steps: list[ProgressStep]
    """All of them, as the journal has them."""
    shown: list[ProgressStep]
    """For reading: what is one thing to the customer is one line."""
    installs: list[Install]
    change: int
    """The last change that is in it: from there on a stream goes on."""


WAITING_FOR_APPROVAL = Status("waiting_for_approval", _m("Waiting for approval"), "info")
CANCELLED = Status("cancelled", _m("Cancelled"), "neutral")
APPROVED = Status("approved", _m("Approved"), "info")
STATUSES: dict[str, Status] = {
    "running": Status("being_set_up", _m("Being set up"), "info"),
    "waiting_system": Status("being_set_up", _m("Being set up"), "info"),
    "waiting_staff": Status("being_set_up", _m("Being set up"), "info"),
    "waiting_freebit": Status("preparing_esim", _m("eSIM being prepared"), "info"),
    "waiting_customer": Status("needs_you", _m("Needs you"), "warning"),
    "parked": Status("with_staff", _m("With our staff"), "info"),
    "done": Status("complete", _m("Complete"), "good"),
}

# Step of the journal → title, who does it, how long it usually takes. Steps that only staff care for are left out.
BEFORE: tuple[tuple[str, Message, str, Message | None], ...] = (
    ("placed", _m("Order received"), "portico", None),
    ("approval", _m("Order checked and approved"), "salesforce", _m("usually within one business day")),
    ("payment_method", _m("Payment method checked"), "whmcs", _m("usually seconds")),
    ("billing_order", _m("Billing prepared"), "whmcs", _m("usually seconds")),
    ("amounts", _m("Prices compared with your order"), "portico", _m("usually seconds")),
    ("accepted", _m("Billing confirmed"), "whmcs", _m("usually seconds")),
)
PER_ESIM: tuple[tuple[str, Message, str, Message | None], ...] = (
    ("esim", _m("eSIM requested"), "freebit", _m("usually seconds")),
    ("line", _m("Line activated"), "freebit", _m("usually a few minutes")),
)
AFTER: tuple[tuple[str, Message, str, Message | None], ...] = (
    ("recorded", _m("Ready to use"), "portico", _m("usually seconds")),
)
BILLING_STEPS = ("billing_order", "amounts", "accepted")
BILLING = _m("Billing set up")
CANCELLED_BY: dict[str, Message] = {
    "customer": _m("Cancelled by you"),
    "salesforce": _m("Cancelled by our staff"),
}
NOT_BEGUN = ("ORDER_WITHDRAWN", "CANCELLATION_UNDER_WAY", "CANCELLED_BY_CUSTOMER")
"""Reason codes of fulfillment/outcomes.py: what Salesforce says of the order counts."""
WITH_STAFF = _m("Our staff are checking your order and will get in touch if they need something from you.")


def progress_of(known: OrderWithJournal, smdp_address: str) -> Progress:
    order, journal = known.order, known.journal
    status = status_of(order, journal)
    steps = [_step(journal, order, *line) for line in _plan(order)]
    if status is CANCELLED:
        steps = [*(step for step in steps if step.state == "done"), _cancelled(journal)]
    change = max((step.change for step in journal.steps.values()), default=0)
    return Progress(status, steps, _folded(steps), list(_installs(order, journal, smdp_address)), change)


def status_of(order: Order, journal: Journal) -> Status:
    """The journal knows more than Salesforce once fulfillment has begun, until its approval is taken back."""
    if journal.state is not None and (journal.reason_code not in NOT_BEGUN or _is_parked_approved(order, journal)):
        return STATUSES[journal.state]
    if order.is_approved:
        return STATUSES["done"] if order.fulfillment_status == "Completed" else APPROVED
    return CANCELLED if order.stage == "cancelled" else WAITING_FOR_APPROVAL


def _is_parked_approved(order: Order, journal: Journal) -> bool:
    """Approved after it was cancelled: staff have to say what counts."""
    return journal.state == "parked" and order.is_approved


def _cancelled(journal: Journal) -> ProgressStep:
    """Without a line of the journal nobody here did it: an order of before the portal, or not heard of yet."""
    line = journal.steps.get(CANCELLED_LINE)
    actor, at = (line.actor, line.updated_at) if line and line.state == "done" else ("salesforce", None)
    return ProgressStep(CANCELLED_LINE, CANCELLED_BY[actor], "done", at, BY[actor], None, None, None, None)


def _folded(steps: list[ProgressStep]) -> list[ProgressStep]:
    """Billing is one line: as far as the first of its steps that is not done, with the time of the last that is."""
    parts = [step for step in steps if step.step in BILLING_STEPS]
    if not parts:
        return steps
    telling = next((step for step in parts if step.state != "done"), parts[-1])
    begun = any(step.state == "done" for step in parts)
    state = "running" if telling.state == "upcoming" and begun else telling.state
    times = [step.at for step in parts if step.at]
    line = replace(telling, step="billing", title=BILLING, by=BY["whmcs"], state=state, at=max(times, default=None))
    first = steps.index(parts[0])
    return [*steps[:first], line, *steps[first + len(parts) :]]


def _plan(order: Order) -> Iterator[tuple[str, Message, str, Message | None]]:
    yield from BEFORE
    for item in order.items:
        if item.sim_kind == "eSIM":
            for step, title, by, usually in PER_ESIM:
                yield f"{step}:{item.id}", title, by, usually
    yield from AFTER


def _step(journal: Journal, order: Order, step: str, title: Message, by: str, usually: Message | None) -> ProgressStep:
    line = journal.steps.get(step)
    if line is None:
        state, at = _unwritten(journal, order, step)
        return ProgressStep(step, title, state, at, BY[by], usually, None, None, None)
    stands_still = line.state in ("waiting", "stopped")
    stuck = journal.state == "parked" and line.state == "running"
    return ProgressStep(
        step,
        title,
        "stopped" if stuck else line.state,
        line.updated_at,
        BY[by],
        usually if line.state in ("running", "waiting") else None,
        line.reason_code,
        WITH_STAFF if stuck else _message(line) if stands_still else None,
        line.facts.get("fix_at") if stands_still else None,
    )


def _unwritten(journal: Journal, order: Order, step: str) -> tuple[StepState, datetime | None]:
    """Orders that were not placed here, or are older than our journal, still have their own dates."""
    if step == "placed":
        return "done", order.created_at
    if step == "approval":
        return ("done", None) if order.is_approved else ("waiting", None)
    if journal.state is None and order.fulfillment_status == "Completed":
        return "done", None
    return "upcoming", None


def _message(line: Step) -> Message | None:
    words = line.facts.get("message")
    return Message(words) if words else None


def _installs(order: Order, journal: Journal, smdp_address: str) -> Iterator[Install]:
    for item in order.items:
        line = journal.steps.get(f"line:{item.id}")
        if line is not None and line.state == "done":
            matching_id = line.facts.get("matching_id", "")
            lpa = f"LPA:1${smdp_address}${matching_id}"
            yield Install(item, lpa, smdp_address, matching_id, line.facts.get("account", ""))
