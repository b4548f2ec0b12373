"""Collections: up to 200 rows created, updated, upserted, deleted or read in one call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from typing import Any

from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Changes
from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import row_of
from portico_sandbox.salesforce.objects import BY_PREFIX
from portico_sandbox.salesforce.rest import Answer, Call, envelope, type_of
from portico_sandbox.salesforce.row_resources import asked_fields, row_body, saves_duplicates
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.store import Row

MOST_RECORDS = 200
_MOST_CHUNKS = 10
_MOST_READ = {"GET": 800, "POST": 2000}
_ROLLED_BACK = Fault(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
_Work = Callable[[Changes, Row], Row]


class _RollBack(Exception):
    """Undoes the open transaction; the answers are already made."""


def create_rows(call: Call) -> Answer:
    save_anyway = saves_duplicates(call)

    def created(changes: Changes, record: Row) -> Row:
        return {"id": rows.create(changes, type_of(call.sandbox, record), record, save_duplicates=save_anyway)}

    return _collection(call, _records(call), created)


def update_rows(call: Call) -> Answer:
    save_anyway = saves_duplicates(call)

    def updated(changes: Changes, record: Row) -> Row:
        record_id, body = _taken(record, "id")
        if not isinstance(record_id, str):
            raise Refusal(Fault("MISSING_ARGUMENT", "Id not specified in an update call", ()))
        _check_id(changes, record_id)
        rows.update(changes, type_of(call.sandbox, record), record_id, body, save_duplicates=save_anyway)
        return {"id": normal(record_id) or record_id}

    return _collection(call, _records(call), updated)


def upsert_rows(call: Call) -> Answer:
    """`PATCH /composite/sobjects/{T}/{ExtField}`: the external id stands in each record."""
    field_name = call.path[3]
    entity = call.entity

    def upserted(changes: Changes, record: Row) -> Row:
        if type_of(call.sandbox, record) is not entity:
            raise Refusal(Fault("INVALID_TYPE", f"Record is not of the type {entity.name}", ()))
        field = rows.external_field(call.seen_entity, field_name)
        value, body = _taken(record, field.name.lower())
        if value is None:
            raise Refusal(Fault("MISSING_ARGUMENT", f"{field.name} not specified", ()))
        try:
            record_id, created = rows.upsert(changes, entity, field_name, str(value), body)
        except rows.SeveralMatches as several:
            raise Refusal(Fault("DUPLICATE_EXTERNAL_ID", f"{len(several.record_ids)} records match", ())) from several
        return {"id": record_id, "created": created}

    return _collection(call, _records(call), upserted)


def delete_rows(call: Call) -> Answer:
    ids = [each for each in call.query.get("ids", "").split(",") if each]
    if not ids:
        raise envelope("The ids are missing or empty")
    return _collection(call, [{"id": each} for each in _few(ids)], _deleted)


def read_rows(call: Call) -> Answer:
    """`GET …?ids=&fields=`, or POST with both in the body: the rows in their order, null for what is not there."""
    ids, fields = _asked(call)
    most = _MOST_READ[call.method]
    if len(ids) > most:
        raise Refusal(Fault("EXCEEDED_ID_LIMIT", f"record limit reached. cannot retrieve more than {most} records"))
    wanted = asked_fields(call.seen_entity, ",".join(fields))
    found = (row_of(call.sandbox.store, call.entity, normal(each)) for each in ids)
    return Answer(200, [row_body(call, row, wanted) if row else None for row in found])


def failure(*faults: Fault) -> Row:
    return {"success": False, "errors": [fault.for_collection() for fault in faults]}


def _collection(call: Call, records: list[Row], work: _Work) -> Answer:
    """Each record by itself; with allOrNone one failure undoes all. A composite's own allOrNone rules over ours."""
    all_or_none = call.changes is not None or _flag(call)
    results: list[Row] = []
    with suppress(_RollBack), call.writing() as changes:
        results = [_result(changes, each, work) for each in records]
        if all_or_none and not all(each["success"] for each in results):
            results = [each if not each["success"] else failure(_ROLLED_BACK) for each in results]
            if call.changes is None:
                raise _RollBack
    return Answer(200, results, failed=all_or_none and not all(each["success"] for each in results))


def _result(changes: Changes, record: Row, work: _Work) -> Row:
    try:
        return {**work(changes, record), "success": True, "errors": []}
    except Refusal as refusal:
        return failure(*refusal.faults)


def _deleted(changes: Changes, record: Row) -> Row:
    entity = _check_id(changes, record["id"])
    rows.delete(changes, entity, record["id"])
    return {"id": normal(record["id"])}


def _check_id(changes: Changes, record_id: str) -> Entity:
    """The object whose row has the id. Raises Refusal, with other codes than the address of a row would give."""
    full = normal(record_id)
    entity = BY_PREFIX.get(record_id[:3])
    if full is None:
        raise Refusal(Fault("MALFORMED_ID", f"malformed id {record_id}", ("Id",)))
    if entity is None or row_of(changes.sandbox.store, entity, full, deleted=True) is None:
        raise Refusal(Fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ()))
    return entity


def _taken(record: Row, name: str) -> tuple[Any, Row]:
    """The value of a key, whatever its case, and the record without it."""
    value = next((value for key, value in record.items() if key.lower() == name), None)
    return value, {key: value for key, value in record.items() if key.lower() != name}


def _records(call: Call) -> list[Row]:
    records = call.json_object().get("records")
    if not isinstance(records, list) or not records:
        raise envelope("The records are missing or empty")
    if not all(isinstance(each, dict) for each in records):
        raise envelope("Every record is an object")
    chunks = sum(1 for _ in groupby(records, key=_type_name))
    if chunks > _MOST_CHUNKS:
        code = knob(call.sandbox, "too_many_subrequests")
        raise Refusal(Fault(code, f"Records of different types: at most {_MOST_CHUNKS} chunks are allowed"))
    return _few(records)


def _type_name(record: Any) -> str:
    named = record.get("attributes") if isinstance(record, dict) else None
    return str(named.get("type", "")).lower() if isinstance(named, dict) else ""


def _few(records: list[Any]) -> list[Any]:
    if len(records) > MOST_RECORDS:
        message = f"record limit reached. cannot submit more than {MOST_RECORDS} records in a single request"
        raise Refusal(Fault("EXCEEDED_ID_LIMIT", message))
    return records


def _asked(call: Call) -> tuple[list[str], list[str]]:
    if call.method == "GET":
        ids, fields = call.query.get("ids", "").split(","), call.query.get("fields", "").split(",")
    else:
        body = call.json_object()
        ids, fields = body.get("ids") or [], body.get("fields") or []
    given = [each for each in ids if isinstance(each, str) and each], [each for each in fields if each]
    if not all(given):
        raise envelope("ids and fields are required")
    return given


def _flag(call: Call) -> bool:
    if call.method == "DELETE":
        return call.query.get("allOrNone", "").lower() == "true"
    return call.json_object().get("allOrNone") is True
