"""Very many change events at once: the log as a nightly price run leaves it, cheap enough for measurements."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from portico_sandbox.salesforce.changes import wire_time
from portico_sandbox.salesforce.event_faults import append
from portico_sandbox.salesforce.event_log import listed, ring, state_of, write
from portico_sandbox.salesforce.events import event_body, transaction_header
from portico_sandbox.salesforce.ids import with_suffix
from portico_sandbox.salesforce.lookup import rows_of
from portico_sandbox.salesforce.objects import ACCOUNT
from portico_sandbox.salesforce.schema import NUMBERS, Entity, Field
from portico_sandbox.salesforce.sessions import STAFF_USER_ID
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Transaction

_AT_ONCE = 5000  # events of one commit; between two the loop serves others
_TABLE = "sf_bursts"


@dataclass(frozen=True)
class Burst:
    entity: Entity
    field: Field
    count: int
    records: int
    """Over how many records the events go in turn; 0: all there are. Beyond these, ids that no row has are invented."""
    per_transaction: int


async def burst(sandbox: Sandbox, asked: Burst) -> Row:
    """Events that update one field; the rows hold what their last event says. Answers what is in the ledger of it."""
    targets = _targets(sandbox, asked)
    events = _changes(asked, targets)
    ranges: list[list[int]] = []
    while chunk := list(islice(events, _AT_ONCE)):
        first = state_of(sandbox.store)["last"] + 1
        _commit(sandbox, asked, chunk)
        ranges.append([first, state_of(sandbox.store)["last"]])
        ring(sandbox)
        await asyncio.sleep(0)
    with sandbox.store.begin() as tx:
        number = str(tx.next(_TABLE))
        tx.put(_TABLE, number, {"ranges": ranges})
    ids = emitted(sandbox, number)
    digest = hashlib.sha256("".join(sorted(ids)).encode()).hexdigest()
    facts = {"object": asked.entity.name, "count": len(ids), "ranges": ranges, "sha256_of_sorted_ids": digest}
    sandbox.ledger.record("salesforce", "burst of events", number, **facts)
    return {"burst": number, **facts}


def emitted(sandbox: Sandbox, number: str) -> list[str]:
    """Ids of the events of a burst, in the order of the log. Raises KeyError where there was no such burst."""
    row = sandbox.store.get(_TABLE, number)
    if row is None:
        raise KeyError(number)
    return [event_id for first, last in row["ranges"] for _, _, event_id, _ in listed(sandbox.store, first, last)]


def _targets(sandbox: Sandbox, asked: Burst) -> list[Row]:
    rows = list(islice(rows_of(sandbox.store, asked.entity), asked.records or None))
    owners = [row["Id"] for row in rows_of(sandbox.store, ACCOUNT)]
    for number in range(len(rows), max(asked.records, 1)):
        invented = {"Id": with_suffix(f"{asked.entity.prefix}5gB{number:09d}")}
        rows.append(invented | {"AccountId": owners[number % len(owners)]} if owners else invented)
    return rows


def _changes(asked: Burst, targets: list[Row]) -> Iterator[tuple[Row, Any]]:
    """(row, its new value) of each event: numbers rise by one with each round, texts are counted."""
    for number in range(asked.count):
        row = targets[number % len(targets)]
        step = number // len(targets) + 1
        value = (row.get(asked.field.name) or 0) + step if asked.field.type in NUMBERS else f"Burst, change {number}"
        yield row, value


def _commit(sandbox: Sandbox, asked: Burst, chunk: list[tuple[Row, Any]]) -> None:
    now = sandbox.clock.now()
    stamp = wire_time(now.replace(microsecond=0))
    told = {row["Id"]: {asked.field.name: value, "LastModifiedDate": stamp} for row, value in chunk}
    with sandbox.store.begin() as tx:
        _append(sandbox, tx, list(_events(sandbox, tx, asked, chunk, stamp)), now)
        for record_id, values in told.items():
            if sandbox.store.get(asked.entity.table, record_id):
                tx.change(asked.entity.table, record_id, **values, SystemModstamp=stamp)


def _append(sandbox: Sandbox, tx: Transaction, events: list[Row], at: datetime) -> None:
    if not any(dial.system == "pubsub" for dial in sandbox.dials.active()):
        write(sandbox.store, tx, events, at)
        return
    for event in events:
        append(sandbox, tx, event, at)


def _events(sandbox: Sandbox, tx: Transaction, asked: Burst, chunk: list[tuple[Row, Any]], stamp: str) -> Iterator[Row]:
    template = event_body(sandbox, tx, {"entityName": asked.entity.name})
    changed = [asked.field.name, "LastModifiedDate"]
    for number, (row, value) in enumerate(chunk):
        place = number % asked.per_transaction
        if place == 0:
            header = transaction_header(tx, "", STAFF_USER_ID, sandbox.clock.now())
        own = {"entityName": asked.entity.name, "recordIds": [row["Id"]], "changeType": "UPDATE"}
        yield template | {
            "id": str(uuid.uuid4()),
            "header": header | own | {"sequenceNumber": place + 1},
            "values": {asked.field.name: value, "LastModifiedDate": stamp},
            "changed": changed,
            "enriched": {row["Id"]: {name: row.get(name) for name in ("AccountId", "OrderId")}},
        }
