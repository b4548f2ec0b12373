"""The durable log of events: rows in SQLite, numbered without holes, read by position, forgotten after 72 h.

Replay ids grow with the sandbox's clock, do have holes, and mean nothing beyond "after this": each is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Store, Transaction

RETENTION = timedelta(hours=72)
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"
_MARK = "INSERT OR REPLACE INTO event_marks VALUES (?, ?, ?)"
_READ = "SELECT number, replay, id, body FROM events WHERE number >= ? ORDER BY number LIMIT ?"

_json = msgspec.json.Encoder()


@dataclass(frozen=True)
class Entry:
    """An event of the log. `body` is what `events.py` made of it."""

    number: int
    replay: int
    id: str
    body: Row


def start_log(tx: Transaction, at: datetime) -> None:
    """An empty log. Replay ids of before mean nothing from now on."""
    tx.later("DELETE FROM events WHERE number > ?", (0,))
    tx.later("DELETE FROM event_marks WHERE number > ?", (-1,))
    tx.put("sf_stream", "state", {"last": 0, "replay": ms(at), "start": ms(at), "cut": 0})


def state_of(store: Store) -> Row:
    """`last`: number of the newest event; `replay`: last id drawn; `start`: the id that this log began with."""
    return store.get("sf_stream", "state") or {"last": 0, "replay": 0, "start": 0, "cut": 0}


def write(store: Store, tx: Transaction, bodies: list[Row], at: datetime, *, lower: bool = False) -> tuple[int, int]:
    """Appends events; answers the numbers of the first and the last. `lower`: their replay ids go down, not up."""
    state = dict(state_of(store))
    first, moment = int(state["last"]) + 1, ms(at)
    rows = []
    for body in bodies:
        state["last"] += 1
        state["replay"] = max(moment, state["replay"] + 1 + state["last"] % 3)
        # Far below all others, and still one that nobody else has.
        replay = state["start"] // 2 - state["last"] if lower else state["replay"]
        entity = body["header"]["entityName"]
        rows.append((state["last"], replay, moment, entity, body["id"], _json.encode(body)))
    tx.later(_INSERT, *rows)
    tx.put("sf_stream", "state", state)
    _forget_old(store, tx, at)
    return first, int(state["last"])


def read(store: Store, number: int, limit: int) -> list[Entry]:
    """The next events from this number on."""
    decode = msgspec.json.decode
    rows = store.select(_READ, number, limit)
    return [Entry(place, replay, event_id, decode(body)) for place, replay, event_id, body in rows]


def listed(store: Store, first: int, last: int) -> list[tuple[int, int, str, str]]:
    """(number, replay, id, object) of what is in the log between two numbers, both included."""
    statement = "SELECT number, replay, id, entity FROM events WHERE number BETWEEN ? AND ? ORDER BY number"
    return store.select(statement, first, last)


def newest_replay(sandbox: Sandbox) -> int:
    """A position after everything so far. Draws a new one, so that waiting on a quiet log does not age."""
    now = sandbox.clock.now()
    with sandbox.store.begin() as tx:
        state = dict(state_of(sandbox.store))
        state["replay"] = max(ms(now), state["replay"] + 1)
        tx.put("sf_stream", "state", state)
        tx.later(_MARK, (state["replay"], state["last"], ms(now)))
        tx.later("DELETE FROM event_marks WHERE at < ?", (ms(now - RETENTION),))
    return int(state["replay"])


def number_after(sandbox: Sandbox, replay: int) -> int | None:
    """The number of the first event after a replay id; None where the id is unknown, too old or of another log."""
    oldest = ms(sandbox.clock.now() - RETENTION)
    for table in ("events", "event_marks"):
        statement = f"SELECT MAX(number) FROM {table} WHERE replay = ? AND at >= ?"  # noqa: S608
        [[number]] = sandbox.store.select(statement, replay, oldest)
        if number is not None:
            return int(number) + 1
    return None


def oldest_number(sandbox: Sandbox) -> int:
    """The number of the oldest event that is still kept."""
    oldest = ms(sandbox.clock.now() - RETENTION)
    [[number]] = sandbox.store.select("SELECT MIN(number) FROM events WHERE at >= ?", oldest)
    return int(number) if number is not None else int(state_of(sandbox.store)["last"]) + 1


def forget_before(sandbox: Sandbox, number: int) -> None:
    """Retention, early: events before this number and the positions that stand before it are gone."""
    with sandbox.store.begin() as tx:
        tx.later("DELETE FROM events WHERE number < ?", (number,))
        tx.later("DELETE FROM event_marks WHERE number < ?", (number,))


def ring(sandbox: Sandbox) -> None:
    """Wakes the open streams."""
    for wake in list(sandbox.on_events):
        wake()


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _forget_old(store: Store, tx: Transaction, at: datetime) -> None:
    oldest = ms(at - RETENTION)
    first = store.select("SELECT at FROM events ORDER BY number LIMIT 1")
    if first and first[0][0] < oldest:
        tx.later("DELETE FROM events WHERE at < ?", (oldest,))
