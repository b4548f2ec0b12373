"""A change event: Avro bytes to what happened, to which records. What can't be decoded is an event too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Final

import fastavro

from portico.systems.salesforce.bitmaps import EVERYTHING, Layout, changed_by, layout_of
from portico.systems.salesforce.sf_id import is_nobody, normalized

ALL: Final = ("*",)
"""In place of record ids: any record of the entity may have changed."""

PUBLISHED: Final = "PUBLISHED"
"""Kind of change of a platform event."""

UNKNOWN: Final = ""
"""Entity, and kind of change, of an event that can't be decoded."""


@dataclass(frozen=True)
class Ourselves:
    """How our own writes look in events."""

    client_name: str
    user_id: str


@dataclass(frozen=True)
class Schema:
    avro: Any
    layout: Layout

    @property
    def entity(self) -> str:
        return self.layout.record.removesuffix("ChangeEvent")

    @property
    def is_of_platform_event(self) -> bool:
        """`/event/Name__e`: somebody's own event, without the header that changes have."""
        return "ChangeEventHeader" not in self.layout.fields


@dataclass(frozen=True)
class ChangeEvent:
    event_id: str
    """The same for every delivery of this event: store it once by this."""
    replay_id: bytes
    """Not unique: events of one transaction may share it."""
    entity: str
    """`Order`, `Account`…; empty where nothing could be decoded, which means any entity of the topic."""
    record_ids: tuple[str, ...]
    """18 characters each, or ALL."""
    change_type: str
    """CREATE, UPDATE, DELETE, UNDELETE, GAP_…, GAP_OVERFLOW; empty where undecodable."""
    changed_fields: frozenset[str]
    """Of an UPDATE; EVERYTHING otherwise."""
    account_id: str | None
    """Where the payload holds it: of Order by enrichment, and of whatever has an AccountId."""
    order_id: str | None
    """The same for OrderItem's order."""
    commit_at: datetime | None
    own: bool
    """Whether our own write caused it."""
    transaction: str
    """Salesforce's key of the transaction; of a gap it may be another one."""
    schema_id: str
    raw: bytes
    """The payload, for parking; holds personal data."""
    problem: str | None = None
    """Why it could not be decoded: then treat the whole entity as changed."""

    @property
    def concerns_all(self) -> bool:
        """Any record of the entity may have changed."""
        return self.record_ids == ALL

    @property
    def is_gap(self) -> bool:
        """Tells which records to read anew, but not what happened to them."""
        return self.change_type.startswith("GAP_")

    @property
    def is_overflow(self) -> bool:
        return self.change_type == "GAP_OVERFLOW"


def schema_of(schema_json: str) -> Schema:
    """Raises ValueError, KeyError, TypeError or fastavro's SchemaParseException for what is no schema of an event."""
    return Schema(fastavro.parse_schema(json.loads(schema_json)), layout_of(schema_json))


def event_of(consumer_event: Any, schema: Schema | None, ourselves: Ourselves, order_field: str = "") -> ChangeEvent:
    """The event in a ConsumerEvent message; never raises. `schema` None: the service knows no such schema.

    `order_field` is the field of a platform event that holds an order's id.
    """
    if schema is None:
        return _undecodable(consumer_event, UNKNOWN, "unknown schema")
    try:
        record = _decoded(consumer_event.event.payload, schema)
        if schema.is_of_platform_event:
            return _platform_event(consumer_event, record, schema, order_field)
        return _event(consumer_event, record, schema, ourselves)
    except Exception as error:  # noqa: BLE001  bytes from outside can make a decoder fail in any way; the stream goes on
        return _undecodable(consumer_event, schema.entity, type(error).__name__)


def _decoded(payload: bytes, schema: Schema) -> dict[str, Any]:
    stream = BytesIO(payload)
    record = fastavro.schemaless_reader(stream, schema.avro, None)
    if stream.read(1) or not isinstance(record, dict):
        raise ValueError("payload does not fit its schema")
    return record


def _event(message: Any, record: dict[str, Any], schema: Schema, ourselves: Ourselves) -> ChangeEvent:
    header = record["ChangeEventHeader"]
    return ChangeEvent(
        event_id=message.event.id or _digest_of(header),
        replay_id=message.replay_id,
        entity=header["entityName"],
        record_ids=_record_ids(header["recordIds"]),
        change_type=header["changeType"],
        changed_fields=_changed(header, schema.layout),
        account_id=_id_in(record, "AccountId"),
        order_id=_id_in(record, "OrderId"),
        commit_at=datetime.fromtimestamp(header["commitTimestamp"] / 1000, UTC),
        own=_is_own(header, ourselves),
        transaction=header["transactionKey"],
        schema_id=message.event.schema_id,
        raw=message.event.payload,
    )


def _undecodable(message: Any, entity: str, problem: str) -> ChangeEvent:
    digest = hashlib.sha256(message.replay_id + message.event.payload).hexdigest()
    return ChangeEvent(
        event_id=message.event.id or digest,
        replay_id=message.replay_id,
        entity=entity,
        record_ids=ALL,
        change_type=UNKNOWN,
        changed_fields=EVERYTHING,
        account_id=None,
        order_id=None,
        commit_at=None,
        own=False,
        transaction="",
        schema_id=message.event.schema_id,
        raw=message.event.payload,
        problem=problem,
    )


def _platform_event(message: Any, record: dict[str, Any], schema: Schema, order_field: str) -> ChangeEvent:
    """Asks for an order, by whoever published it. Without a readable id it may mean any."""
    event = _undecodable(message, schema.entity, "")
    created = record.get("CreatedDate")
    order_id = _id_in(record, order_field)
    return replace(
        event,
        record_ids=(order_id,) if order_id else ALL,
        order_id=order_id,
        change_type=PUBLISHED,
        commit_at=datetime.fromtimestamp(created / 1000, UTC) if isinstance(created, int) else None,
        problem=None,
    )


def _record_ids(ids: list[str]) -> tuple[str, ...]:
    if not ids or any("*" in record_id or is_nobody(record_id) for record_id in ids):
        return ALL
    return tuple(normalized(record_id) for record_id in ids)


def _changed(header: Mapping[str, Any], layout: Layout) -> frozenset[str]:
    """An UPDATE without any bit says nothing, so that everything may have changed."""
    if header["changeType"] != "UPDATE":
        return EVERYTHING
    try:
        parts = [changed_by(header.get(kind) or (), layout) for kind in ("changedFields", "nulledFields", "diffFields")]
    except ValueError:
        return EVERYTHING
    if EVERYTHING in parts:
        return EVERYTHING
    return frozenset().union(*parts) or EVERYTHING


def _id_in(record: Mapping[str, Any], field: str) -> str | None:
    value = record.get(field)
    return normalized(value) if isinstance(value, str) and value else None


def _is_own(header: Mapping[str, Any], ourselves: Ourselves) -> bool:
    """`com/salesforce/api/rest/68.0;client=portico`, by our user: both, since a name can be taken by anybody."""
    options = header["changeOrigin"].split(";")[1:]
    user = header["commitUser"]
    return f"client={ourselves.client_name}" in options and bool(user) and normalized(user) == ourselves.user_id


def _digest_of(header: Mapping[str, Any]) -> str:
    parts = (header["transactionKey"], header["sequenceNumber"], header["entityName"], *header["recordIds"])
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
