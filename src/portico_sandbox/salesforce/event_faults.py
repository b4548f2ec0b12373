"""What can go wrong between a commit and the log: events lost, doubled, out of order, unreadable, numbered downwards.

Dials of system `pubsub`, call = object name: `drop_events`, `duplicate_events`, `malformed` (the payload can't be
decoded; with the code `schema` the event names a schema that nobody knows).
"""

from __future__ import annotations

import secrets
from datetime import datetime

from portico_sandbox.salesforce.event_log import read, ring, write
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Transaction

_LOST = "sf_lost_events"
_HELD = "sf_held_events"


def append(sandbox: Sandbox, tx: Transaction, event: Row, at: datetime) -> None:
    """One event at the end of the log, or none, or two with one id, as the dials say."""
    entity = event["header"]["entityName"]
    lost = sandbox.dials.take("pubsub", entity, "drop_events")
    copies = 2 if sandbox.dials.take("pubsub", entity, "duplicate_events") else 1
    if lost:
        tx.put(_LOST, event["id"], {"entity": entity, "records": event["header"].get("recordIds", [])})
        return
    broken = sandbox.dials.take("pubsub", entity, "malformed")
    if broken and broken.code == "schema":
        event = event | {"unknown_schema": secrets.token_urlsafe(16)}
    elif broken:
        event = event | {"broken": True}
    if not _held_back(sandbox, tx, [event] * copies, at):
        write(sandbox.store, tx, [event] * copies, at, lower=_goes_down(sandbox, tx))


def lost_events(sandbox: Sandbox) -> list[Row]:
    """Events that never reached the log."""
    return [{"id": event_id, **row} for event_id, row in sandbox.store.table(_LOST).items()]


def hold_back(sandbox: Sandbox, count: int) -> int:
    """The next so many events come in reverse order. 0: what is held comes now. Answers how many came."""
    with sandbox.store.begin() as tx:
        held = (sandbox.store.get(_HELD, "next") or {"events": []})["events"]
        write(sandbox.store, tx, held[::-1], sandbox.clock.now())
        tx.put(_HELD, "next", {"left": count, "events": []})
    ring(sandbox)
    return len(held)


def number_downwards(sandbox: Sandbox, count: int) -> None:
    """The next so many events get replay ids that are lower than all before."""
    with sandbox.store.begin() as tx:
        tx.put("sf_stream", "downwards", {"left": count})


def repeat(sandbox: Sandbox, count: int) -> list[str]:
    """The newest events of the log once more: same ids, new replay ids. Answers their ids."""
    store = sandbox.store
    [[last]] = store.select("SELECT COALESCE(MAX(number), 0) FROM events")
    entries = read(store, last - count + 1, count)
    with store.begin() as tx:
        write(store, tx, [each.body for each in entries], sandbox.clock.now())
    ring(sandbox)
    return [each.id for each in entries]


def _held_back(sandbox: Sandbox, tx: Transaction, events: list[Row], at: datetime) -> bool:
    row = sandbox.store.get(_HELD, "next")
    if not row or not row["left"]:
        return False
    held = [*row["events"], *events]
    left = max(0, row["left"] - len(events))
    if not left:
        write(sandbox.store, tx, held[::-1], at)
    tx.put(_HELD, "next", {"left": left, "events": held if left else []})
    return True


def _goes_down(sandbox: Sandbox, tx: Transaction) -> bool:
    row = sandbox.store.get("sf_stream", "downwards")
    if not row or not row["left"]:
        return False
    tx.put("sf_stream", "downwards", {"left": row["left"] - 1})
    return True
