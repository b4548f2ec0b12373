"""A batch of change events stored: the events, whose orders they are and the position, in one fenced transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from portico import inbox
from portico.errors import Busy
from portico.events.drain import defer_drain
from portico.events.drops import PROVISION, UNREADABLE, drops_of
from portico.events.owners import ITEM, ORDER, remember
from portico.inbox import NewEvent
from portico.portal import Portal
from portico.systems.salesforce.bitmaps import EVERYTHING
from portico.systems.salesforce.change_events import PUBLISHED
from portico.systems.salesforce.changes import Batch, ChangeEvent
from portico.systems.salesforce.relevant import matters, relevant_fields

log = structlog.get_logger()

RECEIVED = Counter("portico_changes_received_total", "Change events stored", ["entity"])
DUPLICATES = Counter("portico_changes_duplicate_total", "Change events that were stored already")
GAPS = Counter("portico_changes_gap_total", "Events that name records but not what changed", ["entity"])
RESYNCS = Counter("portico_changes_resync_total", "How often all copies of something were given up", ["reason"])
LAG = Histogram(
    "portico_changes_lag_seconds", "From commit in Salesforce to our inbox", buckets=(0.1, 0.3, 1, 3, 10, 60, 600, 3600)
)

ATTEMPT = text("SELECT set_config('idle_in_transaction_session_timeout', '3000', true)")
"""A leader that freezes in here holds the position's row: who takes over must not wait for long."""
HEARD = text("""
    WITH heard AS (
        UPDATE change_position
        SET replay_id = coalesce(nullif(CAST(:replay_id AS bytea), ''::bytea), replay_id), heard_at = :heard_at,
            problem = NULL
        WHERE topic = :topic AND epoch = :epoch RETURNING topic
    ), counted AS (
        INSERT INTO change_deliveries (hour, delivered)
        SELECT date_trunc('hour', CAST(:now AS timestamptz)), :delivered FROM heard WHERE :delivered > 0
        ON CONFLICT (hour) DO UPDATE SET delivered = change_deliveries.delivered + excluded.delivered
    )
    SELECT 1 FROM heard
""")
BURY = text("""
    INSERT INTO dead_letters (external_id, topic, entity, schema_id, payload, problem, received_at)
    VALUES (:external_id, :topic, :entity, :schema_id, :payload, :problem, :now)
    ON CONFLICT (external_id) DO NOTHING
""")


class Deposed(Exception):
    """Another listener leads: whatever this one still holds must not be written."""


@dataclass(frozen=True)
class Term:
    """One leader's time with one topic. `position` None: nothing was ever heard of it."""

    topic: str
    epoch: int
    position: bytes | None
    feeds_copies: bool = True
    """False: its events start fulfillment and make nothing stale."""


async def store(portal: Portal, term: Term, batch: Batch) -> None:
    """Stores a batch, then drops at once what it makes stale. Raises Deposed, and SQLAlchemyError or Busy where our
    own database did not take it.
    """
    now = portal.clock.now()
    relevant = relevant_fields(portal.settings.salesforce_fields)
    events = [new_event(term, event, relevant) for event in batch.events]
    async with portal.db.begin() as tx:
        await tx.execute(ATTEMPT)
        values = {"topic": term.topic, "epoch": term.epoch, "replay_id": batch.position, "now": now}
        values |= {"heard_at": heard_at(batch, now), "delivered": len(events)}
        if (await tx.execute(HEARD, values)).first() is None:
            raise Deposed(term.topic)
        new = await inbox.receive(tx, now, events)
        await _keep_owners(tx, now, batch)
        for event, stored in zip(batch.events, events, strict=True):
            if event.problem:
                await _bury(tx, term, event, stored.external_id, now)
        if new:
            await defer_drain(tx)
    _measure(batch, events, new, now)
    await _drop(portal, events, now)


def heard_at(batch: Batch, now: datetime) -> datetime:
    """Until when we know what happened: with a backlog still to come, that is when the last event did."""
    commit_at = batch.events[-1].commit_at if batch.events else None
    return min(now, commit_at or now)


def new_event(term: Term, event: ChangeEvent, relevant: Mapping[str, frozenset[str]]) -> NewEvent:
    """Ids only: the drain and the domains read the truth again. An event for all records names none."""
    record_ids = [] if event.concerns_all else list(event.record_ids)
    body: dict[str, Any] = {
        "change": _plain(event.change_type),
        "own": event.own and not _is_approval(event),
        "record_ids": record_ids,
        "transaction": _plain(event.transaction),
    }
    if event.commit_at:
        body["at"] = event.commit_at.timestamp()
    if event.problem:
        body["problem"] = event.problem
    if event.entity == "Account":
        body["account_ids"] = record_ids
    if event.entity == ORDER:
        body |= {"order_ids": record_ids, "account_ids": _known(event.account_id)}
    if event.entity == ITEM or not term.feeds_copies:
        body["order_ids"] = _known(event.order_id)
    kind = _plain(event.entity or UNREADABLE) if term.feeds_copies else PROVISION
    is_moot = term.feeds_copies and not matters(relevant, event.entity, event.changed_fields)
    return NewEvent("salesforce", _plain(event.event_id), kind, body, is_moot)


def _is_approval(event: ChangeEvent) -> bool:
    """Our own write, and an automation of the org changed the Status in the same transaction."""
    is_update = event.entity == ORDER and event.changed_fields != EVERYTHING
    return is_update and not event.changed_fields.isdisjoint({"Status", "StatusCode"})


def _known(value: str | None) -> list[str]:
    return [value] if value else []


def _plain(value: str) -> str:
    """Postgres keeps no NUL in text: one strange event must not stop the stream."""
    return value.replace("\0", "\ufffd")[:200]


async def _keep_owners(tx: AsyncConnection, now: datetime, batch: Batch) -> None:
    told = [event for event in batch.events if not event.concerns_all and event.change_type != PUBLISHED]
    orders = [event for event in told if event.entity == ORDER and event.account_id]
    items = [event for event in told if event.entity == ITEM and event.order_id]
    await remember(
        tx,
        now,
        {order_id: event.account_id for event in orders for order_id in event.record_ids if event.account_id},
        {item_id: event.order_id for event in items for item_id in event.record_ids if event.order_id},
    )


async def _bury(tx: AsyncConnection, term: Term, event: ChangeEvent, external_id: str, now: datetime) -> None:
    values = {"external_id": external_id, "topic": term.topic, "entity": _plain(event.entity), "now": now}
    values |= {"schema_id": _plain(event.schema_id), "payload": event.raw, "problem": event.problem}
    await tx.execute(BURY, values)


def _measure(batch: Batch, events: list[NewEvent], new: int, now: datetime) -> None:
    """What happened, by ids only: never the payload, which holds personal data."""
    DUPLICATES.inc(len(events) - new)
    for event, stored in zip(batch.events, events, strict=True):
        RECEIVED.labels(stored.kind).inc()
        if event.commit_at:
            LAG.observe(max(0.0, (now - event.commit_at).total_seconds()))
        if event.problem or event.concerns_all:
            RESYNCS.labels("undecodable" if event.problem else "overflow").inc()
        if event.is_gap:
            GAPS.labels(stored.kind).inc()
        if event.is_gap or event.problem or event.concerns_all:
            facts = {"event_id": stored.external_id, "transaction": event.transaction, "problem": event.problem}
            log.warning("listener.event.unusual", kind=stored.kind, change=event.change_type, **facts)
    if events:
        ids = {"first": events[0].external_id, "last": events[-1].external_id}
        log.info("listener.batch.stored", events=len(events), new=new, rpc_ids=batch.rpc_ids, **ids)


async def _drop(portal: Portal, events: list[NewEvent], now: datetime) -> None:
    """The next read must not wait for a worker; the drain is the guarantee."""
    hints = [inbox.Event(0, e.source, e.external_id, e.kind, e.body, now, 0, 0) for e in events if not e.is_moot]
    if not hints:
        return
    try:
        await (await drops_of(portal, hints)).make(portal)
    except (SQLAlchemyError, Busy, OSError) as error:
        log.warning("listener.not_dropped", error=type(error).__name__)
