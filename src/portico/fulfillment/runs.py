"""Runs of the story: claim the row, tell the story until it ends or stops, write down where it stands."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.cache import drop_for
from portico.creation import LostClaim as LostCreation
from portico.customer import Customer
from portico.errors import PorticoError, SystemDown
from portico.fulfillment import outcomes, story
from portico.fulfillment.outcomes import DONE, OUTCOMES, Outcome, Stopped
from portico.fulfillment.steps import Run
from portico.identity.mapping import customer_by_account
from portico.orders import timeline
from portico.orders.timeline import Claim, LostClaim
from portico.portal import Portal
from portico.systems.http import deadline
from portico.systems.salesforce import orders as salesforce_orders
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

RUN_SECONDS = 60
TRIES_BEFORE_PARKING = 8
"""For errors that waiting alone may not mend; a system that is down is waited for as long as it takes."""
LONGEST_WAIT = timedelta(minutes=15)


@job("orders")
async def fulfill_order(order_id: str) -> None:
    await run_order(portal(), order_id)


@periodic("*/5 * * * * *", queue="orders")
async def sweep_fulfillments(timestamp: int) -> None:
    await sweep(portal())


async def sweep(portal: Portal) -> int:
    """Defers a job for every row with something left to do and no job; answers how many."""
    async with portal.db.begin() as tx:
        order_ids = await timeline.idle(tx, portal.clock.now())
        for order_id in order_ids:
            await defer_run(tx, order_id)
    return len(order_ids)


async def defer_run(tx: AsyncConnection, order_id: str, *, in_seconds: float = 0) -> None:
    await defer(tx, fulfill_order, in_seconds=in_seconds, lock=f"order:{order_id}", order_id=order_id)


async def run_order(portal: Portal, order_id: str) -> None:
    """One run. Whatever happens in it, the row says afterwards where the order stands and when to look again."""
    deadline.set(asyncio.get_running_loop().time() + RUN_SECONDS)
    async with portal.db.begin() as tx:
        mine = await timeline.claim(tx, order_id, portal.clock.now())
        customer = await customer_by_account(tx, mine.account_id) if mine else None
    if mine is None:
        return
    try:
        if mine.state not in ("parked", "done"):
            stop, tries = await _tell_story(portal, mine, customer)
            mine = await _rest(portal, mine, stop, tries)
        await _tell_salesforce(portal, mine)
    except (LostClaim, LostCreation):
        log.info("fulfillment.run.overtaken", order=order_id)
    except SystemDown as error:
        # Only telling Salesforce can end here: the sweep finds what it has not been told.
        log.warning("fulfillment.tell.failed", order=order_id, system=error.system)
    if customer is not None:
        await drop_for(portal, customer, "own:fulfillment")


async def _tell_story(portal: Portal, mine: Claim, customer: Customer | None) -> tuple[Stopped, int]:
    """Where the story stopped (DONE is a stop too), and how many tries have failed in a row."""
    try:
        return Stopped(await _told(portal, mine, customer)), 0
    except Stopped as stop:
        return stop, 0
    except SystemDown as error:
        wait = _backoff(portal, mine.tries)
        return Stopped(outcomes.SYSTEM_DOWN, str(error), look_again=wait), mine.tries + 1
    except (LostClaim, LostCreation):
        raise
    except PorticoError as error:
        log.warning("fulfillment.step.failed", order=mine.order_id, error=str(error))
        return _another_try(portal, mine, str(error))
    except Exception as error:  # a bug parks its own order, never blocks others
        log.exception("fulfillment.step.crashed", order=mine.order_id)
        return _another_try(portal, mine, type(error).__name__)


def _another_try(portal: Portal, mine: Claim, detail: str) -> tuple[Stopped, int]:
    if mine.tries + 1 >= TRIES_BEFORE_PARKING:
        return Stopped(outcomes.INTERNAL_ERROR, detail), mine.tries + 1
    return Stopped(outcomes.SYSTEM_DOWN, detail, look_again=_backoff(portal, mine.tries)), mine.tries + 1


async def _told(portal: Portal, mine: Claim, customer: Customer | None) -> Outcome:
    if customer is None:
        raise Stopped(outcomes.CUSTOMER_NOT_MAPPED)
    order = await salesforce_orders.get_order_to_fulfill(portal.salesforce, mine.order_id)
    async with portal.db.begin() as tx:
        journal = await timeline.journal_of(tx, mine.order_id)
    return await story.fulfill(Run(portal, mine, order, customer, dict(journal.steps)))


async def _rest(portal: Portal, mine: Claim, stop: Stopped, tries: int) -> Claim:
    now = portal.clock.now()
    outcome = stop.outcome
    wake_at = now + stop.look_again if stop.look_again else None
    async with portal.db.begin() as tx:
        await timeline.rest(
            tx,
            mine,
            outcome.state,
            now,
            reason_code=outcome.code or None,
            detail=stop.detail,
            wake_at=wake_at,
            tries=tries,
        )
        if stop.look_again:
            await defer_run(tx, mine.order_id, in_seconds=stop.look_again.total_seconds())
        return await timeline.held(tx, mine)


async def _tell_salesforce(portal: Portal, mine: Claim) -> None:
    """Writes status, code and message where they are news to Salesforce."""
    outcome = OUTCOMES.get(mine.reason_code or "", DONE)
    what = f"{outcome.told}|{outcome.code}"
    if mine.told_salesforce == what:
        return
    journal_ids = await _billing_order_id(portal, mine.order_id)
    now = portal.clock.now()
    await salesforce_orders.update_fulfillment(
        portal.salesforce,
        mine.order_id,
        status=outcome.told,
        error_code=outcome.code,
        error_message=f"{outcome.for_staff} {mine.detail}".strip(),
        updated_at=now,
        whmcs_order_id=journal_ids,
    )
    async with portal.db.begin() as tx:
        await timeline.told(tx, mine, what, now)


async def _billing_order_id(portal: Portal, order_id: str) -> str | None:
    async with portal.db.begin() as tx:
        journal = await timeline.journal_of(tx, order_id)
    placed = journal.steps.get("billing_order")
    return placed.remote_id if placed else None


def _backoff(portal: Portal, tries: int) -> timedelta:
    seconds = portal.settings.fulfillment.retry_seconds * 2 ** min(tries, 10)
    return min(timedelta(seconds=seconds), LONGEST_WAIT)
