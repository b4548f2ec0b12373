"""The drain: drops what events made stale, at once and twice more, and calls the functions registered for them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from portico import inbox
from portico.errors import PorticoError
from portico.events.drops import drops_of
from portico.inbox import Event
from portico.portal import Portal
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

Reaction = Callable[[Portal, Event], Awaitable[None]]
Reactions = Mapping[tuple[str, str], Reaction]
"""(source, kind) → what a domain does about it. The table stands in app.py. Twice must do no harm."""

HANDLED = Counter("portico_events_total", "Foreign events by outcome", ["source", "outcome"])
KEEP = timedelta(days=7)
AT_ONCE = 20
"""Events whose reactions are noted together: what a process that dies makes again."""
SLACK_SECONDS = 0.3
"""Jobs are started by the database's clock, events are due by ours."""

_reactions: dict[tuple[str, str], Reaction] = {}


def register(reactions: Reactions) -> None:
    """Called once by whoever runs the worker, with the table of app.py."""
    _reactions.clear()
    _reactions.update(reactions)


async def defer_drain(tx: AsyncConnection) -> None:
    """One drain runs at a time, so that no two react to one event."""
    await defer(tx, drain_inbox, lock="drain")


@job("events")
async def drain_inbox() -> None:
    await drain(portal())


@job("events")
async def drop_again() -> None:
    """Has no lock: a job that waits for its time holds up all later ones of its lock. Drops harm nobody twice."""
    await drain(portal(), least_stage=1)


@periodic("*/5 * * * * *", queue="events")
async def sweep_inbox(timestamp: int) -> None:
    """What a lost or late job left behind."""
    the_portal = portal()
    async with the_portal.db.begin() as tx:
        if await inbox.due(tx, the_portal.clock.now(), limit=1):
            await defer_drain(tx)


@periodic("17 3 * * *", queue="house")
async def forget_events(timestamp: int) -> None:
    the_portal = portal()
    async with the_portal.db.begin() as tx:
        await inbox.forget(tx, the_portal.clock.now() - KEEP)


async def drain(portal: Portal, *, least_stage: int = 0) -> int:
    """Handles what is due, stage by stage; answers how many events. An event that fails never holds up another."""
    handled = 0
    async with portal.db.begin() as tx:
        events = await inbox.due(tx, portal.clock.now(), least_stage=least_stage)
    for stage, batch in itertools.groupby(sorted(events, key=lambda e: (e.stage, e.id)), key=lambda e: e.stage):
        handled += await _handle(portal, stage, list(batch))
    return handled


async def _handle(portal: Portal, stage: int, events: list[Event]) -> int:
    await (await drops_of(portal, events)).make(portal)
    if stage > 0:
        return await _move_on(portal, stage, events)
    noted = [event for event in events if (event.source, event.kind) not in _reactions]
    for event in noted:
        HANDLED.labels(event.source, "noted").inc()
    moved = await _move_on(portal, 0, noted)  # they don't wait for the reactions of others
    reacting = [event for event in events if (event.source, event.kind) in _reactions]
    for start in range(0, len(reacting), AT_ONCE):
        some = reacting[start : start + AT_ONCE]
        moved += await _move_on(portal, 0, [event for event in some if await _react(portal, event)])
    return moved


async def _move_on(portal: Portal, stage: int, events: list[Event]) -> int:
    if not events:
        return 0
    async with portal.db.begin() as tx:
        await inbox.handled(tx, portal.clock.now(), stage, [event.id for event in events])
        if stage < len(inbox.DROP_AGAIN_SECONDS):
            await defer(tx, drop_again, in_seconds=inbox.DROP_AGAIN_SECONDS[stage] + SLACK_SECONDS)
    return len(events)


async def _react(portal: Portal, event: Event) -> bool:
    try:
        await _reactions[event.source, event.kind](portal, event)
    except PorticoError as error:
        log.warning("events.reaction.failed", kind=event.kind, inbox_id=event.id, error=error.code)
        why = error.code
    except Exception as error:
        log.exception("events.reaction.crashed", kind=event.kind, inbox_id=event.id)
        why = type(error).__name__
    else:
        HANDLED.labels(event.source, "handled").inc()
        return True
    HANDLED.labels(event.source, "failed").inc()
    async with portal.db.begin() as tx:
        await inbox.failed(tx, portal.clock.now(), event.tries, [event.id], why)
    return False
