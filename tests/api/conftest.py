"""The API before true servers: in-process for most tests, over a real socket where the systems must call back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import uvicorn

from portico.events.listener import listen
from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.until import until
from tests.orders.shop import QUICK, known

Enter = Callable[..., Awaitable[httpx2.AsyncClient]]


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, **QUICK})


@pytest_asyncio.fixture(loop_scope="session")
async def enter(app: Any, api: httpx2.AsyncClient) -> Enter:
    """Signs somebody of the world in: `await enter(ALICE)` answers the API as they meet it."""

    async def entered(person: Any) -> httpx2.AsyncClient:
        await known(app.state.portal, person)
        who = {"email": person.email, "password": person.password}
        answer = await api.post("/api/v1/auth/sign-in", json=who)
        assert answer.status_code == 200, answer.text
        return api

    return entered


@pytest_asyncio.fixture(loop_scope="session")
async def live(app: Any, worker: None, portal: Portal, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """The portal where the systems find it, with worker and listener; a client before it."""
    config = uvicorn.Config(app, port=settings.portal.port, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    stopping = asyncio.Event()
    serving = asyncio.create_task(server.serve(), name="web")
    listening = asyncio.create_task(listen(portal, stopping), name="listener")
    await until(lambda: server.started)
    origin = {"origin": settings.portal.url}
    async with httpx2.AsyncClient(base_url=settings.portal.url, headers=origin, trust_env=False) as client:
        yield client
    stopping.set()
    server.should_exit = True
    await asyncio.gather(serving, listening)
