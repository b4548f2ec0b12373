"""The topics that can be subscribed to, and what an event of the log looks like on each."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from portico_sandbox.salesforce.access import is_closed
from portico_sandbox.salesforce.avro_schemas import EventSchema
from portico_sandbox.salesforce.channels import PORTAL_CHANNEL, Member, channel_names, members_of, selected_names
from portico_sandbox.salesforce.event_log import Entry
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import row_of
from portico_sandbox.salesforce.objects import BY_NAME, ENTITIES, entity_named
from portico_sandbox.salesforce.platform_events import platform_event
from portico_sandbox.salesforce.schema_versions import current_schema, schema_with
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

__all__ = ["PORTAL_CHANNEL", "Delivery", "Topic", "deliveries", "topic_named"]


@dataclass(frozen=True)
class Topic:
    name: str
    members: Mapping[str, Member]
    """By object name."""
    is_channel: bool = False
    schema_id: str = ""
    """Of a topic that carries several objects there is none: every event names its own."""
    can_publish: bool = False
    can_subscribe: bool = True
    schemas: dict[str, EventSchema] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Delivery:
    """One event as one subscriber gets it."""

    event_id: str
    schema_id: str
    payload: bytes
    replay: int
    number: int
    headers: tuple[tuple[str, bytes], ...] = ()


def topic_named(sandbox: Sandbox, name: str) -> Topic | None:
    """Names are case-sensitive here."""
    store = sandbox.store
    may = (store.get("sf_topics", name) or {"can_subscribe": True})["can_subscribe"]
    selected = selected_names(store)
    readable = [each for each in sorted(selected) if not is_closed(sandbox, BY_NAME[each.lower()])]
    if name == "/data/ChangeEvents":
        return Topic(name, {each: Member(each) for each in readable}, can_subscribe=may)
    if name in channel_names(store):
        members = {each.entity: each for each in members_of(store, name) if each.entity in readable}
        return Topic(name, members, is_channel=True, can_subscribe=may)
    message = platform_event(store, name.removeprefix("/event/")) if name.startswith("/event/") else None
    if message:
        return Topic(name, {message.name: Member(message.name)}, False, message.schema.id, True, may)
    entity = next((each for each in ENTITIES if _topic_of(each.name) == name), None)
    if entity is None or entity.name not in selected:
        return None
    return Topic(
        name,
        {entity.name: Member(entity.name)},
        False,
        current_schema(sandbox, entity).id,
        can_subscribe=may and not is_closed(sandbox, entity),
    )


def deliveries(sandbox: Sandbox, topic: Topic, entry: Entry) -> list[Delivery]:
    """None where the topic does not carry the object; several where enrichment takes a merged event apart."""
    event = entry.body
    header: Row = event["header"]
    member = topic.members.get(header["entityName"])
    if member is None:
        return []
    if "payload" in event:
        return [_message(entry)]
    if not (topic.is_channel and member.all_enriched) or header["changeType"].startswith("GAP_"):
        is_wanted = not topic.is_channel or _passes(sandbox, member, event, header["recordIds"][0])
        return [_delivery(sandbox, topic, entry, entry.id, header["recordIds"], event["values"])] if is_wanted else []
    single = len(header["recordIds"]) == 1
    return [
        _delivery(
            sandbox, topic, entry, entry.id if single else _part_id(entry.id, each), [each],
            _enriched(sandbox, member, event, each),
        )
        for each in header["recordIds"]
        if _passes(sandbox, member, event, each)
    ]  # fmt: skip


def _message(entry: Entry) -> Delivery:
    """A platform event, as its publisher wrote it."""
    event = entry.body
    payload = base64.b64decode(event["payload"])
    headers = tuple((key, base64.b64decode(value)) for key, value in event["headers"])
    schema_id = event.get("unknown_schema") or event["schema"]
    return Delivery(entry.id, schema_id, _damaged(event, payload), entry.replay, entry.number, headers)


def _damaged(event: Row, payload: bytes) -> bytes:
    """The payload, beyond decoding where a dial wanted that when the event was logged."""
    return b"\xff" + payload[: len(payload) // 2] if event.get("broken") else payload


def _topic_of(entity_name: str) -> str:
    stem = f"{entity_name.removesuffix('__c')}__" if entity_name.endswith("__c") else entity_name
    return f"/data/{stem}ChangeEvent"


def _delivery(
    sandbox: Sandbox, topic: Topic, entry: Entry, event_id: str, record_ids: list[str], values: Row
) -> Delivery:
    event = entry.body
    schema = _schema(sandbox, topic, event["schema"])
    header = event["header"] | {
        "recordIds": record_ids,
        "nulledFields": schema.bitmap(event["nulled"]),
        "diffFields": schema.bitmap(event["diffs"]),
        "changedFields": schema.bitmap(event["changed"]),
    }
    payload = _damaged(event, schema.encoded(header, values))
    return Delivery(event_id, event.get("unknown_schema") or schema.id, payload, entry.replay, entry.number)


def _schema(sandbox: Sandbox, topic: Topic, schema_id: str) -> EventSchema:
    """Looked up once for a topic and not for every event."""
    if schema_id not in topic.schemas:
        found = schema_with(sandbox, schema_id)
        assert found  # whatever was logged was written with a schema of ours
        topic.schemas[schema_id] = found
    return topic.schemas[schema_id]


def _passes(sandbox: Sandbox, member: Member, event: Row, record_id: str) -> bool:
    """Whether the channel's filter lets the record through. Gaps carry no values: a knob says what becomes of them."""
    wanted = member.parsed_filter
    if wanted is None:
        return True
    if event["header"]["changeType"].startswith("GAP_"):
        return knob(sandbox, "gaps_pass_filters") == "yes"
    return wanted.test(_record(sandbox, member, event, record_id) | _whole(event))


def _whole(event: Row) -> Row:
    """Values that the event itself has, but for long texts that it has as a diff only."""
    return {name: value for name, value in event["values"].items() if name not in event["diffs"]}


def _enriched(sandbox: Sandbox, member: Member, event: Row, record_id: str) -> Row:
    """Unchanged fields beside the changed ones; new and restored records are told whole anyway."""
    values: Row = event["values"]
    if event["header"]["changeType"] in ("CREATE", "UNDELETE"):
        return values
    row = _record(sandbox, member, event, record_id)
    return {name: row.get(name) for name in member.all_enriched} | values


def _record(sandbox: Sandbox, member: Member, event: Row, record_id: str) -> Row:
    """The row as it is now, which a replay shows too; else as it was when it went."""
    entity = entity_named(member.entity)
    row = row_of(sandbox.store, entity, record_id, deleted=True) if entity else None
    return dict(row or event["enriched"].get(record_id, {}))


def _part_id(event_id: str, record_id: str) -> str:
    """Parts of a merged event share its replay id, not its id: who drops doubles by id must not lose one."""
    return str(uuid.uuid5(uuid.UUID(event_id), record_id))
