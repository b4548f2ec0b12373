"""An approved order becomes a working service: each thing made once, at the prices of the order, and told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portico.fulfillment import triggers
from portico.fulfillment.runs import run_order
from portico.orders.orders import order_with_journal
from portico.orders.progress import progress_of
from portico.systems.freebit import lines
from portico.systems.whmcs import orders as whmcs_orders
from portico.systems.whmcs import services
from tests.orders.shop import ALICE, ESIM, KEN, SIM_CARD, SUPPORT, VPN, Shop, known

STEPS = ["placed", "approval", "began", "payment_method", "billing_order", "amounts", "accepted"]


async def test_an_esim_is_fulfilled(shop: Shop) -> None:
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    made = await shop.made()
    assert (made["AddOrder"], made["AcceptOrder"], made["PA05-41 addAcnt"]) == (1, 1, 1)
    order = await shop.order(order_id)
    plan, fee = order.items
    (placed,) = await shop.sandbox.ledger("whmcs", "AddOrder")
    assert (placed["facts"]["client_id"], placed["facts"]["amount"]) == (ALICE.whmcs_client_id, "4378.00")  # with tax
    assert placed["facts"]["markers"] == [plan.id, fee.id] and placed["facts"]["amounts"] == ["980.00", "3000.00"]
    assert (order.fulfillment_status, order.error_code, order.error_message) == ("Completed", None, None)
    assert order.whmcs_order_id == placed["reference"]
    ids = {item.whmcs_service_id for item in order.items}
    assert ids == {str(service_id) for service_id in placed["facts"]["service_ids"]}
    assert [item.activation_status for item in order.items] == ["Activated", "Activated"]
    line = await lines.get_details(shop.portal.freebit, plan.line_number or "")
    assert line is not None and (line.state, line.eid, line.plan_code) == ("active", plan.eid, "PTC_V_3G")
    assert plan.iccid == line.iccid
    await _whmcs_knows_the_line(shop, int(placed["reference"]), plan.line_number, plan.eid, plan.iccid)


async def _whmcs_knows_the_line(shop: Shop, whmcs_order: int, *details: str | None) -> None:
    client_id = shop.customer.whmcs_client_id
    placed = await whmcs_orders.get_order(shop.portal.whmcs, client_id, whmcs_order)
    assert placed.status == "active"
    own = [s for s in await services.get_clients_products(shop.portal.whmcs, client_id) if s.order_id == whmcs_order]
    assert {service.status for service in own} == {"active"}
    (plan,) = [service for service in own if service.billing_cycle == "monthly"]
    assert (plan.line_number, plan.eid, plan.iccid) == details and plan.domain == details[0]


async def test_the_timeline_says_who_did_what_and_when(shop: Shop) -> None:
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_freebit")
    progress = progress_of(await order_with_journal(shop.portal, shop.customer, order_id), "smdp.example")
    (waiting,) = [step for step in progress.steps if step.state == "waiting"]
    assert waiting.reason_code == "SIM_PENDING" and waiting.message is not None and waiting.usually is not None
    assert (progress.status.code, progress.installs) == ("preparing_esim", [])
    assert await shop.told(order_id) == ("On Hold", "SIM_PENDING")
    await shop.run_until(order_id, "done")
    plan = (await shop.order(order_id)).items[0]
    journal = await shop.journal(order_id)
    per_line = [f"esim:{plan.id}", f"line:{plan.id}"]
    assert list(journal.steps) == [*STEPS, *per_line, "billing_details", "recorded"]
    assert {step.state for step in journal.steps.values()} == {"done"}
    assert {step.reason_code for step in journal.steps.values()} == {None}
    assert {name: step.attempt for name, step in journal.steps.items() if step.attempt > 1} == {}, "done is done"
    times = [step.updated_at for step in journal.steps.values()]
    assert times == sorted(times) and times[-1] - times[0] < timedelta(minutes=1)
    assert journal.steps["billing_order"].remote_id and journal.steps["billing_order"].digest
    progress = progress_of(await order_with_journal(shop.portal, shop.customer, order_id), "smdp.example")
    assert [step.state for step in progress.steps] == ["done"] * 9
    (install,) = progress.installs
    line = await lines.get_details(shop.portal.freebit, plan.line_number or "")
    assert line is not None and line.matching_id
    assert (install.lpa, install.number) == (f"LPA:1$smdp.example${line.matching_id}", plan.line_number)


@pytest.mark.parametrize("skus", [(SIM_CARD,), (SUPPORT,), (VPN, SUPPORT)])
async def test_without_an_esim_nobody_asks_freebit(shop: Shop, skus: tuple[str, ...]) -> None:
    order_id = await shop.fulfilled(*skus)
    assert await shop.told(order_id) == ("Completed", None)
    made = await shop.made()
    assert (made["AddOrder"], made["AcceptOrder"]) == (1, 1)
    assert await shop.sandbox.ledger("freebit") == []


async def test_a_quantity_of_two(shop: Shop) -> None:
    """Two services of one item, both in Salesforce."""
    order_id = await shop.fulfilled(SUPPORT, SUPPORT, VPN)
    (placed,) = await shop.sandbox.ledger("whmcs", "AddOrder")
    assert sorted(placed["facts"]["amounts"]) == ["500.00", "5000.00", "5000.00"]
    ids = {item.sku: (item.whmcs_service_id or "").split(",") for item in (await shop.order(order_id)).items}
    assert (len(ids[SUPPORT]), len(ids[VPN])) == (2, 1)
    assert sorted(map(int, ids[SUPPORT] + ids[VPN])) == sorted(placed["facts"]["service_ids"])


async def test_two_esims_in_one_order(shop: Shop) -> None:
    order_id = await shop.fulfilled(ESIM, "MOB-ESIM-10GB")
    activations = await shop.sandbox.ledger("freebit", "PA05-41 addAcnt")
    items = [item for item in (await shop.order(order_id)).items if item.sim_kind == "eSIM"]
    assert {(a["reference"], a["facts"]["eid"]) for a in activations} == {(i.line_number, i.eid) for i in items}
    assert len(activations) == 2 and all(item.iccid for item in items)


async def test_services_that_acceptance_left_pending(shop: Shop) -> None:
    await shop.sandbox.press("whmcs", "set-switch", name="accept_activates", value="off")
    await shop.fulfilled(ESIM)
    own = await services.get_clients_products(shop.portal.whmcs, shop.customer.whmcs_client_id)
    assert {service.status for service in own} == {"active"}


async def test_told_twice_is_done_once(shop: Shop) -> None:
    """The same event again, an event of a finished order, a run of a finished order: nothing."""
    order_id = await shop.approved(SUPPORT)
    for _ in range(3):
        await shop.heard(order_id)
    assert len(await shop.rows("SELECT * FROM procrastinate_jobs WHERE task_name = 'fulfill_order'")) == 1
    await shop.run_until(order_id, "done")
    before = await shop.sandbox.ledger()
    await shop.heard(order_id)
    await run_order(shop.portal, order_id)
    assert await shop.sandbox.ledger() == before


async def test_an_order_that_is_not_approved_is_left_alone(shop: Shop) -> None:
    order_id = await shop.place(SUPPORT)
    await shop.heard(order_id)
    await triggers.poll(shop.portal)
    assert await shop.rows("SELECT * FROM fulfillments") == []


async def test_history_is_not_billed_again(shop: Shop) -> None:
    """Somebody edits an activated order of the time before the portal, or one that was fulfilled long ago."""
    order_id = await shop.approved(SUPPORT)
    await shop.correct("Order", order_id, "Portal_Order_Id__c")
    await shop.correct("Order", order_id, "Fulfillment_Status__c")
    await shop.heard(order_id)
    await triggers.poll(shop.portal)
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Completed")
    await shop.heard(order_id)
    assert await shop.rows("SELECT * FROM fulfillments") == []
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")  # staff give it to the portal
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")


async def test_an_account_without_a_portal_user(shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.rows("DELETE FROM mappings RETURNING user_id")
    await shop.heard(order_id)
    await shop.run_until(order_id, "parked")
    assert await shop.told(order_id) == ("Failed", "CUSTOMER_NOT_MAPPED")


async def test_a_memory_older_than_the_world(shop: Shop) -> None:
    """Restored from a backup of yesterday: staff give the order to the portal again, and WHMCS has it already."""
    order_id = await shop.fulfilled(VPN)
    for table in ("fulfillments", "journal", "placements", "creations"):
        await shop.rows(f"DELETE FROM {table} RETURNING 1")
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert (await shop.made())["AddOrder"] == 1


async def test_orders_of_two_customers_do_not_mix(shop: Shop) -> None:
    ken = Shop(shop.portal, shop.sandbox, await known(shop.portal, KEN), KEN)
    ours, theirs = await shop.approved(SUPPORT), await ken.approved(SUPPORT)
    await triggers.poll(shop.portal)
    for order_id in (ours, theirs):
        await shop.run_until(order_id, "done")
    placed = await shop.sandbox.ledger("whmcs", "AddOrder")
    assert {line["facts"]["client_id"] for line in placed} == {ALICE.whmcs_client_id, KEN.whmcs_client_id}
