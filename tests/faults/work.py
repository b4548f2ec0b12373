"""What the processes of crashing_worker.py do: an order from approval to completion, a placing, a sign-up."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from portico import work
from portico.errors import PorticoError
from portico.fulfillment import triggers
from portico.fulfillment.runs import fulfill_order
from portico.identity.fields import Application
from portico.identity.mapping import customer_of
from portico.identity.saga import finish
from portico.identity.sign_up import sign_up
from portico.identity.visitors import Visitor
from portico.orders.checkout import place_order
from portico.orders.placements import resume
from portico.portal import Portal

Job = dict[str, Any]
ROUNDS = 40
VISITOR = Visitor("127.0.0.1", "test", "en")
SIGN_UP = text("SELECT id, state FROM sign_ups WHERE customer_number = :number")


async def fulfill(portal: Portal, job: Job) -> str:
    """What drain, worker and sweep do for one order, with the clock moved to when they would."""
    work.use_portal(portal)
    await triggers.consider(portal, job["id"])
    for _ in range(ROUNDS):
        await fulfill_order(job["id"])
        row = await _row(portal, "SELECT state, wake_at FROM fulfillments WHERE order_id = :id", id=job["id"])
        if row.state in ("done", "parked"):
            break
        if row.state == "waiting_freebit":
            _press(job, "freebit", "finish-activation", line=job["eid"])
        if row.wake_at:
            portal.clock.offset += max(row.wake_at - portal.clock.now(), timedelta(0))
    return str(row.state)


async def place(portal: Portal, job: Job) -> str:
    """A request that places the cart's order; the job that finishes it; the customer who comes back to the page."""
    async with portal.db.begin() as tx:
        customer = await customer_of(tx, UUID(job["user_id"]))
    assert customer is not None
    placement_id = UUID(job["id"])
    if not job.get("again"):
        return str((await place_order(portal, customer, checkout_key=placement_id)).order_id)
    for _ in range(3):
        await resume(portal, placement_id, customer.user_id)
        portal.clock.offset += timedelta(seconds=9)
    try:
        return str((await place_order(portal, customer, checkout_key=placement_id)).order_id)
    except PorticoError as error:
        return error.code


async def join(portal: Portal, job: Job) -> str:
    """A request that signs somebody up; the sweep that finishes it; the person again, where nothing was left."""
    application = Application(**job["application"])
    if not job.get("again"):
        await sign_up(portal, application, VISITOR, personal_required=True, replaces=None)
    for _ in range(6):
        async with portal.db.begin() as tx:
            row = (await tx.execute(SIGN_UP, {"number": job["id"]})).first()
        if row is None:
            await sign_up(portal, application, VISITOR, personal_required=True, replaces=None)
        elif row.state == "done":
            break
        else:
            await finish(portal, row.id)
        portal.clock.offset += timedelta(seconds=5)
    return str(row.state) if row else "nothing"


async def _row(portal: Portal, query: str, **values: object) -> Any:
    async with portal.db.begin() as tx:
        return (await tx.execute(text(query), values)).one()


def _press(job: Job, system: str, button: str, **fields: str) -> None:
    request = urllib.request.Request(
        f"{job['panel']}/control/{system}/{button}",
        json.dumps(fields).encode(),
        {"content-type": "application/json"},
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except urllib.error.HTTPError as refused:
        refused.close()  # nothing waits any more


JOBS: dict[str, Callable[[Portal, Job], Awaitable[Any]]] = {"fulfill": fulfill, "place": place, "join": join}
