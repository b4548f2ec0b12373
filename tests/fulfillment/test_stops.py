"""Every way that an order can stop: what staff and customer read, what is not done, and how it goes on."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from portico.app import REACTIONS
from portico.fulfillment import outcomes, triggers
from portico.fulfillment.runs import run_order, sweep
from portico.inbox import Event
from portico.orders.orders import order_with_journal
from portico.orders.progress import Progress, progress_of
from portico.systems.whmcs import orders as whmcs_orders
from portico_sandbox.freebit.codes import Invented
from portico_sandbox.freebit.esim import FAILING_EID, REFUSED_EID, STUCK_EID
from portico_sandbox.world import World
from tests.orders.shop import ALICE, ESIM, SUPPORT, VPN, Shop

ACTIVATION = "PA05-41 addAcnt"
CARD = {"client_id": str(ALICE.whmcs_client_id)}
PRODUCTS = World().product_by_sku


async def test_freebit_refuses_for_good(shop: Shop) -> None:
    order_id = await shop.approved(ESIM, eid_ends=REFUSED_EID)
    await shop.heard(order_id)
    row = await shop.run_until(order_id, "parked")
    assert (row["reason_code"], row["wake_at"]) == ("SIM_REFUSED", None)
    order = await shop.order(order_id)
    assert (order.fulfillment_status, order.error_code) == ("Failed", "SIM_REFUSED")
    assert Invented.EID_REFUSED.pair in (order.error_message or "")
    (stopped,) = [step for step in (await _progress(shop, order_id)).steps if step.state == "stopped"]
    assert stopped.message is not None and "Our staff are checking" in stopped.message.in_language("en")
    assert await _calls(shop, order_id) == 0, "nothing is retried"
    # Staff correct the EID, and say that it may go on.
    await shop.correct("OrderItem", order.items[0].id, "EID__c", shop.eid())
    await shop.heard(order_id)
    assert await _calls(shop, order_id) == 0
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert await shop.told(order_id) == ("Completed", None)
    made = await shop.made()
    assert (made["AddOrder"], made[ACTIVATION]) == (1, 1)


async def test_freebit_accepts_and_fails_later(shop: Shop) -> None:
    order_id = await shop.approved(ESIM, eid_ends=FAILING_EID)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_freebit")
    await shop.sandbox.press("freebit", "fail-activation", line=(await shop.order(order_id)).items[0].eid)
    await shop.run_until(order_id, "parked")
    assert await shop.told(order_id) == ("Failed", "SIM_FAILED")
    assert (await shop.made())[ACTIVATION] == 1


async def test_freebit_never_ends(shop: Shop) -> None:
    order_id = await shop.approved(ESIM, eid_ends=STUCK_EID)
    await shop.heard(order_id)
    for _ in range(5):
        await shop.run_until(order_id, "waiting_freebit")
    shop.later(timedelta(hours=25).total_seconds())
    await shop.run_until(order_id, "parked")
    assert await shop.told(order_id) == ("Failed", "SIM_TIMEOUT")


async def test_the_card_is_gone_when_the_order_is_approved(shop: Shop) -> None:
    order_id = await shop.approved(ESIM)
    await shop.sandbox.press("whmcs", "remove-cards", **CARD)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_customer")
    assert await shop.told(order_id) == ("On Hold", "PAYMENT_METHOD_MISSING")
    progress = await _progress(shop, order_id)
    (waiting,) = [step for step in progress.steps if step.state == "waiting"]
    assert (progress.status.code, waiting.fix_at) == ("needs_you", "/billing/payment-methods")
    assert waiting.message is not None and "Add a card" in waiting.message.in_language("en")
    assert (await shop.made())["AddOrder"] == 0
    await shop.rows("DELETE FROM procrastinate_jobs RETURNING id")
    await shop.sandbox.press("whmcs", "add-card", **CARD)
    event = Event(1, "whmcs", "msg_1", "CCUpdate", {"whmcs_client_id": ALICE.whmcs_client_id}, _now(shop), 0, 0)
    await REACTIONS["whmcs", "CCUpdate"](shop.portal, event)
    (job,) = await shop.rows("SELECT task_name, scheduled_at FROM procrastinate_jobs")
    assert job == {"task_name": "fulfill_order", "scheduled_at": None}, "at once, not at the next look"
    await shop.run_until(order_id, "done")
    assert await shop.told(order_id) == ("Completed", None)


async def test_a_card_whose_hook_was_lost(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.sandbox.press("whmcs", "remove-cards", **CARD)
    await shop.heard(order_id)
    row = await shop.run_until(order_id, "waiting_customer")
    await shop.sandbox.press("whmcs", "add-card", **CARD)
    await run_order(shop.portal, order_id)
    assert (await shop.journal(order_id)).state == "waiting_customer", "not before its time"
    shop.move_to(row["wake_at"])
    await shop.run_until(order_id, "done")


async def test_the_phone_number_is_missing(shop: Shop) -> None:
    order_id = await shop.approved(ESIM, numbered=False)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_staff")
    assert await shop.told(order_id) == ("On Hold", "LINE_NUMBER_MISSING")
    number = await shop.give_number(order_id)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert [line["reference"] for line in await shop.sandbox.ledger("freebit")] == [number]


@pytest.mark.parametrize("number", ["070-2000-9001", "not a number"])
async def test_a_phone_number_as_staff_type_it(shop: Shop, number: str) -> None:
    order_id = await shop.approved(ESIM, numbered=False)
    item = (await shop.order(order_id)).items[0]
    await shop.correct("OrderItem", item.id, "Line_Number__c", number)
    await shop.heard(order_id)
    row = await shop.run_until(order_id)
    if number[0] == "0":
        assert row["state"] == "done" and (await shop.order(order_id)).items[0].line_number == "07020009001"
        return
    assert (row["state"], row["reason_code"]) == ("parked", "SIM_REFUSED")
    await shop.correct("OrderItem", item.id, "Line_Number__c", "07020009002")
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")


async def test_an_eid_that_staff_have_spoiled(shop: Shop) -> None:
    order_id = await shop.approved(ESIM)
    item = (await shop.order(order_id)).items[0]
    await shop.correct("OrderItem", item.id, "EID__c", "8903")
    await shop.heard(order_id)
    await shop.run_until(order_id, "parked")
    assert await shop.told(order_id) == ("Failed", "EID_MISSING")


@pytest.mark.parametrize("sku", [SUPPORT, VPN])
async def test_a_price_that_differs_is_never_accepted(shop: Shop, sku: str) -> None:
    """A one-time product costs at WHMCS what it costs there. A recurring price is overridden by the order's."""
    order_id = await shop.place(sku)
    (item,) = (await shop.order(order_id)).items
    await shop.correct("OrderItem", item.id, "UnitPrice", "777")
    await shop.sandbox.press("salesforce", "approve-order", order=order_id)
    await shop.heard(order_id)
    row = await shop.run_until(order_id)
    if sku == VPN:
        assert row["state"] == "done"
        assert (await shop.sandbox.ledger("whmcs", "AddOrder"))[0]["facts"]["amounts"] == ["777.00"]
        return
    assert (row["state"], row["reason_code"]) == ("parked", "PRICE_MISMATCH")
    assert "¥777" in row["detail"] and "¥5,000" in row["detail"]
    assert await shop.told(order_id) == ("Failed", "PRICE_MISMATCH")
    made = await shop.made()
    assert (made["AddOrder"], made["AcceptOrder"]) == (1, 0)
    await shop.correct("OrderItem", item.id, "UnitPrice", "5000")
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert (await shop.made())["AddOrder"] == 1


@pytest.mark.parametrize(
    ("sku", "name"),
    [(SUPPORT, "WHMCS_Product_Id__c"), (SUPPORT, "Billing_Cycle__c"), (ESIM, "Freebit_Plan_Code__c")],
)
async def test_a_product_that_is_not_mapped(shop: Shop, sku: str, name: str) -> None:
    order_id = await shop.approved(sku)
    await shop.correct("Product2", PRODUCTS[sku].sf_product_id, name)
    await shop.heard(order_id)
    await shop.run_until(order_id, "parked")
    assert await shop.told(order_id) == ("Failed", "PRODUCT_NOT_MAPPED")
    assert (await shop.made())[ACTIVATION] == 0


async def test_billing_refuses_for_good(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.sandbox.press("whmcs", "close-client", **CARD)
    await shop.heard(order_id)
    row = await shop.run_until(order_id, "parked")
    assert (row["reason_code"], await shop.told(order_id)) == ("BILLING_REFUSED", ("Failed", "BILLING_REFUSED"))
    assert "client_closed" in row["detail"]


async def test_staff_cancelled_the_billing_order(shop: Shop) -> None:
    """AcceptOrder's "no" is definite: parked at once, with WHMCS' own words."""
    order_id = await shop.approved(SUPPORT)
    await shop.sandbox.dial("whmcs", "down", call="AcceptOrder", times=1)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_system")
    (placed,) = await shop.sandbox.ledger("whmcs", "AddOrder")
    await whmcs_orders.cancel_order(shop.portal.whmcs, int(placed["reference"]))
    await shop.run_until(order_id, "parked")
    assert await shop.told(order_id) == ("Failed", "BILLING_REFUSED")
    assert (await shop.made())["AddOrder"] == 1


async def test_two_billing_orders_of_one_order(shop: Shop) -> None:
    """Somebody copied it by hand while its outcome was unknown: staff choose, and it goes on with the one left."""
    order_id = await shop.approved(SUPPORT)
    await shop.sandbox.dial("whmcs", "commit_then_hang", call="AddOrder", times=1)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_system")
    (item,) = (await shop.order(order_id)).items
    assert item.whmcs_product_id is not None
    line = whmcs_orders.NewServiceLine(item.whmcs_product_id, "one_time", None, item.id)
    copy = await whmcs_orders.add_order(shop.portal.whmcs, shop.customer.whmcs_client_id, "stripe", [line])
    await shop.run_until(order_id, "parked")
    assert await shop.told(order_id) == ("Failed", "BILLING_DOUBLE")
    await whmcs_orders.cancel_order(shop.portal.whmcs, copy.order_id)
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert (await shop.order(order_id)).whmcs_order_id != str(copy.order_id)
    assert (await shop.made())["AddOrder"] == 2, "no third"


async def test_approval_withdrawn(shop: Shop) -> None:
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_freebit")
    await shop.correct("Order", order_id, "Status", "Cancelled")
    await shop.run_until(order_id, "waiting_staff")
    assert await shop.told(order_id) == ("On Hold", "ORDER_WITHDRAWN")
    assert (await _progress(shop, order_id)).status.code == "cancelled"
    await shop.sandbox.press("salesforce", "approve-order", order=order_id)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")


async def test_withdrawn_before_anything_is_made(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.heard(order_id)
    await shop.correct("Order", order_id, "Status", "Pending Review")
    await shop.run_until(order_id, "waiting_staff")
    assert (await shop.made())["AddOrder"] == 0
    assert (await _progress(shop, order_id)).status.code == "waiting_for_approval"


async def test_pending_means_again_only_after_failed_was_told(shop: Shop) -> None:
    """Salesforce still says Pending of an order that is parked, because it could not be told yet."""
    order_id = await shop.approved(SUPPORT)
    await shop.rows("DELETE FROM mappings RETURNING user_id")
    await shop.heard(order_id)
    await shop.sandbox.dial("salesforce", "error", call="PATCH row")
    await shop.run_until(order_id, "parked")
    await shop.sandbox.undial()
    before = await shop.rows("SELECT state, told_salesforce FROM fulfillments")
    await triggers.poll(shop.portal)
    assert (
        await shop.rows("SELECT state, told_salesforce FROM fulfillments")
        == before
        == [{"state": "parked", "told_salesforce": None}]
    )


def test_every_way_to_stop_is_listed() -> None:
    assert len(outcomes.OUTCOMES) >= 18
    for outcome in outcomes.OUTCOMES.values():
        assert outcome.told in ("In Progress", "On Hold", "Failed", "Completed")
        assert (outcome.state == "waiting_customer") == (outcome.fix_at is not None), outcome.code
        assert not outcome.code or len(outcome.for_staff) > 20


async def _progress(shop: Shop, order_id: str) -> Progress:
    await shop.portal.cache.retire()
    return progress_of(await order_with_journal(shop.portal, shop.customer, order_id), "smdp.example")


async def _calls(shop: Shop, order_id: str) -> int:
    """Activations after everything that moves orders has run for a day."""
    for _ in range(4):
        shop.later(6 * 3600)
        await sweep(shop.portal)
        await run_order(shop.portal, order_id)
    return len(await shop.sandbox.ledger("freebit", ACTIVATION))


def _now(shop: Shop) -> datetime:
    return shop.portal.clock.now()
