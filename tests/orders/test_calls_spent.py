"""The org's API calls of the day run out: what only looks says "try again later", orders go on."""

from __future__ import annotations

import httpx2

from portico.systems.http import only_looks
from tests.orders.shop import ESIM, Shop

CASES = "/api/v1/cases"


async def _statuses(api: httpx2.AsyncClient, times: int) -> list[int]:
    return [(await api.get(CASES)).status_code for _ in range(times)]


async def test_orders_have_the_last_calls_of_the_day(shop: Shop, alice: httpx2.AsyncClient) -> None:
    await shop.fill(ESIM)
    await shop.sandbox.press("salesforce", "use-up-calls", used="95000")
    assert await _statuses(alice, 1) == [200], "nobody had told us yet"
    assert await _statuses(alice, 3) == [200, 503, 503], "one call looks whether the day has moved on"
    refused = await alice.get(CASES)
    document = refused.json()
    assert document["code"] == "try_again_later" and refused.headers["retry-after"]
    page = await alice.get("/home", headers={"accept": "text/html"})
    assert page.status_code == 200

    ordered = await alice.post("/api/v1/orders", json={}, headers={"idempotency-key": "scarce"})
    assert ordered.status_code == 201, ordered.text
    order_id = ordered.json()["id"]
    await shop.give_number(order_id)
    await shop.sandbox.press("salesforce", "approve-order", order=order_id)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert (await shop.told(order_id))[0] == "Completed"

    await shop.sandbox.press("salesforce", "use-up-calls", used="100")
    assert not only_looks.get(), "what runs here acts"
    await shop.order(order_id)  # any answer tells of the new day
    assert await _statuses(alice, 2) == [200, 200]
