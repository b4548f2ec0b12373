"""The one subscriber of Salesforce's change events: leads alone, follows each topic for ever, writes fenced.

At least once, duplicates harmless; a position is stored in the transaction that stores the events it covers.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portico.db import end_tasks
from portico.errors import PorticoError
from portico.events.leadership import LOOK_SECONDS, beat, leadership
from portico.events.received import RESYNCS, Deposed, Term, store
from portico.fulfillment.triggers import defer_poll
from portico.portal import Portal
from portico.systems.salesforce.changes import ReplayLost, Start, open_stream

log = structlog.get_logger()

RECONNECTS = Counter("portico_changes_reconnect_total", "Ends of a stream, by why", ["reason"])
LEADING = Gauge("portico_listener_leading", "1 in the process that holds the stream")
LONGEST_PAUSE_SECONDS = 60.0

# A position means nothing in another org; then nothing is known of this topic.
LEAD = text("""
    INSERT INTO change_position (topic, epoch, organization_id, feeds_copies) VALUES (:topic, 1, :org, :feeds_copies)
    ON CONFLICT (topic) DO UPDATE SET
        epoch = change_position.epoch + 1,
        organization_id = excluded.organization_id,
        feeds_copies = excluded.feeds_copies,
        replay_id = CASE WHEN coalesce(change_position.organization_id, :org) = :org
                         THEN change_position.replay_id END,
        heard_at = CASE WHEN coalesce(change_position.organization_id, :org) = :org THEN change_position.heard_at END
    RETURNING epoch, replay_id
""")
EXPECT = text("""
    INSERT INTO change_position (topic, feeds_copies)
    SELECT topic, topic = ANY(:fed) FROM unnest(CAST(:topics AS text[])) AS topic ON CONFLICT (topic) DO NOTHING
""")
FORGET_OTHERS = text("DELETE FROM change_position WHERE NOT topic = ANY(:topics)")
PROBLEM = text("""
    UPDATE change_position SET problem = :problem
    WHERE topic = :topic AND epoch = coalesce(CAST(:epoch AS bigint), epoch)
""")


async def listen(portal: Portal, stopping: asyncio.Event) -> None:
    """Leads whenever it can, stands by otherwise, until told to stop."""
    while not stopping.is_set():
        try:
            async with leadership(portal.settings.database.direct, stopping) as lock:
                if lock is not None:
                    await _until(stopping, *await _duties(portal), beat(lock))
        except (psycopg.Error, SQLAlchemyError, PorticoError, OSError, Deposed) as error:
            log.warning("listener.leadership.lost", error=type(error).__name__)
        finally:
            LEADING.set(0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)


async def _duties(portal: Portal) -> list[Any]:
    """Following every topic. Positions of topics that are no longer ours go: their gap would never be noticed. New ones
    are there from the start, so that copies are not trusted before they were heard.
    """
    settings = portal.settings.salesforce
    LEADING.set(1)
    topics = {"topics": [*settings.topics, *settings.provision_topics]}
    async with portal.db.begin() as tx:
        await tx.execute(FORGET_OTHERS, topics)
        await tx.execute(EXPECT, {**topics, "fed": list(settings.topics)})
    fed = [_Following(portal, topic, feeds_copies=True).run() for topic in settings.topics]
    return fed + [_Following(portal, topic, feeds_copies=False).run() for topic in settings.provision_topics]


class _Following:
    """Streams of one topic, for ever: every end is followed by the next one, later each time it fails at once."""

    def __init__(self, portal: Portal, topic: str, *, feeds_copies: bool) -> None:
        self._portal = portal
        self._topic = topic
        self._feeds_copies = feeds_copies
        self._term: Term | None = None
        self._start: Start = "latest"
        self._failures = 0

    async def run(self) -> None:
        while True:
            asked = 0.0
            try:
                await self._stream()
            except ReplayLost as lost:
                await self._lost(lost)
            except PorticoError as error:
                log.warning("listener.stream.ended", topic=self._topic, error=error.code, note=error.note)
                RECONNECTS.labels(error.code).inc()
                await self._note_problem(str(error))
                asked = float(error.facts.get("pause_seconds", 0))
            self._failures += 1
            await pause(self._failures, asked)

    async def _stream(self) -> None:
        if self._term is None:
            self._term = await self._begin()
        async with contextlib.aclosing(self._positions(self._term)) as positions:
            async for position in positions:
                # Only an answer shows that the service works: one that accepts and fails must not be hammered.
                self._start, self._failures = position or self._start, 0

    async def _begin(self) -> Term:
        token = await self._portal.salesforce.token.get()
        values = {"topic": self._topic, "org": token.organization_id, "feeds_copies": self._feeds_copies}
        async with self._portal.db.begin() as tx:
            row = (await tx.execute(LEAD, values)).mappings().one()
        term = Term(self._topic, row["epoch"], row["replay_id"], self._feeds_copies)
        log.info("listener.leads", topic=term.topic, epoch=term.epoch, resumes=term.position is not None)
        self._start = term.position or "latest"
        if term.position is None:
            RESYNCS.labels("no position").inc()
            await self._retire()
        return term

    async def _positions(self, term: Term) -> AsyncGenerator[bytes, None]:
        """One stream. Without a position of ours the subscription stands first; what it brings waits until all copies
        are retired and orders are looked for, so that nothing falls between.
        """
        is_fresh = isinstance(self._start, str)
        async with contextlib.aclosing(open_stream(self._portal.salesforce, term.topic, self._start)) as batches:
            async for batch in batches:
                if is_fresh:
                    # Before the position is ours: who dies in between must come here again.
                    await self._retire()
                    async with self._portal.db.begin() as tx:
                        await defer_poll(tx)
                    is_fresh = False
                await store(self._portal, term, batch)
                yield batch.position

    async def _lost(self, lost: ReplayLost) -> None:
        """What happened since is not known: everything copied is retired, before the next stream and once it stands."""
        log.error("listener.position.lost", topic=self._topic, note=lost.note)
        RECONNECTS.labels(lost.code).inc()
        RESYNCS.labels("position lost").inc()
        await self._note_problem("position lost")
        await self._retire()
        self._start = self._portal.settings.salesforce.lost_position

    async def _retire(self) -> None:
        if self._feeds_copies:
            await self._portal.cache.retire()

    async def _note_problem(self, problem: str) -> None:
        epoch = self._term.epoch if self._term else None  # without a token there is no term, and that must be said too
        values = {"topic": self._topic, "epoch": epoch, "problem": problem[:500]}
        async with self._portal.db.begin() as tx:
            await tx.execute(PROBLEM, values)


async def pause(failures: int, asked: float) -> None:
    """Before the next stream: random up to a bound that doubles with each failure in a row; `asked` at the least."""
    await asyncio.sleep(max(asked, random.uniform(0.1, longest_pause(failures))))  # noqa: S311


def longest_pause(failures: int) -> float:
    """Seconds."""
    return min(0.5 * 2.0 ** min(failures, 10), LONGEST_PAUSE_SECONDS)


async def _until(stopping: asyncio.Event, *coroutines: Any) -> None:
    """Runs them beside each other until one fails or it is time to stop; then ends all."""
    tasks = [asyncio.create_task(coroutine) for coroutine in (stopping.wait(), *coroutines)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_tasks(tasks)
