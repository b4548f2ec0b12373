"""The log of change events: written with the transaction that they tell of, kept 72 h, read by position.

Rows of `sf_events` are numbered without holes; their replay ids grow with the sandbox's clock and do have holes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.schema import COMPOUNDS, SYSTEM_FIELDS, Entity
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Store, Transaction

if TYPE_CHECKING:
    from portico_sandbox.salesforce.changes import Change, Changes

RETENTION = timedelta(hours=72)
WHOLE_ENTITY = "000000000000000AAA"
_COMMIT_BASE = 11_000_000_000_000_000  # real ones are above 2^53: clients must bear that


def publish(changes: Changes) -> None:
    """Appends what the transaction did to selected objects. Part of that transaction."""
    header = _transaction_header(changes.tx, changes.caller.change_origin, changes.caller.user_id, changes.at)
    for number, group in enumerate(_merged(changes), start=1):
        if group[0].entity.selected:
            append(changes.sandbox, changes.tx, _event(header | {"sequenceNumber": number}, group), changes.at)


def append(sandbox: Sandbox, tx: Transaction, event: Row, at: datetime) -> None:
    """One event at the end of the log, or none, or two with one id, as the dials say."""
    entity = event["header"]["entityName"]
    lost = sandbox.dials.take("pubsub", entity, "drop_events")
    copies = 2 if sandbox.dials.take("pubsub", entity, "duplicate_events") else 1
    for _ in range(0 if lost else copies):
        state = _advance(sandbox.store, tx, at, by_event=True)
        state["last"] += 1
        tx.put("sf_events", str(state["last"]), {**event, "replay": state["replay"], "at": _ms(at)})
        tx.put("sf_stream", "state", state)
    _forget_old(sandbox.store, tx, at)


def gap(sandbox: Sandbox, kind: str, entity: str, record_ids: list[str]) -> None:
    """An event that tells that something changed and not what. `kind` is GAP_UPDATE, GAP_OVERFLOW and so on."""
    at = sandbox.clock.now()
    with sandbox.store.begin() as tx:
        header = _transaction_header(tx, "", "", at) | {"sequenceNumber": 1}
        header |= {"entityName": entity, "recordIds": record_ids, "changeType": kind}
        append(sandbox, tx, _body(header, {}, [], [], {}), at)
    ring(sandbox)


def ring(sandbox: Sandbox) -> None:
    """Wakes the open streams."""
    for wake in list(sandbox.on_events):
        wake()


def start_log(tx: Transaction, at: datetime) -> None:
    """An empty log. Replay ids of before mean nothing from now on."""
    tx.put("sf_stream", "state", {"first": 1, "last": 0, "replay": _ms(at), "start": _ms(at)})


def state_of(store: Store) -> Row:
    """`first`, `last`: numbers of the oldest and newest event; `replay`: last id drawn; `start`: the first possible."""
    return store.get("sf_stream", "state") or {"first": 1, "last": 0, "replay": 0, "start": 0}


def newest_replay(sandbox: Sandbox) -> int:
    """A position after everything so far. Draws a new one, so that waiting on a quiet log does not age."""
    with sandbox.store.begin() as tx:
        state = _advance(sandbox.store, tx, sandbox.clock.now(), by_event=False)
        tx.put("sf_stream", "state", state)
    return int(state["replay"])


def number_after(sandbox: Sandbox, replay: int) -> int | None:
    """The number of the first event after a replay id; None where the id is unknown, too old or of another log."""
    state = state_of(sandbox.store)
    oldest = _ms(sandbox.clock.now() - RETENTION)
    if not max(state["start"], oldest) <= replay <= state["replay"]:
        return None
    low, high = state["first"], state["last"] + 1
    while low < high:
        middle = (low + high) // 2
        row = sandbox.store.get("sf_events", str(middle))
        if row and row["replay"] > replay:
            high = middle
        else:
            low = middle + 1
    return int(low)


def oldest_number(sandbox: Sandbox) -> int:
    """The number of the oldest event that is still kept."""
    oldest = _ms(sandbox.clock.now() - RETENTION)
    state = state_of(sandbox.store)
    for number in range(state["first"], state["last"] + 1):
        row = sandbox.store.get("sf_events", str(number))
        if row and row["at"] >= oldest:
            return number
    return int(state["last"]) + 1


def changed_fields(change: Change) -> set[str]:
    """Names of the stored fields that differ, compounds by their parts."""
    before, after = change.before or {}, change.after or {}
    return {each.name for each in change.entity.fields if before.get(each.name) != after.get(each.name)}


def _event(header: Row, group: list[Change]) -> Row:
    change = group[0]
    kind = change.kind
    full = header | {
        "entityName": change.entity.name,
        "recordIds": [each.record_id for each in group],
        "changeType": kind,
    }
    enriched = {each.record_id: _enrichment(each) for each in group} if kind != "CREATE" else {}
    if kind == "UPDATE":
        after = change.after or {}
        changed = _published(change.entity, changed_fields(change) | {"LastModifiedDate"})
        nulled = [name for name in changed if after.get(name) is None]
        return _body(full, {name: after.get(name) for name in changed}, changed, nulled, enriched)
    stamped = not change.entity.no_stamps_in_create_events
    names = (name for name in _published(change.entity) if stamped or name not in SYSTEM_FIELDS)
    values = {name: change.after.get(name) for name in names} if change.after else {}
    return _body(full, values, [], [], enriched)


def _body(header: Row, values: Row, changed: list[str], nulled: list[str], enriched: dict[str, Row]) -> Row:
    return {
        "id": str(uuid.uuid4()),
        "header": header,
        "values": values,
        "changed": changed,
        "nulled": nulled,
        "enriched": enriched,
    }


def _published(entity: Entity, among: set[str] | None = None) -> list[str]:
    """Names of the stored fields that events carry, in schema order."""
    fields = (each for each in entity.fields if each.in_events and each.type not in COMPOUNDS)
    return [each.name for each in fields if among is None or each.name in among]


def _enrichment(change: Change) -> Row:
    row = change.after or change.before or {}
    return {name: row.get(name) for name in change.entity.enriched}


def _merged(changes: Changes) -> Iterator[list[Change]]:
    """Identical updates or deletions of one transaction become one event with several record ids."""
    groups: dict[str, list[Change]] = {}
    for change in changes.made.values():
        kind = change.kind
        if kind is None:
            continue
        sameness: Any = change.record_id
        if kind == "UPDATE":
            sameness = {name: (change.after or {}).get(name) for name in sorted(changed_fields(change))}
        elif kind == "DELETE":
            sameness = ""
        groups.setdefault(json.dumps([change.entity.name, kind, sameness], default=str), []).append(change)
    yield from groups.values()


def _transaction_header(tx: Transaction, origin: str, user_id: str, at: datetime) -> Row:
    return {
        "changeOrigin": origin,
        "transactionKey": str(uuid.uuid4()),
        "commitTimestamp": _ms(at),
        "commitNumber": _COMMIT_BASE + tx.next("sf_commits"),
        "commitUser": user_id,
    }


def _advance(store: Store, tx: Transaction, at: datetime, *, by_event: bool) -> Row:
    """The stream's state with a replay id drawn. Never smaller than before, even where the clock was set back."""
    state = dict(state_of(store))
    hole = 1 + tx.next("sf_replay_holes") % 3 if by_event else 0
    state["replay"] = max(_ms(at), state["replay"] + hole)
    return state


def _forget_old(store: Store, tx: Transaction, at: datetime) -> None:
    state = dict(state_of(store))
    oldest = _ms(at - RETENTION)
    first = state["first"]
    while first <= state["last"] and (store.get("sf_events", str(first)) or {"at": 0})["at"] < oldest:
        tx.delete("sf_events", str(first))
        first += 1
    if first != state["first"]:
        tx.put("sf_stream", "state", {**state, "first": first})


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def entity_of(event: Row) -> Entity:
    entity = entity_named(event["header"]["entityName"])
    assert entity  # only objects of this org are published
    return entity
