"""The drain: drops what events made stale, at once and twice more, and calls the functions registered for them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico import inbox
from portico.errors import PorticoError
from portico.events.drops import drops_of
from portico.events.owners import ITEM, Owners, forget_owners, owners_of
from portico.inbox import Event
from portico.portal import Portal
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

Reaction = Callable[[Portal, Event], Awaitable[None]]
Reactions = Mapping[tuple[str, str], Reaction]
"""(source, kind) → what a domain does about it. The table stands in app.py. Twice must do no harm."""

HANDLED = Counter("portico_events_total", "Foreign events by outcome", ["source", "outcome"])
KEEP = timedelta(days=7)
KEEP_DEAD_LETTERS = timedelta(days=30)
FORGET_DEAD_LETTERS = text("DELETE FROM dead_letters WHERE received_at < :before")
FORGET_DELIVERIES = text("DELETE FROM change_deliveries WHERE hour < :before")
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


@periodic("* * * * * */5", queue="events")
async def sweep_inbox(timestamp: int) -> None:
    """What a lost or late job left behind."""
    the_portal = portal()
    async with the_portal.db.begin() as tx:
        if await inbox.due(tx, the_portal.clock.now(), limit=1):
            await defer_drain(tx)


@periodic("17 3 * * *", queue="house")
async def forget_events(timestamp: int) -> None:
    await forget(portal())


async def drain(portal: Portal, *, least_stage: int = 0) -> int:
    """Handles what is due, stage by stage; answers how many events. An event that fails never holds up another."""
    handled = 0
    async with portal.db.begin() as tx:
        events = await inbox.due(tx, portal.clock.now(), least_stage=least_stage)
    for stage, batch in itertools.groupby(sorted(events, key=lambda e: (e.stage, e.id)), key=lambda e: e.stage):
        handled += await _handle(portal, stage, list(batch))
    return handled


async def forget(portal: Portal) -> None:
    """What is no longer of use: handled events, dead letters, counts of deliveries, old orders' owners."""
    now, is_more = portal.clock.now(), True
    while is_more:
        async with portal.db.begin() as tx:
            is_more = await inbox.forget(tx, now - KEEP)
    async with portal.db.begin() as tx:
        await tx.execute(FORGET_DEAD_LETTERS, {"before": now - KEEP_DEAD_LETTERS})
        await tx.execute(FORGET_DELIVERIES, {"before": now - KEEP})
    await forget_owners(portal)


async def _handle(portal: Portal, stage: int, events: list[Event]) -> int:
    owners = await owners_of(portal, events, ask=True)
    await (await drops_of(portal, events, owners)).make(portal)
    if stage > 0:
        return await _move_on(portal, stage, events)
    noted = [event for event in events if (event.source, event.kind) not in _reactions]
    for event in noted:
        HANDLED.labels(event.source, "noted").inc()
    moved = await _move_on(portal, 0, noted)  # they don't wait for the reactions of others
    reacting = [_with_orders(event, owners) for event in events if (event.source, event.kind) in _reactions]
    groups = _alike(reacting)
    for start in range(0, len(groups), AT_ONCE):
        some = groups[start : start + AT_ONCE]
        moved += await _move_on(portal, 0, [event for alike in some if await _react(portal, alike) for event in alike])
    return moved


def _with_orders(event: Event, owners: Owners) -> Event:
    """A gap of an order item names the item only: what reacts wants the order."""
    if event.source != "salesforce" or event.kind != ITEM:
        return event
    return replace(event, body=event.body | {"order_ids": owners.orders(event) or []})


def _alike(events: list[Event]) -> list[list[Event]]:
    """Change events of the same orders together, in the order of their first: a reaction reads the truth, so that one
    for all of them does. Hooks stay alone.
    """
    groups: dict[Any, list[Event]] = {}
    for event in events:
        is_change = event.source == "salesforce"
        orders = tuple(event.body.get("order_ids", []))
        key = (event.kind, bool(event.body.get("own")), orders) if is_change else event.id
        groups.setdefault(key, []).append(event)
    return list(groups.values())


async def _move_on(portal: Portal, stage: int, events: list[Event]) -> int:
    if not events:
        return 0
    async with portal.db.begin() as tx:
        await inbox.handled(tx, portal.clock.now(), stage, [event.id for event in events])
        if stage < len(inbox.DROP_AGAIN_SECONDS):
            await defer(tx, drop_again, in_seconds=inbox.DROP_AGAIN_SECONDS[stage] + SLACK_SECONDS)
    return len(events)


async def _react(portal: Portal, alike: list[Event]) -> bool:
    event = alike[-1]
    try:
        await _reactions[event.source, event.kind](portal, event)
    except PorticoError as error:
        log.warning("events.reaction.failed", kind=event.kind, inbox_id=event.id, error=error.code)
        why = error.code
    except Exception as error:
        log.exception("events.reaction.crashed", kind=event.kind, inbox_id=event.id)
        why = type(error).__name__
    else:
        HANDLED.labels(event.source, "handled").inc(len(alike))
        return True
    HANDLED.labels(event.source, "failed").inc(len(alike))
    async with portal.db.begin() as tx:
        await inbox.failed(tx, portal.clock.now(), max(one.tries for one in alike), [one.id for one in alike], why)
    return False
