"""What customers cost of the org's API calls: the figures of docs/systems/salesforce.md."""

from __future__ import annotations

from collections import Counter

import httpx2

from tests.api.conftest import Enter
from tests.fulfillment.test_salesforce_calls import calls
from tests.identity.applying import HINA, api_body
from tests.orders.shop import KEN


async def test_signing_up(api: httpx2.AsyncClient) -> None:
    before = calls()
    answer = await api.post("/api/v1/auth/sign-up", json=api_body(HINA))
    assert answer.status_code == 201, answer.text
    assert calls() - before == Counter({"query Account": 1}), "a job writes the status back, once"


async def test_looking_in(api: httpx2.AsyncClient, enter: Enter) -> None:
    await enter(KEN)
    before = calls()
    await api.get("/home", headers={"accept": "text/html"})
    first = calls()
    await api.get("/home", headers={"accept": "text/html"})
    assert first - before == Counter({"query Order": 1, "query Case": 1})
    assert calls() - first == Counter({"query Case": 1}), "cases are always live"
