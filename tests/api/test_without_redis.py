"""Redis is never there, or goes away while somebody is signed in: all pages work, and nobody is signed out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from portico.demo.binaries import find_binaries
from portico.demo.ports import Ports
from portico.demo.processes import Child
from portico.demo.servers import Redis
from portico.settings import Settings
from tests.fixtures.browser import Browser
from tests.fixtures.portal import ReadSettings
from tests.fixtures.servers import free_ports
from tests.orders.shop import KEN, known

PAGES = (
    "/home",
    "/catalog",
    "/catalog/VPN-HOME",
    "/cart",
    "/orders",
    "/services",
    f"/services/{KEN.services[0].id}",
    "/billing",
    f"/billing/invoices/{KEN.invoices[0].id}",
    "/billing/payment-methods",
    "/support",
)


@pytest.fixture
def ports_of_redis() -> Ports:
    return free_ports()


@pytest_asyncio.fixture(loop_scope="session")
async def redis(ports_of_redis: Ports, tmp_path: Any) -> AsyncIterator[Child]:
    """One of our own, to be killed."""
    server = Redis(find_binaries(tmp_path / "data"), ports_of_redis["Redis"], tmp_path / "redis.log")
    child = server.start()
    await server.ready(child)
    yield child
    await child.stop()


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings, ports_of_redis: Ports) -> Settings:
    return read({**environment, "REDIS_URL": f"redis://127.0.0.1:{ports_of_redis['Redis']}/0"})


async def test_redis_was_never_there(client: Browser, app: Any) -> None:
    await walks_around(client, app)


async def test_redis_goes_away(client: Browser, app: Any, redis: Child) -> None:
    before = await walks_around(client, app)
    await redis.stop()
    ready = await client.client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"state": "ready", "cache": "away"})
    assert await sees(client) == before


async def walks_around(client: Browser, app: Any) -> dict[str, list[str]]:
    await known(app.state.portal, KEN)
    await client.sign_in(KEN.email, KEN.password)
    seen = await sees(client)
    assert seen["/home"] != seen["/billing"]
    return seen


async def sees(client: Browser) -> dict[str, list[str]]:
    """The heading of every page; none of them may say "later" or send to the sign-in."""
    seen = {}
    for path in PAGES:
        page = await client.visit(path)
        assert page.url.endswith(path), f"{path} led to {page.url}"
        assert "Not available just now" not in page.text, path
        seen[path] = page.headings
    return seen
