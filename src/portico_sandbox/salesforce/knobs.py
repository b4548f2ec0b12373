"""Facts that the references could not verify, and periods that tests shorten: each can be turned while running."""

from __future__ import annotations

from typing import Any, Final

from portico_sandbox.sandbox import Sandbox

UNVERIFIED_CODES: Final = (
    "topic.not.found",
    "topic.permission.denied",
    "schema.not.found",
    "subscription.fetch.topic.mismatch",
    "publish.topic.mismatch",
    "publish.events.missing",
    "managed.subscription.invalid",
    "managed.subscription.stopped",
    "managed.subscription.not.found",
    "commit.replayid.invalid",
    "INVALIDJOB",
    "INVALIDJOBSTATE",
    "API_ERROR",
    "UNDELETE_FAILED",
    "INVALID_CROSS_REFERENCE_KEY",
    "EXCEEDED_ID_LIMIT",
)
"""Error codes of the stand-in for which there is no source, or none for where it says them. Each is a knob of its own
name: no client may come to depend on how it is spelled."""

DEFAULTS: Final[dict[str, str]] = {
    **{code: code for code in UNVERIFIED_CODES},
    "keepalive_seconds": "270",  # an empty answer at the latest after so long without an event
    "idle_seconds": "60",  # a stream without credit is closed after this
    "initial_response": "yes",  # an empty answer as soon as a subscription stands
    "events_per_response": "100",
    "largest_response": "3000000",  # bytes
    "largest_event": "1000000",  # bytes; beyond it there is a gap event
    "changes_per_transaction": "100000",  # beyond it there is one overflow event per object
    "diff_texts_from": "1000",  # characters from which a changed text is told as a diff; 0: never
    "gaps_pass_filters": "yes",
    "selected_objects": "5",  # how many may publish their changes; 0: any number
    "deliveries_per_day": "0",  # events of rolling 24 h, all clients together; 0: any number
    "clients": "0",  # open subscriptions; 0: any number
    "limit_status": "RESOURCE_EXHAUSTED",  # gRPC status of both limits
    "forbidden_topic": "PERMISSION_DENIED",  # gRPC status
    "dead_tokens_end_streams": "no",
    "update_then_delete": "UPDATE",  # what one transaction tells that did both: its first change
    "activation_with_other_fields": "FIELD_INTEGRITY_EXCEPTION",
    "activation_without_items": "FAILED_ACTIVATION",
    "created_activated": "FAILED_ACTIVATION",
    "lines_of_activated_order": "ENTITY_IS_LOCKED",
    "delete_of_activated_order": "ENTITY_IS_LOCKED",
    "unknown_topic": "NOT_FOUND",  # gRPC status
    "session_hours": "2",  # of inactivity
    "daily_calls": "100000",
    "smallest_batch": "1",  # the vendor's is 200; small worlds must page as well
    "locator_hours": "48",
    "long_call_seconds": "20",  # calls that last longer are counted as concurrent
    "concurrent_calls": "25",  # long ones at a time
    "soap_login_newest": "64",  # API version; later ones have no login()
    "sent_email_changed": "INSUFFICIENT_ACCESS_OR_READONLY",
    "orders_feature": "on",  # off: Order and its kin are unknown objects
    "duplicate_rule": "off",  # alert, block
    "locked_row_status": "400",  # HTTP
    "precondition_failed": "PRECONDITION_FAILED",  # errorCode of a 412
    "too_many_subrequests": "LIMIT_EXCEEDED",  # errorCode of envelopes with too much in them
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


def code_said(sandbox: Sandbox, code: str) -> str:
    """How an error code is spelled on the wire: as it is, but for the unverified ones, which are knobs."""
    return knob(sandbox, code) if code in UNVERIFIED_CODES else code


def codes_said(sandbox: Sandbox, body: Any) -> Any:
    """The body of an answer with its error codes as they are spelled on the wire."""
    rows = sandbox.store.table("sf_knobs")
    turned = {code: rows[code]["value"] for code in UNVERIFIED_CODES if code in rows}
    return _respelled(body, turned) if turned else body


def _respelled(body: Any, turned: dict[str, str]) -> Any:
    if isinstance(body, list):
        return [_respelled(each, turned) for each in body]
    if not isinstance(body, dict):
        return body
    is_code = {name for name in ("errorCode", "statusCode") if isinstance(body.get(name), str)}
    return {
        name: turned.get(value, value) if name in is_code else _respelled(value, turned) for name, value in body.items()
    }
