"""How the stream of Salesforce's change events fares, as our rows tell it: for the page of staff, logs and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Level = Literal["ok", "never_heard", "silent", "old", "nearly_lost"]

SILENT = timedelta(seconds=330)
OLD = timedelta(hours=24)
NEARLY_LOST = timedelta(hours=48)
"""Salesforce keeps events for 72 hours."""
MUCH = 0.8
"""Of the allocation."""
LONG_UNHANDLED = timedelta(minutes=10)
LONG_UNSWEPT = timedelta(hours=1)
"""The sweep comes every quarter of an hour."""

POSITIONS = text("SELECT topic, heard_at, problem FROM change_position ORDER BY topic")
FIGURES = text("""
    SELECT (SELECT coalesce(sum(delivered), 0) FROM change_deliveries WHERE hour > :since) AS delivered,
           (SELECT count(*) FROM dead_letters) AS dead_letters,
           (SELECT min(received_at) FROM inbox WHERE stage = 0) AS unhandled_since,
           (SELECT min(at) FROM watermarks) AS swept_until
""")


@dataclass(frozen=True)
class TopicReport:
    topic: str
    heard_at: datetime | None
    level: Level
    problem: str | None
    """Why the stream does not stand; None where it does."""


@dataclass(frozen=True)
class StreamReport:
    topics: tuple[TopicReport, ...]
    """None: a listener has never run."""
    delivered: int
    """Of the last 24 hours."""
    allowed: int
    """0: unknown."""
    dead_letters: int
    """Events that could not be decoded and wait to be looked at."""
    unhandled_since: datetime | None
    """When the oldest event came that nothing was done about yet, of whatever source; None: there is none."""
    swept_until: datetime | None
    """Until when Salesforce was compared with what events told, of the object that is furthest behind."""
    at: datetime

    @property
    def is_nearly_spent(self) -> bool:
        return bool(self.allowed) and self.delivered >= MUCH * self.allowed

    @property
    def is_unhandled_for_long(self) -> bool:
        return self.unhandled_since is not None and self.at - self.unhandled_since > LONG_UNHANDLED

    @property
    def is_unswept_for_long(self) -> bool:
        return self.swept_until is not None and self.at - self.swept_until > LONG_UNSWEPT


async def stream_report(tx: AsyncConnection, now: datetime, events_per_day: int) -> StreamReport:
    """`events_per_day`: what the org may deliver to all its subscribers; 0 = unknown."""
    rows = (await tx.execute(POSITIONS)).all()
    figures = (await tx.execute(FIGURES, {"since": now - timedelta(hours=24)})).one()
    return StreamReport(
        topics=tuple(TopicReport(row.topic, row.heard_at, _level(row.heard_at, now), row.problem) for row in rows),
        delivered=int(figures.delivered),
        allowed=events_per_day,
        dead_letters=figures.dead_letters,
        unhandled_since=figures.unhandled_since,
        swept_until=figures.swept_until,
        at=now,
    )


def _level(heard_at: datetime | None, now: datetime) -> Level:
    if heard_at is None:
        return "never_heard"
    age = now - heard_at
    if age >= NEARLY_LOST:
        return "nearly_lost"
    if age >= OLD:
        return "old"
    return "silent" if age > SILENT else "ok"
