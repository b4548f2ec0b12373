"""Every foreign event: stored once by its outside id, handled once, can be resent.

An event is a hint: reactions re-read the truth. It is handled only when its drops succeeded; the drops are made at
once and again at +2 s and +15 s, since a hook can fire before its system has committed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

DROP_AGAIN_SECONDS = (2, 13)
"""After the first drops, and after the second ones: +2 s and +15 s."""
DONE = len(DROP_AGAIN_SECONDS) + 1

INSERT = text("""
    INSERT INTO inbox (source, external_id, kind, body, received_at, due_at, stage, handled_at)
    SELECT source, external_id, kind, CAST(body AS jsonb), :now, :now,
           CASE WHEN is_moot THEN :done ELSE 0 END, CASE WHEN is_moot THEN CAST(:now AS timestamptz) END
    FROM unnest(CAST(:sources AS text[]), CAST(:external_ids AS text[]), CAST(:kinds AS text[]),
                CAST(:bodies AS text[]), CAST(:moot AS boolean[]))
         AS new (source, external_id, kind, body, is_moot)
    ON CONFLICT (source, external_id) DO NOTHING
""")
DUE = text("""
    SELECT id, source, external_id, kind, body, received_at, stage, tries FROM inbox
    WHERE stage >= :least_stage AND stage < :done AND due_at <= :now ORDER BY id LIMIT :limit
""")
NEXT_STAGE = text("""
    UPDATE inbox SET stage = stage + 1, due_at = :due_at, handled_at = coalesce(handled_at, :now), error = NULL
    WHERE id = ANY(:ids) AND stage = :stage
""")
FAILED = text("""
    UPDATE inbox SET tries = tries + 1, error = :error, due_at = :due_at WHERE id = ANY(:ids) AND stage < :done
""")
LONGEST_WAIT_SECONDS = 300
FORGET = text("""
    DELETE FROM inbox WHERE id IN (
        SELECT id FROM inbox WHERE stage >= :done AND received_at < :before ORDER BY id LIMIT :most
    )
""")
FORGET_AT_ONCE = 10_000
"""More might not fit into the time of a statement, and then nothing would ever be forgotten."""


@dataclass(frozen=True)
class NewEvent:
    source: str
    external_id: str
    kind: str
    body: dict[str, Any]
    is_moot: bool = False
    """It changes nothing of ours: stored so that it is known, and handled already."""


@dataclass(frozen=True)
class Event:
    id: int
    source: str
    external_id: str
    kind: str
    body: dict[str, Any]
    received_at: datetime
    stage: int
    """0: nothing done yet; 1, 2: handled, to be dropped again."""
    tries: int


async def receive(tx: AsyncConnection, now: datetime, events: Sequence[NewEvent]) -> int:
    """Stores what is new, in one statement; answers how many were. The caller defers a drain in the transaction."""
    if not events:
        return 0
    values = {
        "sources": [event.source for event in events],
        "external_ids": [event.external_id for event in events],
        "kinds": [event.kind for event in events],
        "bodies": [json.dumps(event.body, ensure_ascii=False) for event in events],
        "moot": [event.is_moot for event in events],
        "now": now,
        "done": DONE,
    }
    return (await tx.execute(INSERT, values)).rowcount


async def due(tx: AsyncConnection, now: datetime, *, least_stage: int = 0, limit: int = 2000) -> list[Event]:
    """Events to be handled (stage 0) or dropped again (later ones), oldest first."""
    values = {"now": now, "limit": limit, "done": DONE, "least_stage": least_stage}
    rows = (await tx.execute(DUE, values)).mappings()
    return [Event(**row) for row in rows]


async def handled(tx: AsyncConnection, now: datetime, stage: int, ids: Sequence[int]) -> None:
    """Moves events of one stage on; the last one is the end."""
    wait = DROP_AGAIN_SECONDS[stage] if stage < len(DROP_AGAIN_SECONDS) else 0
    due_at = now + timedelta(seconds=wait)
    await tx.execute(NEXT_STAGE, {"ids": list(ids), "stage": stage, "due_at": due_at, "now": now})


async def failed(tx: AsyncConnection, now: datetime, tries: int, ids: Sequence[int], error: str) -> None:
    """Keeps events for another try, later each time (at most 5 minutes)."""
    due_at = now + timedelta(seconds=min(2 ** min(tries, 10), LONGEST_WAIT_SECONDS))
    await tx.execute(FAILED, {"ids": list(ids), "error": error[:500], "due_at": due_at, "done": DONE})


async def forget(tx: AsyncConnection, before: datetime) -> bool:
    """Removes a portion of the handled events; True where there may be more. 7 days are kept so that a replay is still
    recognised."""
    found = await tx.execute(FORGET, {"before": before, "done": DONE, "most": FORGET_AT_ONCE})
    return found.rowcount == FORGET_AT_ONCE
