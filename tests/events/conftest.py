"""Hooks and inbox without any foreign system: a portal on a database of its own, and the door before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text

from portico.app import build_portal, create_app
from portico.customer import Customer
from portico.demo import environment
from portico.events import drain
from portico.identity.mapping import add_mapping
from portico.inbox import Event, NewEvent, receive
from portico.portal import Portal
from portico.settings import read_settings
from tests.caching import somebody
from tests.events.office import Office
from tests.fixtures.lifespan import lifespan
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.servers import Servers
from tests.own_servers import own_database

NOW_SECRET = "whsec_b25lLXNlY3JldC1vZi10aGlydHktdHdvLWJ5dGVzIQ=="
NEXT_SECRET = "whsec_YW5vdGhlci1zZWNyZXQtb2YtbWFueS1ieXRlcyEhISE="
OLD_SECRET = "whsec_dGhlLXNlY3JldC1vZi1sYXN0LXllYXItYnl0ZXMhISE="

EMPTY = """
    TRUNCATE inbox, order_owners, order_item_owners, users, mappings, placements, fulfillments, procrastinate_jobs
    CASCADE
"""


@dataclass(frozen=True)
class Front:
    """A web process and what it has stored."""

    app: Any
    portal: Portal
    client: httpx2.AsyncClient

    async def rows(self, query: str, **values: object) -> list[dict[str, Any]]:
        async with self.portal.db.begin() as tx:
            return [dict(row) for row in (await tx.execute(text(query), values)).mappings()]

    async def do(self, query: str, **values: object) -> None:
        async with self.portal.db.begin() as tx:
            await tx.execute(text(query), values)

    async def receive(self, *events: NewEvent) -> None:
        """As hook route and listener do, without their drops."""
        async with self.portal.db.begin() as tx:
            await receive(tx, self.portal.clock.now(), events)

    async def customer(self, client_id: int = 4711) -> Customer:
        """Somebody with a portal user and a mapping."""
        customer, now = somebody(UUID(int=client_id), client_id), self.portal.clock.now()
        await self.do(
            "INSERT INTO users (id, email, display_name, created_at) VALUES (:id, :email, 'Ann', :now)",
            id=customer.user_id,
            email=f"{client_id}@mail.example",
            now=now,
        )
        async with self.portal.db.begin() as tx:
            await add_mapping(tx, now, customer)
        return customer

    async def stages(self) -> list[int]:
        return [row["stage"] for row in await self.rows("SELECT stage FROM inbox ORDER BY id")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_front(servers: Servers) -> AsyncIterator[Front]:
    url = await own_database(servers, "events")
    own = environment.of_portal(servers.ports, url, servers.redis_url)
    with pytest.MonkeyPatch.context() as patch:
        more = {"WHMCS_HOOK_SECRETS": f"{NOW_SECRET},{NEXT_SECRET}", "REDIS_TIMEOUT_SECONDS": "1"}
        more["SALESFORCE_LOGIN_URL"] = "http://127.0.0.1:1"  # nobody is there
        for name, value in {**own, **more}.items():
            patch.setenv(name, value)
        settings = read_settings()
    built = build_portal(settings)
    app = create_app(settings, built)
    transport = httpx2.ASGITransport(
        app=app,  # type: ignore[arg-type]
        client=("127.0.0.1", 50000),
    )
    async with lifespan(app), httpx2.AsyncClient(transport=transport, base_url=settings.portal.url) as client:
        yield Front(app, built.portal, client)


@pytest_asyncio.fixture(loop_scope="session")
async def front(running_front: Front, redis_url: str) -> AsyncIterator[Front]:
    """Empty, at the clock's real time, and without reactions."""
    await running_front.do(EMPTY)
    running_front.portal.clock.move_to(0)
    drain.register({})  # other modules of this process ran workers with the app's
    yield running_front
    drain.register({})


@pytest_asyncio.fixture(loop_scope="session")
async def office(portal: Portal, sandbox: SandboxControl) -> Office:
    return Office(portal, sandbox)


def hint(source: str, kind: str, **body: Any) -> Event:
    """An event as the drops see it."""
    return Event(0, source, "x", kind, body, None, 0, 0)  # type: ignore[arg-type]
