"""The owner and the stranger at the door of the whole app."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest_asyncio

from portico.demo import environment as demo_environment
from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.sandbox import SandboxControl
from tests.house.two_customers import OWNER, STRANGER, Things, add_people, things_of_the_owner


@dataclass(frozen=True)
class Door:
    """Clients that keep cookies and send what the API asks of clients; `nobody` is signed out."""

    portal: Portal
    owner: httpx2.AsyncClient
    stranger: httpx2.AsyncClient
    staff: httpx2.AsyncClient
    nobody: httpx2.AsyncClient
    things: Things


@pytest_asyncio.fixture(loop_scope="session")
async def door(app: Any, settings: Settings, sandbox: SandboxControl) -> AsyncIterator[Door]:
    portal: Portal = app.state.portal
    app.state.live.stopping.set()  # streams end at once: they are opened here, not listened to
    await add_people(portal, demo_environment.STAFF)
    staff = demo_environment.STAFF[0]
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(app, settings)) for _ in range(4)]
        owner, stranger, member, nobody = clients
        await _sign_in(owner, OWNER.email, OWNER.password)
        await _sign_in(stranger, STRANGER.email, STRANGER.password)
        await _sign_in(member, staff["email"], staff["password"])
        yield Door(portal, owner, stranger, member, nobody, await things_of_the_owner(portal, owner))


def _client(app: Any, settings: Settings) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 50000))
    headers = {"origin": settings.portal.url}
    return httpx2.AsyncClient(transport=transport, base_url=settings.portal.url, headers=headers)


async def _sign_in(client: httpx2.AsyncClient, email: str, password: str) -> None:
    answer = await client.post("/api/v1/auth/sign-in", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
