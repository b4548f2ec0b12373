"""What operators are told of the stream of change events by log and metrics, every five minutes."""

from __future__ import annotations

from datetime import datetime

import structlog
from prometheus_client import Gauge

from portico.change_stream import StreamReport, TopicReport, stream_report
from portico.portal import Portal
from portico.work import periodic, portal

log = structlog.get_logger()

POSITION_AGE = Gauge("portico_changes_position_age_seconds", "How far the stored position lies back", ["topic"])
DELIVERED = Gauge("portico_changes_delivered_24h", "Events delivered to us in 24 hours, duplicates included")
ALLOWED = Gauge("portico_changes_allowed_24h", "Events that the org may deliver to all its subscribers; 0 = unknown")
DEAD_LETTERS = Gauge("portico_changes_dead_letters", "Events that could not be decoded and are kept to be looked at")
UNHANDLED_AGE = Gauge("portico_events_unhandled_age_seconds", "Age of the oldest event that nothing was done about")
SWEEP_AGE = Gauge("portico_changes_sweep_age_seconds", "Since when Salesforce was not compared with what events told")


@periodic("*/5 * * * * 11", queue="events")
async def watch_stream(timestamp: int) -> None:
    await watch(portal())


async def watch(portal: Portal) -> StreamReport:
    """Sets the gauges, and says what an operator should know: a warning, or an error where events may be lost."""
    async with portal.db.begin() as tx:
        report = await stream_report(tx, portal.clock.now(), portal.settings.salesforce.events_per_day)
    DELIVERED.set(report.delivered)
    ALLOWED.set(report.allowed)
    DEAD_LETTERS.set(report.dead_letters)
    UNHANDLED_AGE.set(_age(report, report.unhandled_since))
    SWEEP_AGE.set(_age(report, report.swept_until))
    for topic in report.topics:
        if topic.heard_at is not None:
            POSITION_AGE.labels(topic.topic).set(_age(report, topic.heard_at))
        _say_of_topic(topic)
    if report.is_nearly_spent:
        log.warning("events.allocation.nearly_spent", delivered=report.delivered, allowed=report.allowed)
    if report.is_unhandled_for_long:
        log.error("events.unhandled", since=str(report.unhandled_since))
    if report.is_unswept_for_long:
        log.error("events.sweep.behind", swept_until=str(report.swept_until))
    return report


def _age(report: StreamReport, moment: datetime | None) -> float:
    return (report.at - moment).total_seconds() if moment else 0.0


def _say_of_topic(topic: TopicReport) -> None:
    facts = {"topic": topic.topic, "heard_at": str(topic.heard_at), "problem": topic.problem}
    if topic.level == "nearly_lost":
        log.error("events.position.nearly_lost", **facts)
    elif topic.level != "ok":
        log.warning(f"events.position.{topic.level}", **facts)
