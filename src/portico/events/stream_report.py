"""How the stream of change events fares, for operators: ages of positions, what counts against the allocation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog
from prometheus_client import Gauge
from sqlalchemy import text

from portico.portal import Portal
from portico.work import periodic, portal

log = structlog.get_logger()

Level = Literal["ok", "never_heard", "silent", "old", "nearly_lost"]

SILENT = timedelta(seconds=330)
OLD = timedelta(hours=24)
NEARLY_LOST = timedelta(hours=48)
"""Salesforce keeps events for 72 hours."""
MUCH = 0.8
"""Of the allocation."""

POSITION_AGE = Gauge("portico_changes_position_age_seconds", "How far the stored position lies back", ["topic"])
DELIVERED = Gauge("portico_changes_delivered_24h", "Events delivered to us in 24 hours, duplicates included")
ALLOWED = Gauge("portico_changes_allowed_24h", "Events that the org may deliver to all its subscribers; 0 = unknown")

POSITIONS = text("SELECT topic, heard_at, problem FROM change_position ORDER BY topic")
LAST_DAY = text("SELECT coalesce(sum(delivered), 0) FROM change_deliveries WHERE hour > :since")
DEAD_LETTERS = text("SELECT count(*) FROM dead_letters")


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
    delivered: int
    """Of the last 24 hours."""
    allowed: int
    """0: unknown."""
    dead_letters: int
    """Events that could not be decoded and wait to be looked at."""

    @property
    def is_nearly_spent(self) -> bool:
        return bool(self.allowed) and self.delivered >= MUCH * self.allowed


async def stream_report(portal: Portal) -> StreamReport:
    """No topic in it: a listener has never run."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        rows = (await tx.execute(POSITIONS)).all()
        delivered = (await tx.execute(LAST_DAY, {"since": now - timedelta(hours=24)})).scalar_one()
        dead = (await tx.execute(DEAD_LETTERS)).scalar_one()
    topics = tuple(TopicReport(row.topic, row.heard_at, _level(row.heard_at, now), row.problem) for row in rows)
    return StreamReport(topics, int(delivered), portal.settings.salesforce.events_per_day, dead)


@periodic("11 */5 * * * *", queue="events")
async def watch_stream(timestamp: int) -> None:
    await watch(portal())


async def watch(portal: Portal) -> StreamReport:
    """Sets the gauges, and says what an operator should know: a warning from 24 hours on, an error from 48."""
    report = await stream_report(portal)
    DELIVERED.set(report.delivered)
    ALLOWED.set(report.allowed)
    for topic in report.topics:
        if topic.heard_at is not None:
            POSITION_AGE.labels(topic.topic).set((portal.clock.now() - topic.heard_at).total_seconds())
        facts = {"topic": topic.topic, "heard_at": str(topic.heard_at), "problem": topic.problem}
        if topic.level == "nearly_lost":
            log.error("events.position.nearly_lost", **facts)
        elif topic.level != "ok":
            log.warning(f"events.position.{topic.level}", **facts)
    if report.is_nearly_spent:
        log.warning("events.allocation.nearly_spent", delivered=report.delivered, allowed=report.allowed)
    return report


def _level(heard_at: datetime | None, now: datetime) -> Level:
    if heard_at is None:
        return "never_heard"
    age = now - heard_at
    if age >= NEARLY_LOST:
        return "nearly_lost"
    if age >= OLD:
        return "old"
    return "silent" if age > SILENT else "ok"
