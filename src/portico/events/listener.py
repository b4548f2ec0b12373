"""The one subscriber of Salesforce's change events: leads by advisory lock, writes by a fenced position.

At least once, duplicates harmless; a position is stored in the transaction that stores the events it covers.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portico import inbox
from portico.db import LASTING, end_tasks
from portico.errors import PorticoError
from portico.events.drain import defer_drain
from portico.events.drops import UNREADABLE, drops_of
from portico.fulfillment.triggers import defer_poll
from portico.inbox import NewEvent
from portico.portal import Portal
from portico.systems.salesforce.changes import Batch, ChangeEvent, ReplayLost, Start, open_stream

log = structlog.get_logger()

LEADER_LOCK = 7_061_002
RECEIVED = Counter("portico_changes_received_total", "Change events stored", ["entity"])
LEADING = Gauge("portico_listener_leading", "1 in the process that holds the stream")

LEAD = text("""
    INSERT INTO change_position (topic, epoch) VALUES (:topic, 1)
    ON CONFLICT (topic) DO UPDATE SET epoch = change_position.epoch + 1
    RETURNING epoch, replay_id
""")
HEARD = text("""
    UPDATE change_position SET replay_id = :replay_id, heard_at = :heard_at, problem = NULL
    WHERE topic = :topic AND epoch = :epoch
""")
PROBLEM = text("UPDATE change_position SET problem = :problem WHERE topic = :topic AND epoch = :epoch")


class Deposed(Exception):
    """Another listener leads: whatever this one still holds must not be written."""


@dataclass(frozen=True)
class Term:
    """One leader's time. `position` None: nothing was ever heard of this topic."""

    topic: str
    epoch: int
    position: bytes | None


async def listen(portal: Portal, stopping: asyncio.Event) -> None:
    """Leads whenever it can, stands by otherwise, until told to stop."""
    while not stopping.is_set():
        try:
            async with _leadership(portal.settings.database.direct, stopping) as lock:
                if lock is not None:
                    await _until(stopping, _lead(portal), _keep(lock))
        except (psycopg.Error, SQLAlchemyError, PorticoError, OSError, Deposed) as error:
            log.warning("listener.leadership.lost", error=type(error).__name__)
        finally:
            LEADING.set(0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 1)


async def _lead(portal: Portal) -> None:
    """Streams for ever; every end of a stream is followed by the next one, later each time it fails at once."""
    topic = portal.settings.salesforce.topic
    async with portal.db.begin() as tx:
        row = (await tx.execute(LEAD, {"topic": topic})).mappings().one()
    term = Term(topic, row["epoch"], row["replay_id"])
    LEADING.set(1)
    log.info("listener.leads", epoch=term.epoch, resumes=term.position is not None)
    start: Start = term.position or "latest"
    if term.position is None:
        await portal.cache.retire()  # what changed until now, nobody has told us
    failures = 0
    while True:
        pause = 0.0
        try:
            async with contextlib.aclosing(_stream(portal, term, start)) as positions:
                async for position in positions:
                    start, failures = position, 0
        except ReplayLost:
            # What happened since is not known: everything copied is retired, and the stream begins at its earliest.
            log.error("listener.position.lost")
            await _note_problem(portal, term, "position lost")
            await portal.cache.retire()
            start = "earliest"
        except PorticoError as error:
            log.warning("listener.stream.ended", error=error.code, note=error.note)
            await _note_problem(portal, term, str(error))
            pause = float(error.facts.get("pause_seconds", 0))
        failures += 1
        await asyncio.sleep(max(pause, random.uniform(0.1, min(0.5 * 2 ** min(failures, 10), 60))))  # noqa: S311


async def _stream(portal: Portal, term: Term, start: Start) -> AsyncGenerator[bytes, None]:
    """One stream. Without a position of ours, all copies are retired once it is open, and orders are polled."""
    is_fresh = isinstance(start, str)
    async with contextlib.aclosing(open_stream(portal.salesforce, term.topic, start)) as batches:
        async for batch in batches:
            if is_fresh:
                # Before the position is ours: who dies in between must come here again.
                await portal.cache.retire()
                async with portal.db.begin() as tx:
                    await defer_poll(tx)
                is_fresh = False
            await _store(portal, term, batch)
            yield batch.position


async def _store(portal: Portal, term: Term, batch: Batch) -> None:
    now = portal.clock.now()
    events = [_new_event(event) for event in batch.events]
    async with portal.db.begin() as tx:
        values = {"topic": term.topic, "epoch": term.epoch, "replay_id": batch.position}
        values["heard_at"] = _heard_at(batch, now)
        if (await tx.execute(HEARD, values)).rowcount == 0:
            raise Deposed(term.topic)
        if await inbox.receive(tx, now, events):
            await defer_drain(tx)
    for event in events:
        RECEIVED.labels(event.kind).inc()
    if events:  # the next read must not wait for a worker; the drain is the guarantee
        hints = [inbox.Event(0, e.source, e.external_id, e.kind, e.body, now, 0, 0) for e in events]
        await (await drops_of(portal, hints)).make(portal)


def _heard_at(batch: Batch, now: datetime) -> datetime:
    """Until when we know what happened: with a backlog still to come, that is when the last event did."""
    commit_at = batch.events[-1].commit_at if batch.events else None
    return min(now, commit_at or now)


def _new_event(event: ChangeEvent) -> NewEvent:
    """Ids only: the drain and the domains read the truth again. An event for all records names none."""
    record_ids = [] if event.concerns_all else list(event.record_ids)
    body: dict[str, Any] = {"change": event.change_type, "own": event.own, "record_ids": record_ids}
    if event.problem:
        parked = base64.b64encode(event.raw).decode()
        body |= {"problem": event.problem, "schema_id": event.schema_id, "raw": parked}
    if event.entity == "Account":
        body["account_ids"] = record_ids
    if event.entity == "Order":
        body |= {"order_ids": record_ids, "account_ids": _known(event.account_id)}
    if event.entity == "OrderItem":
        body["order_ids"] = _known(event.order_id)
    return NewEvent("salesforce", event.event_id, event.entity or UNREADABLE, body)


def _known(value: str | None) -> list[str]:
    return [value] if value else []


async def _note_problem(portal: Portal, term: Term, problem: str) -> None:
    async with portal.db.begin() as tx:
        await tx.execute(PROBLEM, {"topic": term.topic, "epoch": term.epoch, "problem": problem[:500]})


@contextlib.asynccontextmanager
async def _leadership(url: str, stopping: asyncio.Event) -> AsyncIterator[psycopg.AsyncConnection[Any] | None]:
    """The connection that holds the lock, or None when told to stop before it was free."""
    async with await psycopg.AsyncConnection.connect(url, **LASTING) as connection:
        while not stopping.is_set():
            row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (LEADER_LOCK,))).fetchone()
            if row and row[0]:
                yield connection
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 1)
        yield None


async def _keep(lock: psycopg.AsyncConnection[Any]) -> None:
    """Raises as soon as the connection that holds the lock is gone."""
    while True:
        await asyncio.sleep(2)
        await asyncio.wait_for(lock.execute("SELECT 1"), 3)


async def _until(stopping: asyncio.Event, *coroutines: Any) -> None:
    """Runs them beside each other until one fails or it is time to stop; then ends all."""
    tasks = [asyncio.create_task(coroutine) for coroutine in (stopping.wait(), *coroutines)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_tasks(tasks)
