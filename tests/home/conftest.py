"""A shop and its customers at the home page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.browser import Browser
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.orders.shop import ALICE, QUICK, Shop, known

Enter = Callable[[Any], Awaitable[Browser]]


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
async def enter(portal: Portal, client: Browser) -> Enter:
    """Signs somebody of the world in."""

    async def entered(person: Any) -> Browser:
        await known(portal, person)
        who = {"email": person.email, "password": person.password}
        answer = await client.post("/sign-in", **who)
        assert answer.status_code == 303, answer.text
        return client

    return entered
