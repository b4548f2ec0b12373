"""Placing an order at the front door: one order, however often and however hastily it is asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx2

from tests.fixtures.browser import Browser
from tests.fixtures.until import until
from tests.orders.shop import ALICE, ESIM, SUPPORT, VPN, Shop

ORDERS = "/api/v1/orders"
Json = dict[str, Any]


async def test_an_order_is_whole_and_waits_for_staff(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(ESIM)
    answer = await alice.post(ORDERS, json={}, headers={"idempotency-key": "one"})
    assert answer.status_code == 201, answer.text
    placed = answer.json()
    assert answer.headers["location"] == f"{ORDERS}/{placed['id']}"
    assert placed["status"] == "waiting_for_approval"
    steps = {step["step"]: step["state"] for step in placed["timeline"]}
    assert (steps["placed"], steps["approval"], steps["billing_order"]) == ("done", "waiting", "upcoming")
    order = await shop.order(placed["id"])
    assert (order.status, order.status_code, order.fulfillment_status) == ("Pending Review", "Draft", "Pending")
    assert (order.account_id, order.portal_id) == (ALICE.sf_account_id, await _marker(shop))
    assert [(item.sku, int(item.unit_price.amount), item.quantity) for item in order.items] == [
        (ESIM, 980, 1),
        ("MOB-ACT-ESIM", 3000, 1),
    ]
    assert order.items[0].eid and len(order.items[0].eid) == 32
    assert await shop.made() == {"create Order": 1, "create OrderItem": 2}


async def test_the_address_is_a_snapshot(shop: Shop) -> None:
    order_id = await shop.place(SUPPORT)
    home = (await shop.order(order_id)).shipping_address
    assert (home.postal_code, home.country) == (ALICE.address.postal_code, "JP")
    assert ALICE.address.street in home.street
    await shop.sandbox.press("whmcs", "edit-client", client_id=str(ALICE.whmcs_client_id), address1="Moved 1-2-3")
    order = await shop.order(order_id)
    assert (order.shipping_address, order.address_changed) == (home, False)


async def test_another_address_is_marked(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    address = {"street": "Elsewhere 1", "city": "Nagoya", "state": "Aichi", "postal_code": "450-0002"}
    answer = await alice.post(ORDERS, json={"address": address}, headers={"idempotency-key": "one"})
    order = await shop.order(answer.json()["id"])
    assert (order.shipping_address.city, order.address_changed) == ("Nagoya", True)


async def test_it_is_confirmed_by_one_mail_and_the_cart_is_free(shop: Shop, alice: httpx2.AsyncClient) -> None:
    first = await shop.place(SUPPORT)
    assert (await alice.get("/api/v1/cart")).json()["items"] == []
    second = await shop.place(SUPPORT)
    assert first != second
    mails = await shop.rows("SELECT key, body FROM mails ORDER BY created_at")
    assert [mail["key"] for mail in mails] == [f"order-placed:{first}", f"order-placed:{second}"]
    assert f"/orders/{first}" in mails[0]["body"]


async def test_the_mail_says_what_was_ordered(shop: Shop) -> None:
    await shop.place(ESIM)
    (mail,) = await shop.rows("SELECT body FROM mails")
    listed = [line for line in mail["body"].splitlines() if line.startswith("- ")]
    assert listed == [
        "- Mobile eSIM 3 GB, ¥980 a month",
        "- eSIM activation fee, ¥3,000 once",
        "- Every month: ¥1,078",
        "- Once: ¥3,300",
    ]
    assert "\n\n\n" not in mail["body"]


async def test_the_same_key_meets_the_same_order(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    answers = [await alice.post(ORDERS, json={}, headers={"idempotency-key": "one"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await alice.post(ORDERS, json={"digest": "0" * 32}, headers={"idempotency-key": "one"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await alice.post(ORDERS, json={})).json()["code"] == "idempotency_key_missing"
    assert (await shop.made())["create Order"] == 1


async def test_sixteen_at_once_with_one_key(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT, VPN)
    answers = await _at_once(alice, ["one"] * 16)
    assert {status for status, _ in answers} == {201}, answers
    assert len({body["id"] for _, body in answers}) == 1
    await _one_order(shop)


async def test_sixteen_at_once_with_a_key_each(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """Each meets the first one's order, or finds that its cart has been ordered."""
    await shop.fill(SUPPORT, VPN)
    answers = await _at_once(alice, [f"key {number}" for number in range(16)])
    assert {status for status, _ in answers} <= {201, 409}, answers
    assert len({body["id"] for status, body in answers if status == 201}) == 1
    assert {body["code"] for status, body in answers if status == 409} <= {"cart_changed"}
    await _one_order(shop)


async def test_a_second_click_and_a_reload_of_the_page(shop: Shop, client: Browser, alice: httpx2.AsyncClient) -> None:
    client.client.cookies.update(alice.cookies)
    await shop.fill(SUPPORT)
    form = (await client.visit("/checkout")).form("/checkout")
    clicks = await asyncio.gather(*(client.post("/checkout", **form.values) for _ in range(8)))
    addresses = {click.headers.get("location") for click in clicks}
    assert len(addresses) == 1 and {click.status_code for click in clicks} == {303}, addresses
    reloaded = await client.post("/checkout", **form.values)
    assert reloaded.headers["location"] in addresses
    await _one_order(shop)


async def test_the_same_call_twice_and_the_second_is_the_quicker(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """The first, with its card checked, finds the cart ordered and empty: by the same key, so that is its order."""
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("whmcs", "slow", call="GetPayMethods", times=1, seconds=0.6)
    slow = asyncio.create_task(alice.post(ORDERS, json={}, headers={"idempotency-key": "one"}))
    await until(shop.no_dial_is_left)
    quick = await alice.post(ORDERS, json={}, headers={"idempotency-key": "one"})
    assert (quick.status_code, (await slow).status_code) == (201, 201)
    assert (await slow).json()["id"] == quick.json()["id"]
    await _one_order(shop)


async def test_what_was_added_meanwhile_stays_in_the_cart(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    assert (await alice.post(ORDERS, json={}, headers={"idempotency-key": "one"})).status_code == 202
    await shop.fill(SUPPORT, VPN)
    shop.later(5)
    await shop.finish_placement()
    left = (await alice.get("/api/v1/cart")).json()["items"]
    assert [item["sku"] for item in left] == [VPN]
    again = await alice.post(ORDERS, json={}, headers={"idempotency-key": "two"})
    assert again.status_code == 201 and [item["sku"] for item in again.json()["items"]] == [VPN]


async def _at_once(alice: httpx2.AsyncClient, keys: list[str]) -> list[tuple[int, Json]]:
    calls = (alice.post(ORDERS, json={}, headers={"idempotency-key": key}) for key in keys)
    return [(answer.status_code, answer.json()) for answer in await asyncio.gather(*calls)]


async def _one_order(shop: Shop) -> None:
    made = await shop.made()
    assert made["create Order"] == 1, made
    (placement,) = await shop.rows("SELECT * FROM placements")
    assert Counter(row["key"] for row in await shop.rows("SELECT key FROM mails")) == {
        f"order-placed:{placement['order_id']}": 1
    }


async def _marker(shop: Shop) -> str:
    (creation,) = await shop.rows("SELECT marker FROM creations")
    return str(creation["marker"])
