"""What a transaction tells the world: one event per record or per set of equal changes, with everything in its header.

The events go into `event_log.py`, in the transaction that they tell of; the dials of `event_faults.py` stand between.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portico_sandbox.salesforce.access import hidden_fields
from portico_sandbox.salesforce.channels import enriched_fields, selected_names
from portico_sandbox.salesforce.event_faults import append
from portico_sandbox.salesforce.event_log import ms, ring
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.schema import COMPOUNDS, SYSTEM_FIELDS, Entity
from portico_sandbox.salesforce.schema_versions import logged_schema
from portico_sandbox.salesforce.text_diff import diffed
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Transaction

if TYPE_CHECKING:
    from portico_sandbox.salesforce.changes import Change, Changes

WHOLE_ENTITY = "000000000000000AAA"
_COMMIT_BASE = 11_000_000_000_000_000  # real ones are above 2^53: clients must bear that


def publish(changes: Changes) -> None:
    """Appends what the transaction did to selected objects. Part of that transaction."""
    sandbox = changes.sandbox
    header = transaction_header(changes.tx, changes.caller.change_origin, changes.caller.user_id, changes.at)
    selected, left = selected_names(sandbox.store), int(knob(sandbox, "changes_per_transaction"))
    overflown: set[str] = set()
    for number, group in enumerate(_merged(changes), start=1):
        name = group[0].entity.name
        if name not in selected:
            continue
        event = _event(sandbox, changes.tx, header | {"sequenceNumber": number}, group)
        left -= len(group) * max(1, len(event["changed"]))
        if left >= 0:
            append(sandbox, changes.tx, _fitting(sandbox, changes.tx, event), changes.at)
        elif name not in overflown:
            overflown.add(name)
            flood = _header_only(sandbox, changes.tx, event, "GAP_OVERFLOW", [WHOLE_ENTITY])
            append(sandbox, changes.tx, flood, changes.at)


def gap(sandbox: Sandbox, kind: str, entity: str, record_ids: list[str]) -> Row:
    """An event that tells that something changed and not what. `kind` is GAP_UPDATE, GAP_OVERFLOW and so on."""
    at = sandbox.clock.now()
    with sandbox.store.begin() as tx:
        header = transaction_header(tx, "", "", at) | {"sequenceNumber": 1}
        header |= {"entityName": entity, "recordIds": record_ids, "changeType": kind}
        event = event_body(sandbox, tx, header)
        append(sandbox, tx, event, at)
    ring(sandbox)
    return event


def event_body(sandbox: Sandbox, tx: Transaction, header: Row, **more: Any) -> Row:
    """An event as the log keeps it: with a new id, and the schema that its object has now."""
    entity = entity_named(header["entityName"])
    assert entity  # only objects of this org are published
    schema = logged_schema(sandbox, tx, entity)
    empty: Row = {"values": {}, "changed": [], "nulled": [], "diffs": [], "enriched": {}}
    return {"id": str(uuid.uuid4()), "schema": schema.id, "header": header, **empty, **more}


def transaction_header(tx: Transaction, origin: str, user_id: str, at: datetime) -> Row:
    return {
        "changeOrigin": origin,
        "transactionKey": str(uuid.uuid4()),
        "commitTimestamp": ms(at),
        "commitNumber": _COMMIT_BASE + tx.next("sf_commits"),
        "commitUser": user_id,
    }


def changed_fields(change: Change) -> set[str]:
    """Names of the stored fields that differ, compounds by their parts."""
    before, after = change.before or {}, change.after or {}
    return {each.name for each in change.entity.fields if before.get(each.name) != after.get(each.name)}


def _event(sandbox: Sandbox, tx: Transaction, header: Row, group: list[Change]) -> Row:
    change = group[0]
    kind = change.kind
    full = header | {
        "entityName": change.entity.name,
        "recordIds": [each.record_id for each in group],
        "changeType": kind,
    }
    if kind == "UPDATE":
        return event_body(sandbox, tx, full, **_update(sandbox, group))
    if kind == "DELETE":
        return event_body(sandbox, tx, full, enriched=_enriched(sandbox, group))
    stamped = not (kind == "CREATE" and change.entity.no_stamps_in_create_events)
    names = [name for name in _readable(sandbox, change.entity) if stamped or name not in SYSTEM_FIELDS]
    return event_body(sandbox, tx, full, values={name: (change.after or {}).get(name) for name in names})


def _update(sandbox: Sandbox, group: list[Change]) -> Row:
    change = group[0]
    after = change.after or change.before or {}
    names = changed_fields(change) | {"LastModifiedDate"}
    changed = [name for name in _readable(sandbox, change.entity) if name in names]
    values: Row = {name: after.get(name) for name in changed}
    diffs = diffed(change.before or {}, values, int(knob(sandbox, "diff_texts_from")))
    return {
        "values": values | diffs,
        "changed": changed,
        "nulled": [name for name in changed if after.get(name) is None],
        "diffs": sorted(diffs),
        "enriched": _enriched(sandbox, group),
    }


def _readable(sandbox: Sandbox, entity: Entity) -> list[str]:
    """Names of the stored fields that events carry and the subscriber may see, in schema order."""
    hidden = hidden_fields(sandbox, entity)
    return [name for name in _published(entity) if name not in hidden]


def _published(entity: Entity) -> list[str]:
    return [each.name for each in entity.fields if each.in_events and each.type not in COMPOUNDS]


def _enriched(sandbox: Sandbox, group: list[Change]) -> dict[str, Row]:
    """What channels may want to know of a record even where its row is gone when they ask."""
    names = enriched_fields(sandbox.store, group[0].entity.name)
    return {each.record_id: {name: (each.after or each.before or {}).get(name) for name in names} for each in group}


def _merged(changes: Changes) -> Iterator[list[Change]]:
    """Equal changes of one transaction become one event with several record ids."""
    groups: dict[str, list[Change]] = {}
    for change in changes.made.values():
        kind = change.kind
        if kind is None:
            continue
        names = changed_fields(change) if kind == "UPDATE" else set(_published(change.entity))
        row = (change.after or change.before or {}) if kind != "DELETE" else {}
        sameness: Any = {name: row.get(name) for name in sorted(names)}
        groups.setdefault(json.dumps([change.entity.name, kind, sameness], default=str), []).append(change)
    yield from groups.values()


def _fitting(sandbox: Sandbox, tx: Transaction, event: Row) -> Row:
    """The event; a gap instead where it is larger than events may be."""
    size = sum(len(str(value).encode()) for value in event["values"].values() if value is not None)
    if size <= int(knob(sandbox, "largest_event")):
        return event
    return _header_only(sandbox, tx, event, f"GAP_{event['header']['changeType']}", event["header"]["recordIds"])


def _header_only(sandbox: Sandbox, tx: Transaction, event: Row, kind: str, record_ids: list[str]) -> Row:
    return event_body(sandbox, tx, event["header"] | {"changeType": kind, "recordIds": record_ids})
