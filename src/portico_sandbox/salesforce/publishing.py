"""Publish and PublishStream: platform events of clients, each accepted or refused by itself."""

from __future__ import annotations

import uuid
from typing import Any

from portico_sandbox.salesforce import wire
from portico_sandbox.salesforce.event_log import ring
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.platform_events import (
    PayloadWrong,
    PlatformEvent,
    check_payload,
    platform_event,
    publish,
)
from portico_sandbox.salesforce.positions import replay_bytes
from portico_sandbox.salesforce.schema_versions import schema_with
from portico_sandbox.salesforce.stream_ends import Ended
from portico_sandbox.salesforce.topics import topic_named
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Transaction


def answer_publish(sandbox: Sandbox, request: Any, *, opened_for: str = "") -> Any:
    """The PublishResponse. `opened_for` is the topic of a stream: it can't change. Raises Ended."""
    topic_name = request.topic_name or opened_for
    if opened_for and topic_name != opened_for:
        raise Ended("INVALID_ARGUMENT", "publish.topic.mismatch", "The topic of a stream is fixed")
    event = publishable(sandbox, topic_name)
    if not request.events:
        raise Ended("INVALID_ARGUMENT", "publish.events.missing", "There is no event to publish")
    with sandbox.store.begin() as tx:
        results = [_result(sandbox, tx, event, each) for each in request.events]
    ring(sandbox)
    return wire.PublishResponse(results=results, schema_id=event.schema.id, rpc_id=str(uuid.uuid4()))


def publishable(sandbox: Sandbox, topic_name: str) -> PlatformEvent:
    """Raises Ended where nobody may publish there."""
    topic = topic_named(sandbox, topic_name)
    if topic is None:
        raise Ended(knob(sandbox, "unknown_topic"), "topic.not.found", f"The topic {topic_name} does not exist")
    event = platform_event(sandbox.store, topic_name.removeprefix("/event/"))
    if event is None or not topic.can_publish:
        status = knob(sandbox, "forbidden_topic")
        raise Ended(status, "topic.permission.denied", f"This user can't publish to {topic_name}")
    return event


def _result(sandbox: Sandbox, tx: Transaction, event: PlatformEvent, produced: Any) -> Any:
    key = produced.id or str(uuid.uuid4())
    try:
        _check(sandbox, event, produced)
    except PayloadWrong as wrong:
        return wire.PublishResult(error=wire.Error(code=wire.PUBLISH_ERROR, msg=str(wrong)), correlation_key=key)
    headers = [(each.key, each.value) for each in produced.headers]
    _, replay = publish(
        sandbox, tx, event, produced.payload, event_id=key, headers=headers, schema_id=produced.schema_id
    )
    return wire.PublishResult(replay_id=replay_bytes(replay), correlation_key=key)


def _check(sandbox: Sandbox, event: PlatformEvent, produced: Any) -> None:
    schema = schema_with(sandbox, produced.schema_id)
    if schema is None or f'"name":"{event.name}"' not in schema.json:
        raise PayloadWrong(f"{produced.schema_id} is no schema of {event.name}")
    if len(produced.payload) > int(knob(sandbox, "largest_event")):
        raise PayloadWrong("The event is larger than events may be")
    check_payload(schema, produced.payload)
