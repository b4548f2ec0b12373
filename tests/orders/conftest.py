"""A shop: the whole app before true servers and the sandbox, and one customer of it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import pytest_asyncio

from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.orders.shop import ALICE, QUICK, Shop, known


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, **QUICK})


@pytest_asyncio.fixture(loop_scope="session")
async def portal(app: Any) -> Portal:
    """The app's own."""
    the_portal: Portal = app.state.portal
    return the_portal


@pytest_asyncio.fixture(loop_scope="session")
async def shop(portal: Portal, sandbox: SandboxControl) -> Shop:
    return Shop(portal, sandbox, await known(portal, ALICE), ALICE)


@pytest_asyncio.fixture(loop_scope="session")
async def alice(shop: Shop, api: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The API, with the shop's customer signed in."""
    entered = {"email": shop.person.email, "password": shop.person.password}
    answer = await api.post("/api/v1/auth/sign-in", json=entered)
    assert answer.status_code == 200, answer.text
    return api
