"""Two runs of one order, two workers, staff in between: one wins, nothing is made twice, nothing overwritten."""

from __future__ import annotations

import asyncio

import pytest

from portico.fulfillment.runs import run_order
from portico.orders import timeline
from portico.orders.timeline import LostClaim
from portico_sandbox.freebit.esim import REFUSED_EID
from tests.fixtures.until import until
from tests.orders.shop import ESIM, SUPPORT, Shop

ACTIVATION = "PA05-41 addAcnt"


async def test_a_second_worker_while_the_first_waits_for_billing(shop: Shop) -> None:
    """The first one's AddOrder is under way: the second overtakes it, calls nothing, and the third run adopts."""
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    await shop.sandbox.dial("whmcs", "slow", call="AddOrder", times=1, seconds=0.5)
    first = asyncio.create_task(run_order(shop.portal, order_id))
    await until(lambda: shop.rows("SELECT 1 FROM creations WHERE kind = 'whmcs_order' AND state = 'attempted'"))
    await run_order(shop.portal, order_id)
    (row,) = await shop.rows("SELECT state, claim FROM fulfillments")
    assert row == {"state": "waiting_system", "claim": 2}
    await first
    assert (await shop.rows("SELECT state, claim FROM fulfillments")) == [row], "the overtaken run wrote nothing"
    await shop.run_until(order_id, "done")
    await _made_once(shop)


async def test_eight_runs_at_once(shop: Shop) -> None:
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    for _ in range(4):
        await asyncio.gather(*(run_order(shop.portal, order_id) for _ in range(8)))
        await shop.finish_activations(order_id)
        shop.later(60)
    await shop.run_until(order_id, "done")
    await _made_once(shop)
    assert await shop.told(order_id) == ("Completed", None)


@pytest.mark.parametrize("call", ["PA05-41", "PA03-02"])
async def test_staff_retry_while_a_run_is_under_way(shop: Shop, call: str) -> None:
    """Staff set Pending, twice, while the retry of a parked order is at Freebit: one activation."""
    order_id = await shop.approved(ESIM, eid_ends=REFUSED_EID)
    await shop.heard(order_id)
    await shop.run_until(order_id, "parked")
    await shop.correct("OrderItem", (await shop.order(order_id)).items[0].id, "EID__c", shop.eid())
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
    await shop.heard(order_id)
    await shop.sandbox.dial("freebit", "slow", call=call, times=1, seconds=0.4)
    under_way = asyncio.create_task(run_order(shop.portal, order_id))
    await until(lambda: shop.rows("SELECT 1 FROM fulfillments WHERE claim >= 3"))
    for _ in range(2):
        await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
        await shop.heard(order_id)
        await run_order(shop.portal, order_id)
    await under_way
    await shop.run_until(order_id, "done")
    await _made_once(shop)


async def test_an_order_heard_of_by_many_begins_once(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await asyncio.gather(*(shop.heard(order_id) for _ in range(8)))
    assert len(await shop.rows("SELECT * FROM fulfillments")) == 1
    assert len(await shop.rows("SELECT * FROM procrastinate_jobs WHERE task_name = 'fulfill_order'")) == 1


async def test_who_lost_the_claim_writes_nothing(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.heard(order_id)
    now = shop.portal.clock.now()
    async with shop.portal.db.begin() as tx:
        late = await timeline.claim(tx, order_id, now)
    async with shop.portal.db.begin() as tx:
        holder = await timeline.claim(tx, order_id, now)
    assert late is not None and holder is not None
    before = await shop.rows("SELECT * FROM fulfillments"), await shop.rows("SELECT * FROM journal")
    for write in (
        lambda tx: timeline.note(tx, late, "accepted", "done", now, actor="whmcs"),
        lambda tx: timeline.rest(tx, late, "done", now),
        lambda tx: timeline.told(tx, late, "Completed|", now),
        lambda tx: timeline.held(tx, late),
    ):
        with pytest.raises(LostClaim):
            async with shop.portal.db.begin() as tx:
                await write(tx)
    async with shop.portal.db.begin() as tx:
        await timeline.tell_later(tx, late, now)
    assert before == (await shop.rows("SELECT * FROM fulfillments"), await shop.rows("SELECT * FROM journal"))


async def _made_once(shop: Shop) -> None:
    made = await shop.made()
    assert (made["AddOrder"], made["AcceptOrder"], made[ACTIVATION]) == (1, 1, 1)
