"""Fulfillment while answers are lost and systems are away: adopted, waited for, told later; never doubled."""

from __future__ import annotations

from typing import Any

import pytest

from portico.events import drain
from portico.fulfillment import triggers
from portico.fulfillment.runs import LONGEST_WAIT, TRIES_BEFORE_PARKING, run_order, sweep
from portico.inbox import Event
from portico_sandbox.freebit.esim import REFUSED_EID
from portico_sandbox.world import World
from tests.orders.shop import ESIM, SUPPORT, VPN, Shop

ACTIVATION = "PA05-41 addAcnt"
PRODUCTS = World().product_by_sku


MODES = ("commit_then_hang", "malformed", "error", "down")
CALLS = [("whmcs", "AddOrder", mode) for mode in MODES]
CALLS += [("whmcs", "AcceptOrder", mode) for mode in MODES]
# An error code of Freebit's that nobody knows is a "no": see test_stops.
CALLS += [("freebit", "PA05-41", mode) for mode in MODES if mode != "error"]


@pytest.mark.parametrize(("system", "call", "mode"), CALLS)
async def test_an_answer_that_is_lost(shop: Shop, system: str, call: str, mode: str) -> None:
    """Made or not, nobody knows: looked up, adopted or sent again, and made once in the end."""
    order_id = await shop.approved(ESIM)
    await shop.sandbox.dial(system, mode, call=call, times=1)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_system")
    await shop.run_until(order_id, "done")
    await _made_once(shop)


async def test_nothing_is_sent_again_before_the_quiet_period(shop: Shop) -> None:
    """WHMCS may still be executing what we gave up on: two look-ups, a quiet period before each."""
    order_id = await shop.approved(SUPPORT)
    await shop.sandbox.dial("whmcs", "error", call="AddOrder", times=1)
    await shop.heard(order_id)
    began = shop.portal.clock.now()
    row = await shop.run_until(order_id, "waiting_system")
    assert (row["reason_code"], await shop.told(order_id)) == ("OUTCOME_UNKNOWN", ("In Progress", "OUTCOME_UNKNOWN"))
    await run_order(shop.portal, order_id)
    assert (await shop.made())["AddOrder"] == 0
    await shop.run_until(order_id, "done")
    (creation,) = await shop.rows("SELECT attempt FROM creations WHERE kind = 'whmcs_order'")
    assert creation["attempt"] == 2 and (shop.portal.clock.now() - began).total_seconds() >= 2


async def test_corrected_while_the_outcome_was_unknown(shop: Shop) -> None:
    """Staff change the number of a line whose activation may have been accepted: what was sent is looked for."""
    order_id = await shop.approved(ESIM)
    (plan, _) = (await shop.order(order_id)).items
    await shop.sandbox.dial("freebit", "commit_then_hang", call="PA05-41", times=1)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_system")
    await shop.correct("OrderItem", plan.id, "Line_Number__c", "07020008888")
    await shop.run_until(order_id, "done")
    assert [line["reference"] for line in await shop.sandbox.ledger("freebit")] == [plan.line_number]


@pytest.mark.parametrize("system", ["whmcs", "salesforce", "freebit"])
async def test_a_system_is_down_for_long(shop: Shop, system: str) -> None:
    """Waited for as long as it takes, ever less often; one bad answer after that does not park the order."""
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    await shop.sandbox.dial(system, "down")
    waits = []
    for _ in range(TRIES_BEFORE_PARKING + 3):
        row = await shop.run_until(order_id, "waiting_system")
        waits.append(round((row["wake_at"] - row["updated_at"]).total_seconds()))
        shop.move_to(row["wake_at"])
    assert waits == sorted(waits) and waits[-1] == LONGEST_WAIT.total_seconds() and row["reason_code"] == "SYSTEM_DOWN"
    await shop.sandbox.undial()
    _close_breakers(shop)
    await shop.sandbox.dial("salesforce", "malformed", call="query", times=1)
    row = await shop.run_until(order_id, "waiting_system")
    assert (row["reason_code"], row["tries"]) == ("STEP_FAILED", 1)
    await shop.run_until(order_id, "done")
    await _made_once(shop)


async def test_salesforce_is_down_when_the_outcome_is_to_be_told(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.heard(order_id)
    await run_order_until_told(shop, order_id)
    assert (await shop.journal(order_id)).state == "done"
    assert (await shop.told(order_id))[0] == "In Progress"
    tried = []
    for _ in range(3):
        await shop.rows("DELETE FROM procrastinate_jobs RETURNING id")
        (row,) = await shop.rows("SELECT wake_at FROM fulfillments")
        assert await sweep(shop.portal) == 0, "not before its time"
        tried.append((row["wake_at"] - shop.portal.clock.now()).total_seconds())
        shop.move_to(row["wake_at"])
        assert await sweep(shop.portal) == 1
        await run_order(shop.portal, order_id)
    assert tried == sorted(tried), "ever less often"
    await shop.sandbox.undial()
    _close_breakers(shop)
    (row,) = await shop.rows("SELECT wake_at FROM fulfillments")
    shop.move_to(row["wake_at"])
    await run_order(shop.portal, order_id)
    assert await shop.told(order_id) == ("Completed", None)
    assert await sweep(shop.portal) == 0


async def run_order_until_told(shop: Shop, order_id: str) -> None:
    """To the end, with Salesforce refusing nothing but the last word."""
    await shop.sandbox.dial("salesforce", "slow", call="PATCH row", seconds=0, times=2)  # began, and the item
    await shop.sandbox.dial("salesforce", "error", call="PATCH row")
    await run_order(shop.portal, order_id)


async def test_one_that_can_never_work_does_not_block_others(shop: Shop) -> None:
    """The item's product has lost its billing cycle: that order is parked, with a reason; the others go on."""
    poison = await shop.approved("OTH-MAIL")
    await shop.correct("Product2", PRODUCTS["OTH-MAIL"].sf_product_id, "Billing_Cycle__c")
    others = [await shop.approved(sku) for sku in (SUPPORT, VPN)]
    await triggers.poll(shop.portal)
    for order_id in others:
        await shop.run_until(order_id, "done")
    await shop.run_until(poison, "parked")
    assert await shop.told(poison) == ("Failed", "PRODUCT_NOT_MAPPED")


async def test_an_order_that_can_not_be_read_holds_up_no_other(shop: Shop) -> None:
    """Neither in the poll nor in one event that names both."""
    bad, good = await shop.approved("OTH-MAIL"), await shop.approved(SUPPORT)
    await shop.correct("OrderItem", (await shop.order(bad)).items[0].id, "Quantity", "0.5")
    event = Event(1, "salesforce", "e1", "Order", {"order_ids": [bad, good]}, shop.portal.clock.now(), 0, 0)
    with pytest.raises(Exception, match="salesforce"):
        await triggers.order_changed(shop.portal, event)
    assert [row["order_id"] for row in await shop.rows("SELECT order_id FROM fulfillments")] == [good]
    await shop.run_until(good, "done")


async def test_an_error_of_our_own_parks_its_order_after_a_while(shop: Shop) -> None:
    """A bug, or an answer that never becomes better: parked, told, and no eternal retry."""
    order_id = await shop.approved(SUPPORT)
    await shop.heard(order_id)
    await shop.sandbox.dial("whmcs", "malformed", call="GetPayMethods")
    row = await shop.run_until(order_id, "parked")
    assert (row["reason_code"], row["wake_at"]) == ("INTERNAL_ERROR", None)
    assert await shop.told(order_id) == ("Failed", "INTERNAL_ERROR")
    await shop.sandbox.undial()
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")


async def test_a_look_up_that_is_refused_says_nothing(shop: Shop) -> None:
    """Freebit answers a code that nobody knows while we look for an activation of unknown outcome."""
    order_id = await shop.approved(ESIM)
    await shop.sandbox.dial("freebit", "commit_then_hang", call="PA05-41", times=1)
    await shop.heard(order_id)
    row = await shop.run_until(order_id, "waiting_system")
    shop.move_to(row["wake_at"])
    await shop.sandbox.dial("freebit", "refuse", call="PA03-02", times=2)
    row = await shop.run_until(order_id, "waiting_system")
    assert row["reason_code"] == "STEP_FAILED"
    await shop.run_until(order_id, "done")
    await _made_once(shop)


async def test_a_row_without_a_job_gets_one(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.heard(order_id)
    await shop.rows("DELETE FROM procrastinate_jobs RETURNING id")
    assert [await sweep(shop.portal) for _ in range(2)] == [1, 0]


async def test_an_event_without_names_has_all_looked_at(shop: Shop) -> None:
    """A gap, an overflow, an event that could not be decoded."""
    waiting = await shop.approved(ESIM, numbered=False)
    await shop.heard(waiting)
    await shop.run_until(waiting, "waiting_staff")
    await shop.give_number(waiting)
    order_id = await shop.approved(SUPPORT)
    event = Event(1, "salesforce", "e1", "Order", {"order_ids": []}, shop.portal.clock.now(), 0, 0)
    await triggers.order_changed(shop.portal, event)
    await shop.run_until(order_id, "done")
    await run_order(shop.portal, waiting)
    assert (await shop.journal(waiting)).state == "waiting_freebit"


async def test_our_own_writes_are_no_news(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    event = Event(1, "salesforce", "e1", "Order", {"own": True, "order_ids": [order_id]}, shop.portal.clock.now(), 0, 0)
    await triggers.order_changed(shop.portal, event)
    assert await shop.rows("SELECT * FROM fulfillments") == []


async def test_a_newer_version_s_code_is_not_taken_for_done(shop: Shop) -> None:
    """Two versions run beside each other during a deploy."""
    order_id = await shop.approved(ESIM, eid_ends=REFUSED_EID)
    await shop.heard(order_id)
    await shop.run_until(order_id, "parked")
    await shop.rows("UPDATE fulfillments SET reason_code = 'NEW_IN_N_PLUS_1', told_salesforce = NULL RETURNING 1")
    await run_order(shop.portal, order_id)
    assert await shop.told(order_id) == ("Failed", "NEW_IN_N_PLUS_1")


def _close_breakers(shop: Shop) -> None:
    """The half-open probe comes two seconds after a breaker opened: not worth waiting for in every test."""
    for system in (shop.portal.whmcs, shop.portal.salesforce, shop.portal.freebit):
        system.door._breaker.succeeded()


async def _made_once(shop: Shop) -> None:
    made: Any = await shop.made()
    assert (made["AddOrder"], made["AcceptOrder"], made[ACTIVATION]) == (1, 1, 1)


def test_reactions_are_registered() -> None:
    from portico.app import REACTIONS

    drain.register(REACTIONS)
    assert REACTIONS["salesforce", "Order"] is REACTIONS["salesforce", "OrderItem"] is triggers.order_changed
