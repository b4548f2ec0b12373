"""The answer got lost: 202 with an operation, which ends by itself, and nothing is made twice."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest_asyncio

from portico.settings import Settings
from tests.api.conftest import Enter
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.identity.applying import HINA, api_body
from tests.orders.shop import ALICE

CART = {"items": [{"sku": "VPN-HOME"}]}
KEY = {"idempotency-key": "lost"}
DEADLINE_SECONDS = 15.0
"""A page waits for 5 s at most."""


@pytest_asyncio.fixture(loop_scope="session")
async def newcomer(app: Any, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody else, with cookies of their own."""
    url = settings.portal.url
    transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 50002))
    async with httpx2.AsyncClient(transport=transport, base_url=url, headers={"origin": url}) as client:
        yield client


async def test_an_order_and_a_sign_up(
    enter: Enter, newcomer: httpx2.AsyncClient, sandbox: SandboxControl, worker: None
) -> None:
    """Side by side: each waits for its own look-ups."""
    api = await enter(ALICE)
    assert (await api.put("/api/v1/cart", json=CART)).status_code == 200
    await sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    await sandbox.dial("whmcs", "commit_then_hang", call="AddClient", times=1)
    await asyncio.gather(an_order(api), a_sign_up(newcomer))
    assert len(await sandbox.ledger("salesforce", "create Order")) == 1
    assert len(await sandbox.ledger("whmcs", "AddClient")) == 1
    for email in (ALICE.email, HINA.email):
        [mail] = await until(functools.partial(sandbox.mails, email))
        assert mail["to"] == [email]


async def an_order(api: httpx2.AsyncClient) -> None:
    started = time.monotonic()
    operation = operation_in(await api.post("/api/v1/orders", json={}, headers=KEY))
    assert time.monotonic() - started < DEADLINE_SECONDS
    repeated = await api.post("/api/v1/orders", json={}, headers=KEY)
    assert repeated.status_code in (201, 202), repeated.text
    ended = await ended_of(api, operation)
    assert ended["state"] == "done"
    order = (await api.get(f"/api/v1/orders/{ended['order_id']}")).json()
    assert order["items"][0]["sku"] == "VPN-HOME"
    again = await api.post("/api/v1/orders", json={}, headers=KEY)
    assert (again.status_code, again.json()["id"]) == (201, ended["order_id"])


async def a_sign_up(newcomer: httpx2.AsyncClient) -> None:
    operation = operation_in(await newcomer.post("/api/v1/auth/sign-up", json=api_body(HINA)))
    assert (await ended_of(newcomer, operation))["state"] == "done"
    who = {"email": HINA.email, "password": api_body(HINA)["password"]}
    assert (await newcomer.post("/api/v1/auth/sign-in", json=who)).status_code == 200


def operation_in(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    operation: dict[str, Any] = answer.json()
    assert operation["state"] == "running"
    assert operation["status_url"] == f"/api/v1/operations/{operation['operation_id']}" == answer.headers["location"]
    return operation


async def ended_of(api: httpx2.AsyncClient, operation: dict[str, Any]) -> dict[str, Any]:
    async def has_ended() -> dict[str, Any] | None:
        now = await api.get(operation["status_url"])
        assert now.status_code == 200, now.text
        document: dict[str, Any] = now.json()
        return document if document["state"] != "running" else None

    ended: dict[str, Any] = await until(has_ended)
    return ended
