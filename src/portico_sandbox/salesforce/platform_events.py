"""Platform events: messages with fields of their own on `/event/<Name>__e`, published by whoever may write."""

from __future__ import annotations

import base64
import io
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import fastavro

from portico_sandbox.salesforce.avro_schemas import EventSchema, avro_type, known
from portico_sandbox.salesforce.event_faults import append
from portico_sandbox.salesforce.event_log import ms, state_of
from portico_sandbox.salesforce.schema import FieldType
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Store, Transaction

_TABLE = "sf_platform_events"
_VERSIONS = "sf_platform_event_versions"


class PayloadWrong(Exception):
    """Bytes that are no event of this kind; the text says why."""


@dataclass(frozen=True)
class PlatformEvent:
    """`fields` are (name, type): names of custom fields, with their suffix."""

    name: str
    fields: tuple[tuple[str, FieldType], ...]

    @property
    def topic(self) -> str:
        return f"/event/{self.name}"

    @property
    def schema(self) -> EventSchema:
        return _schema_of(self)


ORDER_PROVISION_REQUESTED = PlatformEvent(
    "OrderProvisionRequested__e",
    (
        ("Order_Id__c", "string"),
        ("Account_Id__c", "string"),
        ("Reason__c", "string"),
        ("Requested_At__c", "datetime"),
        ("Attempt__c", "double"),
        ("Is_Urgent__c", "boolean"),
    ),
)
"""A wish of the org that an order be provisioned; the portal follows change events and does not need it."""


def platform_event(store: Store, name: str) -> PlatformEvent | None:
    """By its API name; a definition of the org's admin goes before the one that the org was set up with."""
    row = store.get(_TABLE, name)
    if row:
        return PlatformEvent(name, tuple((field, kind) for field, kind in row["fields"]))
    return ORDER_PROVISION_REQUESTED if name == ORDER_PROVISION_REQUESTED.name else None


def define(tx: Transaction, event: PlatformEvent) -> None:
    """A new platform event, or another shape of a known one: events of before keep their schema."""
    fields = [list(each) for each in event.fields]
    tx.put(_TABLE, event.name, {"fields": fields})
    tx.put(_VERSIONS, event.schema.id, {"name": event.name, "fields": fields})


def remember_schemas(store: Store) -> None:
    """After a restart, makes the schemas of all definitions known again."""
    _schema_of(ORDER_PROVISION_REQUESTED)
    for row in store.table(_VERSIONS).values():
        _schema_of(PlatformEvent(row["name"], tuple((field, kind) for field, kind in row["fields"])))


def payload_of(event: PlatformEvent, values: Row, user_id: str, at: datetime) -> bytes:
    """Values by field name as event bytes. Raises PayloadWrong where they don't fit their types."""
    unknown = sorted(values.keys() - {name for name, _ in event.fields})
    if unknown:
        raise PayloadWrong(f"No such column '{unknown[0]}' on sobject of type {event.name}")
    record: Row = dict.fromkeys((name for name, _ in event.fields), None) | values
    out = io.BytesIO()
    try:
        whole = {"CreatedDate": ms(at), "CreatedById": user_id, **record}
        fastavro.schemaless_writer(out, event.schema.parsed, whole, strict=True)
    except (ValueError, TypeError) as error:
        raise PayloadWrong(f"The values do not fit {event.name}: {error}") from error
    return out.getvalue()


def check_payload(schema: EventSchema, payload: bytes) -> Row:
    """The event's values. Raises PayloadWrong where the bytes are not what the schema says, to the last one."""
    data = io.BytesIO(payload)
    try:
        record: Any = fastavro.schemaless_reader(data, schema.parsed, None)
    except (EOFError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise PayloadWrong(f"The payload can't be decoded with schema {schema.id}") from error
    if data.read(1):
        raise PayloadWrong("The payload has bytes after its end")
    return dict(record)


def publish(
    sandbox: Sandbox,
    tx: Transaction,
    event: PlatformEvent,
    payload: bytes,
    *,
    event_id: str = "",
    headers: Sequence[tuple[str, bytes]] = (),
    schema_id: str = "",
) -> tuple[str, int]:
    """Appends one event; answers (its id, its replay id)."""
    body: Row = {
        "id": event_id or str(uuid.uuid4()),
        "schema": schema_id or event.schema.id,
        "header": {"entityName": event.name, "changeType": "", "recordIds": []},
        "payload": base64.b64encode(payload).decode(),
        "headers": [(key, base64.b64encode(value).decode()) for key, value in headers],
    }
    append(sandbox, tx, body, sandbox.clock.now())
    return body["id"], int(state_of(sandbox.store)["replay"])


@cache
def _schema_of(event: PlatformEvent) -> EventSchema:
    columns: list[Row] = [
        {"name": "CreatedDate", "type": "long", "doc": "CreatedDate:DateTime"},
        {"name": "CreatedById", "type": "string", "doc": "CreatedBy:EntityId"},
    ]
    columns += [{"name": name, "type": ["null", avro_type(kind)], "default": None} for name, kind in event.fields]
    return known({"type": "record", "name": event.name, "namespace": "com.sforce.eventbus", "fields": columns}, ())
