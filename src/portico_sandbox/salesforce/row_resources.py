"""One row as a REST resource: by id, by external id, with conditions, and the binary content of files."""

from __future__ import annotations

import base64
from typing import Any

from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.conditions import check_conditions, stamps_of
from portico_sandbox.salesforce.errors import Fault, Refusal, not_found
from portico_sandbox.salesforce.files import content_of
from portico_sandbox.salesforce.lookup import value_of
from portico_sandbox.salesforce.platform_events import platform_event
from portico_sandbox.salesforce.platform_resource import publish_row
from portico_sandbox.salesforce.rest import Answer, Call
from portico_sandbox.salesforce.schema import Entity, Field
from portico_sandbox.salesforce.soql_records import attributes
from portico_sandbox.store import Row


def create_row(call: Call) -> Answer:
    event = platform_event(call.sandbox.store, call.path[1])
    if event:
        return Answer(201, publish_row(call.sandbox, event, call.caller.user_id, call.json_object()))
    with call.writing() as changes:
        record_id = rows.create(changes, call.entity, call.json_object(), save_duplicates=saves_duplicates(call))
    location = f"/services/data/v{call.version}/sobjects/{call.entity.name}/{record_id}"
    return Answer(201, {"id": record_id, "success": True, "errors": []}, {"Location": location})


def read_row(call: Call) -> Answer:
    row = rows.existing(call.sandbox.store, call.entity, call.path[2])
    return _read(call, row)


def read_by_external_id(call: Call) -> Answer:
    """Of an id, the third segment may be a field with binary content."""
    field = call.seen_entity.field(call.path[3])
    if field and field.type == "base64":
        return _content(call, field)
    found = _found(call)
    if len(found) > 1:
        return _choice(call, found)
    if not found:
        raise not_found()
    return _read(call, rows.existing(call.sandbox.store, call.entity, found[0]))


def update_row(call: Call) -> Answer:
    check_conditions(call, call.entity, rows.existing(call.sandbox.store, call.entity, call.path[2]))
    with call.writing() as changes:
        body = call.json_object()
        rows.update(changes, call.entity, call.path[2], body, save_duplicates=saves_duplicates(call))
    return Answer(204)


def upsert_row(call: Call) -> Answer:
    only = call.query.get("updateOnly", "").lower() == "true"
    more = {"update_only": only, "save_duplicates": saves_duplicates(call)}
    try:
        with call.writing() as changes:
            record_id, created = rows.upsert(
                changes, call.entity, call.path[2], call.path[3], call.json_object(), **more
            )
    except rows.SeveralMatches as several:
        return _choice(call, several.record_ids)
    return Answer(201 if created else 200, {"id": record_id, "success": True, "errors": [], "created": created})


def delete_row(call: Call) -> Answer:
    with call.writing() as changes:
        rows.delete(changes, call.entity, call.path[2])
    return Answer(204)


def delete_by_external_id(call: Call) -> Answer:
    found = _found(call)
    if len(found) > 1:
        return _choice(call, found)
    with call.writing() as changes:
        rows.delete(changes, call.entity, found[0] if found else "")
    return Answer(204)


def row_body(call: Call, row: Row, fields: list[Field]) -> Row:
    entity = call.seen_entity
    record: Row = {"attributes": attributes(entity, row, call.version)}
    for field in fields:
        record[field.name] = _value(call, entity, row, field)
    return record if "Id" in record else {**record, "Id": row["Id"]}


def asked_fields(entity: Entity, names: str | None) -> list[Field]:
    """Those that `fields=A,B` names, all where it is left out. Raises Refusal (INVALID_FIELD)."""
    if not names:
        return [field for field in entity.fields if not field.write_only]
    asked = []
    for name in names.split(","):
        field = entity.field(name.strip())
        if field is None or field.write_only:
            raise Refusal(Fault("INVALID_FIELD", f"No such column '{name.strip()}' on sobject of type {entity.name}"))
        asked.append(field)
    return asked


def saves_duplicates(call: Call) -> bool:
    """Whether the caller overrules alerts of duplicate rules."""
    options = call.headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
    return "allowsave=true" in options.replace(";", ",").split(",")


def _read(call: Call, row: Row) -> Answer:
    not_modified = check_conditions(call, call.entity, row)
    body = row_body(call, row, asked_fields(call.seen_entity, call.query.get("fields")))
    stamps = stamps_of(call.entity, row)
    return Answer(304, b"", stamps) if not_modified else Answer(200, body, stamps)


def _value(call: Call, entity: Entity, row: Row, field: Field) -> Any:
    if field.type == "base64":
        return f"/services/data/v{call.version}/sobjects/{entity.name}/{row['Id']}/{field.name}"
    return value_of(call.sandbox.store, entity, row, field)


def _content(call: Call, field: Field) -> Answer:
    row = rows.existing(call.sandbox.store, call.entity, call.path[2])
    content = content_of(call.sandbox.store, row["Id"], field.name)
    if content is None:
        raise not_found()
    return Answer(200, base64.b64decode(content), {"Content-Type": "application/octetstream"})


def _found(call: Call) -> list[str]:
    field = rows.external_field(call.seen_entity, call.path[2])
    return rows.matches(call.sandbox.store, call.entity, field, call.path[3])


def _choice(call: Call, record_ids: list[str]) -> Answer:
    """300: the external id leads to several rows."""
    root = f"/services/data/v{call.version}/sobjects/{call.entity.name}"
    addresses: list[Any] = [f"{root}/{each}" for each in record_ids]
    return Answer(300, addresses, failed=True)
