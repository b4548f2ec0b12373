"""The Avro schema of each object's change event, its id, its bitmaps and its bytes, all out of `objects.py`."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import fastavro

from portico_sandbox.salesforce.ids import field_id
from portico_sandbox.salesforce.objects import ENTITIES
from portico_sandbox.salesforce.schema import COMPOUNDS, Entity, Field, FieldType
from portico_sandbox.store import Row

CHANGE_TYPES = (
    "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "GAP_OVERFLOW",
    "SNAPSHOT",
)  # fmt: skip
_ADDRESS_PARTS = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "Xyz", "GeocodeAccuracy")
_NAME_PARTS = ("Salutation", "FirstName", "LastName")
_AVRO_TYPES = {"boolean": "boolean", "int": "int", "double": "double", "currency": "double", "date": "long",
               "datetime": "long"}  # fmt: skip
_DOCS = {
    "string": "Data:Text", "textarea": "Data:StringPlusClob", "picklist": "Data:DynamicEnum",
    "multipicklist": "Data:MultiEnum", "reference": "ForeignKey:EntityId", "boolean": "Data:Boolean",
    "int": "Data:Integer", "double": "Data:Double", "currency": "Data:Currency", "date": "Data:DateOnly",
    "datetime": "Data:DateTime", "email": "Data:Email", "phone": "Data:Phone", "url": "Data:Url",
}  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """What an admin did to an object's fields after the org was set up: a new custom field, or one taken away."""

    name: str
    type: FieldType = "string"
    before: str = ""
    """The field that a new one stands before; empty: at the end."""
    removes: bool = False


@dataclass(frozen=True)
class EventSchema:
    id: str
    json: str
    fields: tuple[Field, ...]
    """Those after the header: field n of the event is `fields[n - 1]`."""
    parsed: Any

    def encoded(self, header: Row, values: Row) -> bytes:
        """The payload of an event. `values` are row values by field name; what is not there is null."""
        record = {each.name: _column(each, values) for each in self.fields}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self.parsed, {"ChangeEventHeader": header, **record})
        return out.getvalue()

    def bitmap(self, names: Iterable[str]) -> list[str]:
        """Field names as the header's arrays carry them: the top level first, then one entry per compound field."""
        wanted = set(names)
        if not wanted:
            return []
        top, nested = 0, []
        for index, field in enumerate(self.fields, start=1):
            if field.type in COMPOUNDS:
                parts = _ADDRESS_PARTS if field.type == "address" else _NAME_PARTS
                holds = dict(field.parts)
                bits = sum(1 << n for n, part in enumerate(parts) if holds.get(part) in wanted)
                nested += [f"{index}-{_hex(bits)}"] if bits else []
            elif field.name in wanted:
                top |= 1 << index
        return ([_hex(top)] if top else []) + nested


_KNOWN: dict[str, EventSchema] = {}
"""Ids are fingerprints: they mean the same in every org of this process."""


@cache
def schema_of(entity: Entity, edits: tuple[Edit, ...] = ()) -> EventSchema:
    """The schema of an object's change events, after what admins did to it."""
    fields = _edited([each for each in entity.fields if each.in_events and not each.part_of], edits)
    named: set[str] = set()
    columns = [{"name": each.name, "type": _type(entity, each, named), "doc": _doc(each), "default": None}
               for each in fields]  # fmt: skip
    header = {"name": "ChangeEventHeader", "type": _header(), "doc": "Data:ComplexValueType"}
    record = {
        "type": "record",
        "name": f"{entity.name.removesuffix('__c')}{'__' if entity.name.endswith('__c') else ''}ChangeEvent",
        "namespace": "com.sforce.eventbus",
        "fields": [header, *columns],
    }
    return known(record, tuple(fields))


def known(record: dict[str, Any], fields: tuple[Field, ...]) -> EventSchema:
    """A schema out of its Avro record, found by its id from now on."""
    text = json.dumps(record, separators=(",", ":"))
    schema = EventSchema(fingerprint(text), text, fields, fastavro.parse_schema(json.loads(text)))
    return _KNOWN.setdefault(schema.id, schema)


def schema_by_id(schema_id: str) -> EventSchema | None:
    """One that this process has built, or that objects have without edits."""
    for entity in ENTITIES:
        schema_of(entity)
    return _KNOWN.get(schema_id)


def fingerprint(text: str) -> str:
    """22 characters, safe in URLs, as schema ids look."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def bitmap(entity: Entity, names: Iterable[str]) -> list[str]:
    """Bitmaps over an object's fields as the org was set up with them."""
    return schema_of(entity).bitmap(names)


def _edited(fields: list[Field], edits: tuple[Edit, ...]) -> list[Field]:
    for edit in edits:
        fields = [each for each in fields if each.name != edit.name]
        if not edit.removes:
            names = [each.name for each in fields]
            place = names.index(edit.before) if edit.before in names else len(names)
            fields.insert(place, Field(edit.name, edit.type, 255))
    return fields


def _column(field: Field, values: Row) -> Any:
    if field.type in COMPOUNDS:
        parts = {name: values.get(part) for name, part in field.parts}
        return parts if any(value is not None for value in parts.values()) else None
    value = values.get(field.name)
    return epoch_ms(field.type, value) if value is not None and field.type in ("date", "datetime") else value


def epoch_ms(kind: FieldType, value: str) -> int:
    """A stored date (midnight UTC) or moment, as change events carry it."""
    if kind == "date":
        moment = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
    else:
        moment = datetime.fromisoformat(value[:-5] + "+00:00")
    return int(moment.timestamp() * 1000)


def _hex(bits: int) -> str:
    digits = f"{bits:X}"
    return "0x" + digits.zfill(len(digits) + len(digits) % 2)


def _type(entity: Entity, field: Field, named: set[str]) -> list[Any]:
    if entity.name == "Account" and field.name == "Name":
        return ["null", "string", _record("Switchable_PersonName", _NAME_PARTS, named)]
    if field.type == "name":
        return ["null", _record("PersonName", _NAME_PARTS, named)]
    if field.type == "address":
        return ["null", _record("Address", _ADDRESS_PARTS, named)]
    return ["null", avro_type(field.type)]


def avro_type(kind: FieldType) -> str:
    """Text where there is nothing better: dates and moments are numbers."""
    return _AVRO_TYPES.get(kind, "string")


def _record(name: str, parts: tuple[str, ...], named: set[str]) -> Any:
    """A named type: spelled out where it is met first, its bare name from then on."""
    if name in named:
        return name
    named.add(name)
    kinds = {"Latitude": "double", "Longitude": "double"}
    columns = [{"name": part, "type": ["null", kinds.get(part, "string")], "default": None} for part in parts]
    return {"type": "record", "name": name, "fields": columns}


def _doc(field: Field) -> str:
    if field.name == "CreatedDate":
        return "CreatedDate:DateTime"
    if field.name == "Name" and field.type in ("name", "string"):
        return "Data:PersonName" if field.type == "name" else "Data:Switchable_PersonName"
    doc = _DOCS.get(field.type, "Data:Address")
    return f"{doc}:{field_id(_stable_number(field.name))}" if field.custom else doc


def _stable_number(name: str) -> int:
    return int.from_bytes(hashlib.md5(name.encode(), usedforsecurity=False).digest()[:5])


def _header() -> dict[str, Any]:
    strings = {"type": "array", "items": "string"}
    kind = {"type": "enum", "name": "ChangeType", "namespace": "", "symbols": list(CHANGE_TYPES)}
    types: dict[str, Any] = {
        "entityName": "string", "recordIds": strings, "changeType": kind, "changeOrigin": "string",
        "transactionKey": "string", "sequenceNumber": "int", "commitTimestamp": "long", "commitNumber": "long",
        "commitUser": "string", "nulledFields": strings, "diffFields": strings, "changedFields": strings,
    }  # fmt: skip
    fields = [{"name": name, "type": each} for name, each in types.items()]
    return {"type": "record", "name": "ChangeEventHeader", "fields": fields}
