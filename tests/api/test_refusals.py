"""Every "no" is a problem document that says what to do, with a pointer to each wrong field."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from portico_sandbox.world_customers import READY
from tests.api.conftest import Enter
from tests.api.problems import pointers, problem_of
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.identity.applying import HINA, RIN, api_body
from tests.orders.shop import ALICE, SAKURA

NAOKI = READY[8]
CART = {"items": [{"sku": "VPN-HOME"}]}


async def post(api: httpx2.AsyncClient, path: str, body: Any = None, **headers: str) -> httpx2.Response:
    return await api.post(f"/api/v1{path}", json={} if body is None else body, headers=headers)


async def test_sign_up(api: httpx2.AsyncClient, enter: Enter) -> None:
    unknown = await post(api, "/auth/sign-up", api_body(HINA, customer_number="CN-000000"))
    elsewhere = await post(api, "/auth/sign-up", api_body(HINA, address={"postal_code": "999-9999"}))
    taken = await post(api, "/auth/sign-up", api_body(RIN))
    await enter(ALICE)
    known_address = await post(api, "/auth/sign-up", api_body(HINA, email=ALICE.email))
    empty = await post(api, "/auth/sign-up", {})
    strange = await post(api, "/auth/sign-up", {"email": 7, "address": {"city": []}, "role": "staff"})

    words = [problem_of(one, 422, "customer_number_unknown")["detail"] for one in (unknown, elsewhere)]
    assert words[0] == words[1]
    problem_of(taken, 409, "already_registered")
    problem_of(known_address, 409, "email_taken")
    assert pointers(problem_of(empty, 422, "input_wrong")) == {"/email", "/password", "/customer_number"}
    assert pointers(problem_of(strange, 422, "input_wrong")) == {"/email", "/address/city", "/role"}


async def test_too_many_wrong_numbers(api: httpx2.AsyncClient) -> None:
    tries = [await post(api, "/auth/sign-up", api_body(HINA, customer_number=f"CN-00000{n}")) for n in range(6)]
    assert [answer.status_code for answer in tries] == [422] * 5 + [429]
    document = problem_of(tries[-1], 429, "too_many_tries")
    assert 0 < document["retry_after"] <= 3600
    problem_of(await post(api, "/auth/sign-up", api_body(HINA)), 429, "too_many_tries")  # the right one as well


async def test_sign_in(api: httpx2.AsyncClient, enter: Enter) -> None:
    await enter(ALICE)
    api.cookies.clear()
    problem_of(await api.get("/api/v1/me"), 401, "sign_in_needed")
    for email in (ALICE.email, "nobody@mail.example"):
        problem_of(await post(api, "/auth/sign-in", {"email": email, "password": "no"}), 401, "sign_in_wrong")
    document = problem_of(await post(api, "/auth/sign-in", {}), 422, "input_wrong")
    assert pointers(document) == {"/email", "/password"}


async def test_the_cart(enter: Enter) -> None:
    api = await enter(NAOKI)
    items = [
        {"sku": "VPN-HOME", "quantity": 0},
        {"sku": "MOB-SIM-10GB"},
        {"sku": "NO-SUCH-SKU"},
    ]
    wrong = await api.put("/api/v1/cart", json={"items": items})
    assert pointers(problem_of(wrong, 422, "input_wrong")) == {"/items/0/quantity", "/items/1/sku", "/items/2/sku"}
    assert (await api.get("/api/v1/cart")).json()["items"] == []
    problem_of(
        await api.put("/api/v1/cart", content=b"{", headers={"content-type": "application/json"}), 400, "request_wrong"
    )
    problem_of(
        await api.put("/api/v1/cart", content=b"items=1", headers={"content-type": "text/plain"}),
        415,
        "media_type_wrong",
    )
    many = await api.put("/api/v1/cart", json={"items": [{"sku": "VPN-HOME"}] * 30})
    assert pointers(problem_of(many, 422, "input_wrong")) == {"/items"}


async def test_an_esim_needs_its_eid(enter: Enter) -> None:
    api = await enter(ALICE)
    for eid in ("", "123", "x" * 32):
        wrong = await api.put("/api/v1/cart", json={"items": [{"sku": "MOB-ESIM-3GB", "options": {"eid": eid}}]})
        assert pointers(problem_of(wrong, 422, "input_wrong")) == {"/items/0/options/eid"}


async def test_placing_an_order(enter: Enter, sandbox: SandboxControl) -> None:
    api = await enter(SAKURA)
    problem_of(await post(api, "/orders"), 400, "idempotency_key_missing")
    assert (await api.put("/api/v1/cart", json=CART)).status_code == 200
    problem_of(await post(api, "/orders", **{"idempotency-key": "b"}), 409, "payment_method_missing")
    await sandbox.press("whmcs", "add-card", client_id=str(SAKURA.whmcs_client_id))
    problem_of(await post(api, "/orders", {"digest": "other"}, **{"idempotency-key": "c"}), 409, "cart_changed")
    assert await sandbox.ledger("salesforce", "create Order") == []

    placed = await post(api, "/orders", **{"idempotency-key": "d"})
    assert placed.status_code == 201
    address = {"street": "1-1", "city": "Chiyoda-ku", "state": "Tokyo", "postal_code": "100-0001"}
    problem_of(
        await post(api, "/orders", {"address": address}, **{"idempotency-key": "d"}), 422, "idempotency_key_reused"
    )
    problem_of(await post(api, "/orders", **{"idempotency-key": "e"}), 409, "cart_changed")  # it is empty now
    assert len(await sandbox.ledger("salesforce", "create Order")) == 1


async def test_no_longer_available(enter: Enter, sandbox: SandboxControl) -> None:
    """No event tells of it here: what is available is looked at again each minute."""
    api = await enter(ALICE)
    assert (await api.put("/api/v1/cart", json=CART)).status_code == 200
    await sandbox.press("salesforce", "set-availability", sku="VPN-HOME", available="false")
    await sandbox.move_clock(0.05)

    async def is_marked() -> bool:
        cart = (await api.get("/api/v1/cart")).json()
        return not cart["orderable"] and bool(cart["items"][0]["problem"])

    await until(is_marked)
    problem_of(await post(api, "/orders", **{"idempotency-key": "a"}), 409, "not_eligible")


@pytest.mark.parametrize(
    ("system", "paths"),
    [
        ("whmcs", ("/invoices", "/invoices/1", "/subscriptions", "/payment-methods", "/payment-gateways")),
        ("salesforce", ("/catalog", "/eligibility", "/orders", "/cart", "/cases")),
    ],
)
async def test_a_system_is_down(enter: Enter, sandbox: SandboxControl, system: str, paths: tuple[str, ...]) -> None:
    api = await enter(ALICE)
    await sandbox.dial(system, "down")
    for path in paths:
        document = problem_of(await api.get(f"/api/v1{path}"), 503, "try_again_later")
        assert document["retry_after"] > 0
    status = (await api.get("/api/v1/me/status")).json()
    missing = {
        "whmcs": {"due", "active_services", "next_bill", "has_payment_method"},
        "salesforce": {"open_orders", "open_cases"},
    }[system]
    assert set(status["unavailable"]) == missing == {name for name in missing if status[name] is None}
    problem_of(await post(api, "/auth/sign-up", api_body(HINA)), 503, "try_again_later")
    assert await sandbox.ledger("whmcs") == []


async def test_in_japanese(api: httpx2.AsyncClient) -> None:
    answer = await api.get("/api/v1/me", headers={"accept-language": "ja"})
    assert answer.json()["code"] == "sign_in_needed"
    assert "ログイン" in answer.json()["detail"]
