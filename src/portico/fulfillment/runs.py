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
from portico.fulfillment.news import tell_customer
from portico.fulfillment.outcomes import OUTCOMES, TOLD, Outcome, Stopped
from portico.fulfillment.stepping import Run
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


@periodic("* * * * * */5", queue="orders")
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
    token = deadline.set(asyncio.get_running_loop().time() + RUN_SECONDS)
    try:
        await _run(portal, order_id)
    except (LostClaim, LostCreation):
        log.info("fulfillment.run.overtaken", order=order_id)
    finally:
        deadline.reset(token)


async def _run(portal: Portal, order_id: str) -> None:
    async with portal.db.begin() as tx:
        mine = await timeline.claim(tx, order_id, portal.clock.now())
        customer = await customer_by_account(tx, mine.account_id) if mine else None
    if mine is None:
        return
    if mine.state not in ("parked", "done"):
        stop, tries = await _tell_story(portal, mine, customer)
        mine = await _rest(portal, mine, customer, stop, tries)
    try:
        await _tell_salesforce(portal, mine)
    except PorticoError as error:
        log.warning("fulfillment.tell.failed", order=order_id, error=str(error))
        async with portal.db.begin() as tx:
            await timeline.tell_later(tx, mine, portal.clock.now() + _backoff(portal, mine.tries))
    if customer is not None:
        await drop_for(portal, customer, "own:fulfillment")


async def _tell_story(portal: Portal, mine: Claim, customer: Customer | None) -> tuple[Stopped, int]:
    """Where the story stopped (DONE is a stop too), and how many tries have failed in a row in the same way."""
    try:
        return Stopped(await _told(portal, mine, customer)), 0
    except Stopped as stop:
        return stop, 0
    except SystemDown as error:
        return _again(portal, mine, outcomes.SYSTEM_DOWN, str(error))
    except (LostClaim, LostCreation):
        raise
    except PorticoError as error:
        log.warning("fulfillment.step.failed", order=mine.order_id, error=str(error))
        return _again(portal, mine, outcomes.STEP_FAILED, str(error))
    except Exception as error:  # a bug parks its own order, never blocks others
        log.exception("fulfillment.step.crashed", order=mine.order_id)
        return _again(portal, mine, outcomes.STEP_FAILED, type(error).__name__)


def _again(portal: Portal, mine: Claim, outcome: Outcome, detail: str) -> tuple[Stopped, int]:
    """A system that is down is waited for as long as it takes; what waiting may not mend is parked after a while."""
    before = mine.tries if mine.reason_code == outcome.code else 0
    if outcome is outcomes.STEP_FAILED and before + 1 >= TRIES_BEFORE_PARKING:
        return Stopped(outcomes.INTERNAL_ERROR, detail), 0
    return Stopped(outcome, detail, look_again=_backoff(portal, before)), before + 1


async def _told(portal: Portal, mine: Claim, customer: Customer | None) -> Outcome:
    if customer is None:
        raise Stopped(outcomes.CUSTOMER_NOT_MAPPED)
    read_at = asyncio.get_running_loop().time()
    order = await salesforce_orders.get_order_to_fulfill(portal.salesforce, mine.order_id)
    async with portal.db.begin() as tx:
        journal = await timeline.journal_of(tx, mine.order_id)
    return await story.fulfill(Run(portal, mine, order, read_at, customer, dict(journal.steps)))


async def _rest(portal: Portal, mine: Claim, customer: Customer | None, stop: Stopped, tries: int) -> Claim:
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
        if customer is not None:
            await tell_customer(portal, tx, customer, mine.order_id, outcome)
        return await timeline.held(tx, mine)


async def _tell_salesforce(portal: Portal, mine: Claim) -> None:
    """Writes status, code and message where they are news to Salesforce."""
    status, code = TOLD[mine.state], mine.reason_code or ""
    what = f"{status}|{code}"
    if mine.told_salesforce == what:
        return
    outcome = OUTCOMES.get(code)  # a newer version may know more of them
    now = portal.clock.now()
    await salesforce_orders.update_fulfillment(
        portal.salesforce,
        mine.order_id,
        status=status,
        error_code=code,
        error_message=f"{outcome.for_staff if outcome else ''} {mine.detail}".strip(),
        updated_at=now,
        whmcs_order_id=await _billing_order_id(portal, mine.order_id),
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
