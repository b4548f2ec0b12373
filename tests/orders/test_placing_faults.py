"""Placing an order while systems are away, answers are lost and the world changes: friendly, and nothing half."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from portico.errors import StillRunning
from portico.orders import placements
from portico.orders.cart import put_cart
from portico.orders.checkout import place_order
from portico.orders.placements import sweep
from portico.systems.salesforce import orders as salesforce_orders
from tests.fixtures.browser import Browser
from tests.fixtures.until import until
from tests.orders.shop import ALICE, ESIM, KEN, SUPPORT, VPN, Shop, known

ORDERS = "/api/v1/orders"
ONE = {"idempotency-key": "one"}


@pytest.mark.parametrize("mode", ["commit_then_hang", "malformed", "error", "down"])
async def test_an_answer_that_is_lost(shop: Shop, alice: httpx2.AsyncClient, mode: str) -> None:
    """Whether the order was made or not, nobody knows: the page says so, and the job makes it one."""
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", mode, call="composite", times=1)
    answer = await alice.post(ORDERS, json={}, headers=ONE)
    assert answer.status_code == 202, answer.text
    operation = answer.json()["operation_id"]
    assert answer.json()["status_url"] == f"/api/v1/operations/{operation}"
    assert (await alice.get(f"/api/v1/operations/{operation}")).json()["state"] == "running"
    shop.later(5)
    (placement,) = await shop.finish_placement()
    assert (await alice.get(f"/api/v1/operations/{operation}")).json()["order_id"] == placement["order_id"]
    assert (await alice.post(ORDERS, json={}, headers=ONE)).json()["id"] == placement["order_id"]
    await _ordered_once(shop, alice)


async def test_the_page_of_an_order_under_way(shop: Shop, client: Browser, alice: httpx2.AsyncClient) -> None:
    client.client.cookies.update(alice.cookies)
    await shop.fill(SUPPORT)
    form = (await client.visit("/checkout")).form("/checkout")
    await shop.sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    click = await client.post("/checkout", **form.values)
    pending = click.headers["location"]
    assert pending.startswith("/orders/pending-")
    assert "do not repeat" in (await client.visit(pending, expect=202)).text
    shop.later(5)
    (placement,) = await shop.finish_placement()
    assert (await client.visit(pending)).url.endswith(f"/orders/{placement['order_id']}")


async def test_the_job_goes_on_while_salesforce_is_away(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """What was promised is not forgotten because the look-up could not be made."""
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    assert (await alice.post(ORDERS, json={}, headers=ONE)).status_code == 202
    shop.later(5)
    await shop.sandbox.dial("salesforce", "refuse", call="query", code="REQUEST_LIMIT_EXCEEDED")
    (placement,) = await shop.finish_placement()
    assert placement["order_id"] is None
    assert (await alice.post(ORDERS, json={}, headers=ONE)).status_code == 503
    assert len(await shop.rows("SELECT * FROM placements")) == 1
    await shop.sandbox.undial()
    await shop.finish_placement()
    await _ordered_once(shop, alice)


async def test_salesforce_takes_no_calls_at_checkout(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "refuse", call="composite", code="REQUEST_LIMIT_EXCEEDED")
    answers = await asyncio.gather(*(alice.post(ORDERS, json={}, headers=ONE) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["code"] for answer in answers} == {"try_again_later"}
    await _nothing_happened(shop)
    await shop.sandbox.undial()
    assert (await alice.post(ORDERS, json={}, headers=ONE)).status_code == 201
    await _ordered_once(shop, alice)


async def test_salesforce_is_down_before_anything_is_read(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    await shop.portal.cache.retire()
    await shop.sandbox.dial("salesforce", "down")
    answer = await alice.post(ORDERS, json={}, headers=ONE)
    assert (answer.status_code, answer.json()["code"]) == (503, "try_again_later")
    await shop.sandbox.undial()
    await _nothing_happened(shop)


async def test_billing_is_down_at_checkout(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("whmcs", "down")
    answer = await alice.post(ORDERS, json={}, headers=ONE)
    assert (answer.status_code, answer.json()["code"]) == (503, "try_again_later")
    await _nothing_happened(shop)


async def test_without_a_card(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """A copy of the cards never decides: the last one was removed just now, and no hook tells of it."""
    await shop.fill(SUPPORT)
    await alice.get("/api/v1/payment-methods")
    await shop.sandbox.press("whmcs", "remove-cards", client_id=str(ALICE.whmcs_client_id))
    answer = await alice.post(ORDERS, json={}, headers=ONE)
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_method_missing")
    await _nothing_happened(shop)
    await shop.sandbox.press("whmcs", "add-card", client_id=str(ALICE.whmcs_client_id))
    assert (await alice.post(ORDERS, json={}, headers=ONE)).status_code == 201


async def test_no_longer_eligible(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(ESIM)
    await shop.sandbox.press("salesforce", "change-eligibility", account=ALICE.sf_account_id, eligibility="Internet")
    await shop.portal.cache.retire()  # what the change event does
    answer = await alice.post(ORDERS, json={}, headers=ONE)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_eligible")
    cart = (await alice.get("/api/v1/cart")).json()
    assert not cart["orderable"] and all("not available" in line["problem"] for line in cart["items"])
    assert (await shop.made())["create Order"] == 0


async def test_a_price_changed_between_page_and_click(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    seen = (await alice.get("/api/v1/cart")).json()
    await shop.sandbox.press("salesforce", "change-price", sku=SUPPORT, net="6000")
    await shop.portal.cache.retire()
    answer = await alice.post(ORDERS, json={"digest": seen["digest"]}, headers=ONE)
    assert (answer.status_code, answer.json()["code"]) == (409, "cart_changed")
    await _nothing_happened(shop)
    now = (await alice.get("/api/v1/cart")).json()
    assert now["one_time"]["net"]["amount"] == "6000"
    answer = await alice.post(ORDERS, json={"digest": now["digest"]}, headers={"idempotency-key": "two"})
    assert answer.status_code == 201


async def test_salesforce_refuses_the_order(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """A rule of the org, say. Definite: nothing was made, the cart can be mended."""
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "refuse", call="composite", code="FIELD_CUSTOM_VALIDATION_EXCEPTION", times=1)
    assert (await alice.post(ORDERS, json={}, headers=ONE)).status_code == 502
    await _nothing_happened(shop)


async def test_a_refusal_that_comes_late_is_told_by_mail(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "error", call="composite", times=1)
    assert (await alice.post(ORDERS, json={}, headers=ONE)).status_code == 202
    await shop.sandbox.dial("salesforce", "refuse", call="composite", code="FIELD_CUSTOM_VALIDATION_EXCEPTION")
    shop.later(5)
    assert await shop.finish_placement() == []
    (mail,) = await shop.rows("SELECT * FROM mails")
    assert "could not be placed" in mail["subject"] and "/cart" in mail["body"]
    await shop.rows("DELETE FROM mails RETURNING key")
    await _nothing_happened(shop)


async def test_a_recorded_refusal_whose_process_died(shop: Shop) -> None:
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "error", call="composite", times=1)
    with pytest.raises(StillRunning):
        await place_order(shop.portal, shop.customer)
    await shop.rows("UPDATE creations SET state = 'refused', code = 'RULE', wake_at = NULL RETURNING id")
    assert await shop.finish_placement() == []
    assert len(await shop.rows("SELECT * FROM mails")) == 1


async def test_a_request_that_died_is_found_by_the_sweep(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    assert (await alice.post(ORDERS, json={}, headers=ONE)).status_code == 202
    await shop.rows("DELETE FROM procrastinate_jobs RETURNING id")
    assert await sweep(shop.portal) == 0  # its own safety net is not due yet
    shop.later(20)
    assert await sweep(shop.portal) == 1
    assert await sweep(shop.portal) == 0  # it has a job
    await shop.finish_placement()
    await _ordered_once(shop, alice)
    assert await sweep(shop.portal) == 0


@pytest.mark.usefixtures("worker")
async def test_the_worker_finishes_it_by_itself(
    shop: Shop, alice: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placements, "LOOK_AFTER_SECONDS", 0.5)
    monkeypatch.setattr("portico.orders.checkout.LOOK_AFTER_SECONDS", 0.5)
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    assert (await alice.post(ORDERS, json={}, headers=ONE)).status_code == 202
    await until(lambda: shop.sandbox.mails(ALICE.email))
    await _ordered_once(shop, alice)


async def test_an_order_adopted_after_its_approval_keeps_its_timeline(shop: Shop) -> None:
    """Staff and Salesforce do not wait for us to learn that our order exists."""
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    with pytest.raises(StillRunning):
        await place_order(shop.portal, shop.customer)
    (order,) = await salesforce_orders.get_orders(shop.portal.salesforce, shop.customer.sf_account_id)
    await shop.sandbox.press("salesforce", "approve-order", order=order.id)
    await shop.heard(order.id)
    await shop.run_until(order.id, "done")
    shop.later(5)
    await shop.finish_placement()
    steps = (await shop.journal(order.id)).steps
    assert (steps["placed"].state, steps["approval"].state) == ("done", "done")


async def test_somebody_elses_placement_is_not_found(shop: Shop, alice: httpx2.AsyncClient) -> None:
    other = Shop(shop.portal, shop.sandbox, await known(shop.portal, KEN), KEN)
    await other.place(SUPPORT)
    (placement,) = await shop.rows("SELECT id FROM placements")
    answer = await alice.get(f"/api/v1/operations/{placement['id']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def _nothing_happened(shop: Shop) -> None:
    """No order, no trace of one, no mail; the cart as it was."""
    for table in ("creations", "placements", "mails"):
        assert await shop.rows(f"SELECT * FROM {table}") == [], table
    assert (await shop.made())["create Order"] == 0
    (cart,) = await shop.rows("SELECT items FROM carts")
    assert [item["sku"] for item in cart["items"]] == [SUPPORT]


async def _ordered_once(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """One order in Salesforce, one mail, an empty cart."""
    assert await shop.made() == {"create Order": 1, "create OrderItem": 1}
    (placement,) = await shop.rows("SELECT * FROM placements")
    mails: list[dict[str, Any]] = await shop.rows("SELECT key FROM mails")
    assert [mail["key"] for mail in mails] == [f"order-placed:{placement['order_id']}"]
    assert (await alice.get("/api/v1/cart")).json()["items"] == []


async def test_the_cart_of_an_unknown_outcome_is_ordered_once(shop: Shop) -> None:
    """Changed and clicked again while nobody knows: the first order, and no second one of the same things."""
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    with pytest.raises(StillRunning):
        await place_order(shop.portal, shop.customer)
    await put_cart(shop.portal, shop.customer, [])
    await shop.fill(VPN)
    shop.later(5)
    first = await place_order(shop.portal, shop.customer)
    assert [item.sku for item in (await shop.order(str(first.order_id))).items] == [SUPPORT]
    second = await place_order(shop.portal, shop.customer)
    assert [item.sku for item in (await shop.order(str(second.order_id))).items] == [VPN]
    assert (await shop.made())["create Order"] == 2
