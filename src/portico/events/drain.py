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

_reactions: dict[tuple[str, str], Reaction] = {}


def register(reactions: Reactions) -> None:
    """Called once by whoever runs the worker, with the table of app.py."""
    _reactions.clear()
    _reactions.update(reactions)


async def defer_drain(tx: AsyncConnection, *, in_seconds: float = 0) -> None:
    await defer(tx, drain_inbox, in_seconds=in_seconds, lock="drain")


@job("events")
async def drain_inbox() -> None:
    await drain(portal())


@periodic("*/5 * * * * *", queue="events")
async def sweep_inbox(timestamp: int) -> None:
    """What a lost or late job left behind."""
    await drain(portal())


@periodic("17 3 * * *", queue="house")
async def forget_events(timestamp: int) -> None:
    the_portal = portal()
    async with the_portal.db.begin() as tx:
        await inbox.forget(tx, the_portal.clock.now() - KEEP)


async def drain(portal: Portal) -> int:
    """Handles what is due, stage by stage; answers how many events. An event that fails never holds up another."""
    handled = 0
    async with portal.db.begin() as tx:
        events = await inbox.due(tx, portal.clock.now())
    for stage, batch in itertools.groupby(sorted(events, key=lambda e: (e.stage, e.id)), key=lambda e: e.stage):
        handled += await _handle(portal, stage, list(batch))
    return handled


async def _handle(portal: Portal, stage: int, events: list[Event]) -> int:
    await (await drops_of(portal, events)).make(portal)
    done = [event.id for event in events if stage > 0 or await _react(portal, event)]
    if not done:
        return 0
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        await inbox.handled(tx, now, stage, done)
        if stage < len(inbox.DROP_AGAIN_SECONDS):
            await defer_drain(tx, in_seconds=inbox.DROP_AGAIN_SECONDS[stage])
    return len(done)


async def _react(portal: Portal, event: Event) -> bool:
    reaction = _reactions.get((event.source, event.kind))
    if reaction is None:
        HANDLED.labels(event.source, "noted").inc()
        return True
    try:
        await reaction(portal, event)
    except PorticoError as error:
        log.warning("events.reaction.failed", kind=event.kind, event=event.id, error=error.code)
    except Exception:
        log.exception("events.reaction.crashed", kind=event.kind, event=event.id)
    else:
        HANDLED.labels(event.source, "handled").inc()
        return True
    HANDLED.labels(event.source, "failed").inc()
    async with portal.db.begin() as tx:
        await inbox.failed(tx, portal.clock.now(), event.tries, [event.id], "reaction failed")
    return False
