"""`/composite/tree/{T}`: rows with their children, all made or none."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Changes
from portico_sandbox.salesforce.collection_resources import MOST_RECORDS
from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.rest import Answer, Call, envelope, type_of
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.store import Row

_DEEPEST = 5


class _Failed(Exception):
    """Undoes everything; the failure is already noted."""


def create_tree(call: Call) -> Answer:
    records = call.json_object().get("records")
    if not isinstance(records, list) or not records:
        raise envelope("The records are missing or empty")
    _check_names(records)
    made: list[Row] = []
    failed: list[Row] = []
    with suppress(_Failed), call.writing() as changes:
        for record in records:
            if type_of(call.sandbox, record) is not call.entity:
                raise envelope(f"The records of the root are {call.entity.name} rows")
            _create(changes, record, {}, made, failed)
        if failed and call.changes is None:
            raise _Failed
    if failed:
        return Answer(400, {"hasErrors": True, "results": failed}, failed=True)
    return Answer(201, {"hasErrors": False, "results": made})


def _create(changes: Changes, record: Row, parent: Row, made: list[Row], failed: list[Row]) -> None:
    """A row, then the rows below it. Rows below one that failed are not tried."""
    entity = type_of(changes.sandbox, record)
    below = {name: value for name, value in record.items() if _is_nested(value) and entity.child(name)}
    fields = {name: value for name, value in record.items() if name not in below}
    name = record["attributes"]["referenceId"]
    try:
        record_id = rows.create(changes, entity, {**fields, **parent})
    except Refusal as refusal:
        faults = [fault.for_collection() for fault in refusal.faults]
        failed.append({"referenceId": name, "errors": faults})
        return
    made.append({"referenceId": name, "id": record_id})
    for relationship, nested in below.items():
        for each in nested["records"]:
            _create(changes, each, {_way_back(entity, relationship, each): record_id}, made, failed)


def _way_back(entity: Entity, relationship: str, record: Row) -> str:
    child = entity.child(relationship)
    assert child  # only relationships that the object has are taken for nested records
    target = entity_named(child.entity)
    if record["attributes"].get("type", "").lower() != child.entity.lower() or target is None:
        raise Refusal(Fault("INVALID_TYPE", f"{relationship} holds {child.entity} rows", ()))
    return child.field


def _check_names(records: list[Any]) -> None:
    """Every record has a type and a name of its own. Raises Refusal for the whole call."""
    names: set[str] = set()
    pending = [(record, 1) for record in records]
    while pending:
        record, depth = pending.pop()
        named = record.get("attributes") if isinstance(record, dict) else None
        name = named.get("referenceId") if isinstance(named, dict) else None
        if not isinstance(name, str) or name in names:
            raise envelope(f"Every record needs a referenceId of its own: {name}")
        names.add(name)
        if depth > _DEEPEST or len(names) > MOST_RECORDS:
            raise envelope(f"At most {_DEEPEST} levels and {MOST_RECORDS} records are allowed")
        nested = (value["records"] for value in record.values() if _is_nested(value))
        pending += [(each, depth + 1) for each in (one for some in nested for one in some)]


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("records"), list)
