"""The whole way over the API, as an app on a phone would walk it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.identity.applying import HINA, PASSWORD, api_body

EID = "89049032000000000000000000000101"
ITEM = {"sku": "MOB-ESIM-10GB", "options": {"eid": EID}}


async def test_from_sign_up_to_a_paid_bill(live: httpx2.AsyncClient, sandbox: SandboxControl) -> None:
    joined = await live.post("/api/v1/auth/sign-up", json=api_body(HINA))
    assert joined.status_code == 201, joined.text
    me = await read(live, "/me")
    assert (me["user_id"], me["email"], me["role"]) == (joined.json()["user_id"], HINA.email, "customer")
    assert await read(live, "/me/status") | {"unavailable": []} == await read(live, "/me/status")

    await sees_the_catalog(live)
    total = await fills_the_cart(live)
    await sandbox.press("whmcs", "add-card", client_id=me["whmcs_client_id"])
    order = await orders(live)
    await becomes_complete(live, sandbox, order["id"])
    await has_a_service(live)
    await pays(live, sandbox, total)

    left = await live.post("/api/v1/auth/sign-out")
    assert left.status_code == 204
    assert (await live.get("/api/v1/me")).status_code == 401
    again = await live.post("/api/v1/auth/sign-in", json={"email": HINA.email, "password": PASSWORD})
    assert again.json()["user_id"] == me["user_id"]


async def sees_the_catalog(live: httpx2.AsyncClient) -> None:
    listing = await read_list(live, "/catalog?category=Mobile")
    product = next(item for item in listing["items"] if item["sku"] == "MOB-ESIM-10GB")
    assert product["price"] == {"amount": "1980", "currency": "JPY"}
    assert product["price_with_tax"] == {"amount": "2178", "currency": "JPY"}
    assert (product["sim_kind"], product["requires_sku"], product["orderable"]) == ("eSIM", "MOB-ACT-ESIM", True)
    eligible = await read(live, "/eligibility")
    assert eligible["eligibility"] == ["Mobile"]
    is_fresh(eligible["as_of"])


async def fills_the_cart(live: httpx2.AsyncClient) -> int:
    """Answers what is to be paid at first, with tax."""
    put = await live.put("/api/v1/cart", json={"items": [ITEM]})
    cart = put.json()
    assert [line["sku"] for line in cart["items"]] == ["MOB-ESIM-10GB", "MOB-ACT-ESIM"]
    assert cart["monthly"]["gross"] == {"amount": "2178", "currency": "JPY"}
    assert cart["one_time"]["gross"] == {"amount": "3300", "currency": "JPY"}
    assert cart["orderable"] and await read(live, "/cart") == cart
    return int(cart["monthly"]["gross"]["amount"]) + int(cart["one_time"]["gross"]["amount"])


async def orders(live: httpx2.AsyncClient) -> dict[str, Any]:
    """The same key twice: one order, the same answer."""
    cart = await read(live, "/cart")
    body, key = {"digest": cart["digest"]}, {"idempotency-key": '"first-order"'}
    answers = [await live.post("/api/v1/orders", json=body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], answers[-1].text
    order: dict[str, Any] = answers[0].json()
    assert answers[1].json()["id"] == order["id"]
    assert answers[0].headers["location"] == f"/api/v1/orders/{order['id']}"
    assert re.fullmatch("801[0-9A-Za-z]{15}", order["id"])
    assert order["status"] == "waiting_for_approval"
    assert [order["id"]] == [one["id"] for one in (await read_list(live, "/orders"))["items"]]
    assert (await read(live, "/cart"))["items"] == []
    return order


async def becomes_complete(live: httpx2.AsyncClient, sandbox: SandboxControl, order_id: str) -> None:
    await sandbox.press("salesforce", "review-order", order=order_id, number="07000000101")

    async def is_complete() -> bool:
        return bool((await read(live, f"/orders/{order_id}"))["status"] == "complete")

    await until(is_complete)
    order = await read(live, f"/orders/{order_id}")
    assert {step["state"] for step in order["timeline"]} == {"done"}
    assert all(datetime.fromisoformat(step["at"]).tzinfo and step["by"] for step in order["timeline"])
    assert [item["line_number"] for item in order["items"]] == ["07000000101", None]
    assert len(await sandbox.ledger("whmcs", "AddOrder")) == len(await sandbox.ledger("freebit")) == 1


async def has_a_service(live: httpx2.AsyncClient) -> None:
    listing = await read_list(live, "/subscriptions")
    plan = next(item for item in listing["items"] if item["line_number"])
    assert (plan["status"], plan["price"]["amount"], plan["line_number"]) == ("active", "1980", "07000000101")
    detail = await read(live, f"/subscriptions/{plan['id']}")
    assert detail["iccid"] and plan.items() <= detail.items()
    is_fresh(detail["as_of"])


async def pays(live: httpx2.AsyncClient, sandbox: SandboxControl, total: int) -> None:
    [row] = (await read_list(live, "/invoices?status=unpaid"))["items"]
    assert row["total"] == {"amount": str(total), "currency": "JPY"}
    invoice = await read(live, f"/invoices/{row['id']}")
    assert sum(int(line["amount"]["amount"]) for line in invoice["lines"]) == int(invoice["subtotal"]["amount"])
    link = await live.post(f"/api/v1/invoices/{row['id']}/pay-link")
    assert link.status_code == 201
    assert link.headers["cache-control"] == "no-store"
    assert datetime.fromisoformat(link.json()["expires_at"]) > datetime.now(UTC)
    async with httpx2.AsyncClient(trust_env=False) as browser:
        landed = await browser.get(link.json()["url"])
        assert landed.headers["location"] == f"/viewinvoice.php?id={row['id']}"
        assert (await browser.get(link.json()["url"])).status_code == 403  # single use
    await sandbox.press("whmcs", "pay-invoice", invoice_id=row["id"])

    async def is_paid() -> bool:
        return bool((await read(live, f"/invoices/{row['id']}"))["status"] == "paid")

    await until(is_paid)  # the hook tells
    assert (await read_list(live, "/invoices?status=unpaid"))["items"] == []
    assert (await read(live, "/me/status"))["due"]["invoices"] == 0


async def read(live: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    answer = await live.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def read_list(live: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    listing = await read(live, path)
    assert listing.keys() == {"items", "next_cursor", "total", "as_of"}
    assert listing["total"] == len(listing["items"]) and listing["next_cursor"] is None
    assert all(isinstance(item.get("id", ""), str) for item in listing["items"])
    is_fresh(listing["as_of"])
    return listing


def is_fresh(as_of: str) -> None:
    moment = datetime.fromisoformat(as_of)
    assert moment.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=2)
