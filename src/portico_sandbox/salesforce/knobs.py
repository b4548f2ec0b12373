"""Facts that the references could not verify, and periods that tests shorten: each can be turned while running."""

from __future__ import annotations

from typing import Final

from portico_sandbox.sandbox import Sandbox

DEFAULTS: Final[dict[str, str]] = {
    "keepalive_seconds": "270",  # an empty answer at the latest after so long without an event
    "idle_seconds": "60",  # a stream without credit is closed after this
    "activation_with_other_fields": "FIELD_INTEGRITY_EXCEPTION",
    "activation_without_items": "FAILED_ACTIVATION",
    "created_activated": "FAILED_ACTIVATION",
    "lines_of_activated_order": "ENTITY_IS_LOCKED",
    "delete_of_activated_order": "ENTITY_IS_LOCKED",
    "unknown_topic": "NOT_FOUND",  # gRPC status
    "session_hours": "2",  # of inactivity
    "daily_calls": "100000",
    "smallest_batch": "1",  # the vendor's is 200; small worlds must page as well
}


def knob(sandbox: Sandbox, name: str) -> str:
    row = sandbox.store.get("sf_knobs", name)
    return row["value"] if row else DEFAULTS[name]


def turn(sandbox: Sandbox, name: str, value: str) -> None:
    """Raises KeyError where there is no such knob. A reset turns all of them back."""
    if name not in DEFAULTS:
        raise KeyError(name)
    with sandbox.store.begin() as tx:
        tx.put("sf_knobs", name, {"value": value})
