"""Two customers of the portal before true servers and the sandbox, each with a browser and the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from portico.identity.seed import seed_people
from portico.portal import Portal
from portico.settings import Settings
from portico_sandbox.world_types import Person
from tests.fixtures.browser import Browser
from tests.fixtures.portal import ReadSettings
from tests.support.asking import ALICE, COMPANY, KEN, Asker

QUICK = {
    "SALESFORCE_WRITE_SECONDS": "1.5",
    "SALESFORCE_READ_SECONDS": "3",
    "CREATION_QUIET_SECONDS": "0.2",
    "CREATION_LEASE_SECONDS": "3",
}
"""An impatient portal: a lost answer is soon noticed, a dead process's claim soon free."""


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, **QUICK})


@pytest_asyncio.fixture(loop_scope="session")
async def portal(app: Any) -> Portal:
    """The app's own."""
    the_portal: Portal = app.state.portal
    return the_portal


@pytest_asyncio.fixture(loop_scope="session")
async def alice(app: Any, portal: Portal) -> AsyncIterator[Asker]:
    """Who has asked nothing yet."""
    async for asker in _signed_in(app, portal, ALICE):
        yield asker


@pytest_asyncio.fixture(loop_scope="session")
async def ken(app: Any, portal: Portal) -> AsyncIterator[Asker]:
    """Who has two cases, invoices, services."""
    async for asker in _signed_in(app, portal, KEN):
        yield asker


@pytest_asyncio.fixture(loop_scope="session")
async def company(app: Any, portal: Portal) -> AsyncIterator[Asker]:
    """Who has eleven cases."""
    async for asker in _signed_in(app, portal, COMPANY):
        yield asker


async def _signed_in(app: Any, portal: Portal, person: Person) -> AsyncIterator[Asker]:
    await seed_people(portal, {"customers": {"ready": [asdict(person)]}, "staff": []})
    transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 50010))
    url = portal.settings.portal.url
    async with httpx2.AsyncClient(transport=transport, base_url=url, headers={"origin": url}) as client:
        entered = {"email": person.email, "password": person.password}
        answer = await client.post("/api/v1/auth/sign-in", json=entered)
        assert answer.status_code == 200, answer.text
        yield Asker(person, client, Browser(client, url), portal)
