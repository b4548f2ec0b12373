"""The watermark sweep: what changed in Salesforce since the last look, compared with what events told of it.

It finds and counts what a lost event left behind, and makes up for it by an event of its own in the inbox. For an
entity whose changes are not published at all it is the only word of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico import inbox
from portico.errors import PorticoError, SystemDown
from portico.events.drain import KEEP, defer_drain
from portico.events.drops import drops_of
from portico.events.owners import remember
from portico.inbox import NewEvent
from portico.portal import Portal
from portico.systems.http import only_looks
from portico.systems.salesforce.changed_records import WATCHED, ChangedRecord, changed_records
from portico.work import periodic, portal

log = structlog.get_logger()

LEFT_BEHIND = Counter("portico_changes_left_behind_total", "Changes of which no event told", ["entity"])

EVERY = timedelta(minutes=15)
SETTLED = timedelta(seconds=60)
"""The event of a younger change may still be under way: the next sweep looks at it."""
OVERLAP = timedelta(minutes=10)
"""A long transaction shows its records later than their stamps say."""
MOST = 5000
"""More changes of an entity than this are not told apart: all of it is taken as changed."""

REFUSED_PAUSE = timedelta(minutes=5)
"""An object that is refused (a right, a field) is not asked for at every look: each costs a call of the day's."""

WATERMARKS = text("SELECT entity, at, not_before FROM watermarks")
ADVANCE = text("""
    INSERT INTO watermarks (entity, at) VALUES (:entity, :at)
    ON CONFLICT (entity) DO UPDATE SET at = excluded.at, not_before = NULL
""")
PUT_OFF = text("UPDATE watermarks SET not_before = :not_before WHERE entity = :entity")
# The newest change that an event told of, by record; an event for all records (null) told of each.
TOLD = text("""
    SELECT record_id, max(CAST(body ->> 'at' AS double precision)) AS at
    FROM inbox LEFT JOIN LATERAL jsonb_array_elements_text(body -> 'record_ids') AS record_id ON true
    WHERE source = 'salesforce' AND kind = :entity AND received_at >= :since
      AND (record_id IS NULL OR record_id = ANY(:record_ids))
    GROUP BY record_id
""")


@periodic("* * * * * */10", queue="events")
async def sweep_changes(timestamp: int) -> None:
    """Looks often whether it is time, by the portal's clock."""
    await sweep(portal())


async def sweep(portal: Portal) -> int:
    """Sweeps each entity whose time has come; answers how many changes no event told of. An entity that can't be read
    now is tried again at the next look, from the same mark.
    """
    looks = only_looks.set(True)  # the last calls of the day are kept for what acts
    try:
        return await _sweep_what_is_due(portal, portal.clock.now())
    finally:
        only_looks.reset(looks)


async def _sweep_what_is_due(portal: Portal, now: datetime) -> int:
    left_behind = 0
    for entity, mark in (await _due(portal, now)).items():
        try:
            left_behind += await _sweep(portal, entity, mark, now)
        except PorticoError as error:
            log.warning("events.sweep.failed", entity=entity, error=error.code, note=str(error))
            if not isinstance(error, SystemDown):
                async with portal.db.begin() as tx:
                    await tx.execute(PUT_OFF, {"entity": entity, "not_before": now + REFUSED_PAUSE})
    return left_behind


async def _due(portal: Portal, now: datetime) -> dict[str, datetime]:
    """Marks of what is to be swept now."""
    async with portal.db.begin() as tx:
        rows = {row.entity: row for row in await tx.execute(WATERMARKS)}
        for entity in WATCHED:
            if entity not in rows or rows[entity].at > now:  # the first look, or a clock that was set back
                await tx.execute(ADVANCE, {"entity": entity, "at": now})
    looked_at = [rows[entity] for entity in WATCHED if entity in rows]
    return {row.entity: row.at for row in looked_at if now - row.at >= EVERY and not _is_put_off(row.not_before, now)}


def _is_put_off(not_before: datetime | None, now: datetime) -> bool:
    return not_before is not None and now < not_before <= now + REFUSED_PAUSE


async def _sweep(portal: Portal, entity: str, mark: datetime, now: datetime) -> int:
    until, after = now - SETTLED, mark - OVERLAP
    records = await changed_records(portal.salesforce, entity, after, until, MOST)
    if len(records) == MOST or now - mark > KEEP - OVERLAP:
        missing = [_all_of(entity, until)]
    else:
        missing = await _untold(portal, entity, records, after)
    # Also what events told of: two changes within a second, and the word of the second one may be lost.
    hints = [inbox.Event(0, e.source, e.external_id, e.kind, e.body, now, 0, 0) for e in _events(entity, records)]
    await (await drops_of(portal, hints)).make(portal)
    async with portal.db.begin() as tx:
        found = await inbox.receive(tx, now, missing)
        await remember(tx, now, *_owners(entity, records))
        await tx.execute(ADVANCE, {"entity": entity, "at": until})
        if found:
            await defer_drain(tx)
    if found:
        LEFT_BEHIND.labels(entity).inc(found)
        log.warning("events.sweep.left_behind", entity=entity, found=found, first=missing[0].external_id)
    return found


async def _untold(portal: Portal, entity: str, records: Sequence[ChangedRecord], after: datetime) -> list[NewEvent]:
    """Events for the records whose last change is younger than the last one that was told."""
    if not records:
        return []
    async with portal.db.begin() as tx:
        told = await _told(tx, entity, records, after)
    of_all = told.get(None, 0.0)
    return _events(entity, [record for record in records if max(told.get(record.id, 0.0), of_all) < _second(record)])


async def _told(
    tx: AsyncConnection, entity: str, records: Sequence[ChangedRecord], since: datetime
) -> dict[str | None, float]:
    values = {"entity": entity, "since": since - OVERLAP, "record_ids": [record.id for record in records]}
    return {row.record_id: row.at or 0.0 for row in await tx.execute(TOLD, values)}


def _second(record: ChangedRecord) -> float:
    return record.at.timestamp()


def _events(entity: str, records: Sequence[ChangedRecord]) -> list[NewEvent]:
    return [_event(entity, record) for record in records]


def _event(entity: str, record: ChangedRecord) -> NewEvent:
    """The same for every sweep that finds the same change."""
    body: dict[str, Any] = {
        "change": "SWEPT",
        "own": False,
        "record_ids": [record.id],
        "order_ids": [record.order_id] if record.order_id else [],
        "account_ids": [record.account_id] if record.account_id else [],
        "at": record.at.timestamp(),
    }
    return NewEvent("salesforce", f"swept {record.id} {record.at.isoformat()}", entity, body)


def _all_of(entity: str, until: datetime) -> NewEvent:
    body = {"change": "SWEPT", "own": False, "record_ids": [], "at": until.timestamp()}
    return NewEvent("salesforce", f"swept {entity} {until.isoformat()}", entity, body)


def _owners(entity: str, records: Sequence[ChangedRecord]) -> tuple[dict[str, str], dict[str, str]]:
    accounts = {one.order_id: one.account_id for one in records if one.order_id and one.account_id}
    orders = {one.id: one.order_id for one in records if one.order_id} if entity == "OrderItem" else {}
    return accounts, orders
