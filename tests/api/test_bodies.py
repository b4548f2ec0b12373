"""Bodies that no form could send: each is a problem that says what is wrong, never a crash."""

from __future__ import annotations

import httpx2
import pytest

from tests.api.conftest import Enter
from tests.api.problems import pointers, problem_of
from tests.orders.shop import ALICE

JSON = {"content-type": "application/json"}
UNREADABLE = {
    "malformed": b'{"items": [}',
    "not UTF-8": b'{"items": "\xff"}',
    "half a surrogate pair": rb'{"items": "\ud800"}',
    "a number that no number can be": b'{"items": 1e999999}',
    "nested without end": b"[" * 100_000,
    "no object": b"[]",
    "nothing": b"",
}
ADDRESS = {"street": "1-1", "city": "Chiyoda-ku", "state": "Tokyo", "postal_code": "100-0001"}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_can_not_be_read(enter: Enter, body: bytes) -> None:
    api = await enter(ALICE)
    problem_of(await api.put("/api/v1/cart", content=body, headers=JSON), 400, "request_wrong")


async def test_no_text_has_a_nul(enter: Enter) -> None:
    api = await enter(ALICE)
    body = {"subject": "a\x00", "description": "b", "about": {"id": "\x00", "kind": "order"}}
    nul = await api.post("/api/v1/cases", json=body)
    assert pointers(problem_of(nul, 422, "input_wrong")) == {"/subject", "/about/id"}


async def test_unknown_fields_are_refused_on_every_level(enter: Enter) -> None:
    api = await enter(ALICE)
    items = [{"sku": "VPN-HOME", "color": "red"}]
    inner = await api.put("/api/v1/cart", json={"items": items})
    assert pointers(problem_of(inner, 422, "input_wrong")) == {"/items/0"}
    outer = await api.put("/api/v1/cart", json={"items": [], "color": "red"})
    assert pointers(problem_of(outer, 422, "input_wrong")) == {"/color"}


async def test_an_address_that_no_order_can_hold(enter: Enter) -> None:
    api = await enter(ALICE)
    assert (await api.put("/api/v1/cart", json={"items": [{"sku": "VPN-HOME"}]})).status_code == 200
    wrong = {"city": "x" * 41, "state": "y" * 81, "postal_code": "?", "country": "Japan"}
    answer = await api.post("/api/v1/orders", json={"address": ADDRESS | wrong}, headers={"idempotency-key": "a"})
    faults = pointers(problem_of(answer, 422, "input_wrong"))
    assert faults == {"/address/city", "/address/state", "/address/postal_code", "/address/country"}
    placed = await api.post("/api/v1/orders", json={"address": ADDRESS}, headers={"idempotency-key": "a"})
    assert placed.status_code == 201, placed.text


async def test_a_parameter_is_never_null(enter: Enter, api: httpx2.AsyncClient) -> None:
    await enter(ALICE)
    for path, pointer in (("/catalog?category=null", "/category"), ("/invoices?status=null", "/status")):
        assert pointers(problem_of(await api.get(f"/api/v1{path}"), 422, "input_wrong")) == {pointer}
