"""Notices: once per occasion, the number in the header, in the reader's language."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest_asyncio

from portico.customer import Customer
from portico.i18n import _m
from portico.notifications.notices import tell
from portico.portal import Portal
from tests.fixtures.browser import Browser
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.orders.shop import ALICE, KEN, known

COMPLETE = _m("Your order is complete.")


@pytest_asyncio.fixture(loop_scope="session")
async def portal(app: Any) -> Portal:
    the_portal: Portal = app.state.portal
    return the_portal


@pytest_asyncio.fixture(loop_scope="session")
async def alice(portal: Portal, sandbox: SandboxControl) -> Customer:
    return await known(portal, ALICE)


async def told(portal: Portal, customer: Customer, occasion: str) -> bool:
    async with portal.db.begin() as tx:
        return await tell(
            tx, portal.clock.now(), customer.user_id, occasion=occasion, message=COMPLETE, address="/orders"
        )


async def test_an_occasion_is_told_once_and_counted(portal: Portal, alice: Customer, client: Browser) -> None:
    await client.sign_in(ALICE.email, ALICE.password)
    assert [await told(portal, alice, "a"), await told(portal, alice, "a"), await told(portal, alice, "b")] == [
        True,
        False,
        True,
    ]

    async def counted(number: str) -> bool:
        return f'<span class="count">{number}<' in (await client.visit("/billing")).response.text

    await until(lambda: counted("2"))
    page = await client.visit("/notifications")
    assert page.response.text.count("Your order is complete.") == 2
    await client.submit(page, "/notifications/read")
    assert not await counted("2")


async def test_nobody_elses(portal: Portal, alice: Customer, client: Browser) -> None:
    await known(portal, KEN)
    await told(portal, alice, "a")
    await client.sign_in(KEN.email, KEN.password)
    assert "Your order is complete." not in (await client.visit("/notifications")).response.text


async def test_the_api_speaks_the_readers_language(portal: Portal, alice: Customer, api: httpx2.AsyncClient) -> None:
    await told(portal, alice, "a")
    entered = {"email": ALICE.email, "password": ALICE.password}
    assert (await api.post("/api/v1/auth/sign-in", json=entered)).status_code == 200
    english = (await api.get("/api/v1/notifications")).json()["items"]
    japanese = (await api.get("/api/v1/notifications", headers={"accept-language": "ja"})).json()["items"]
    assert [(n["message"], n["address"], n["read"]) for n in english] == [("Your order is complete.", "/orders", False)]
    assert japanese[0]["message"] != english[0]["message"]
    assert (await api.post("/api/v1/notifications/read")).status_code == 204
    assert (await api.get("/api/v1/notifications")).json()["items"][0]["read"]
