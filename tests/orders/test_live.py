"""Orders live: what comes first, what wakes a stream, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import msgspec
import pytest
import pytest_asyncio

from portico.app import build_portal, running
from portico.errors import TooManyStreams
from portico.orders import timeline
from portico.orders.live import STREAMS_PER_CUSTOMER, Live
from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.until import until
from tests.orders.shop import SUPPORT, Shop

ORDER = "8015g1000000009AAA"
OTHER = "8015g1000000010AAA"


@pytest_asyncio.fixture(loop_scope="session")
async def live_portal(settings: Settings) -> AsyncIterator[tuple[Portal, Live]]:
    built = build_portal(settings)
    live = Live(built.notices)
    async with running(built) as portal:
        yield portal, live


async def noted(portal: Portal, order_id: str, step: str) -> None:
    async with portal.db.begin() as tx:
        await timeline.note_once(tx, order_id, step, "done", portal.clock.now(), actor="portico")


async def next_step(lines: AsyncIterator[bytes]) -> tuple[int, str]:
    """Number and step of the next event; comments and the greeting are passed over."""
    while True:
        line = await asyncio.wait_for(anext(lines), 30)
        if line.startswith(b"id: "):
            number, _, rest = line.decode().partition("\n")
            data = msgspec.json.decode(rest.split("data: ", 1)[1])
            return int(number.removeprefix("id: ")), data["step"]


async def test_what_is_there_comes_first_and_news_follow(live_portal: tuple[Portal, Live]) -> None:
    portal, live = live_portal
    await noted(portal, ORDER, "placed")
    lines = live.steps(portal, uuid4(), ORDER, 0)
    assert (await next_step(lines))[1] == "placed"
    later = asyncio.create_task(next_step(lines))
    await noted(portal, OTHER, "placed")  # somebody else's wakes nobody
    await noted(portal, ORDER, "approval")
    assert (await later)[1] == "approval"


async def test_a_stream_resumes_after_the_last_event(live_portal: tuple[Portal, Live]) -> None:
    portal, live = live_portal
    for step in ("placed", "approval", "payment_method"):
        await noted(portal, ORDER, step)
    first = live.steps(portal, uuid4(), ORDER, 0)
    seen = [await next_step(first) for _ in range(2)]
    resumed = live.steps(portal, uuid4(), ORDER, seen[-1][0])
    assert (await next_step(resumed))[1] == "payment_method"


async def test_a_customer_has_four_streams_at_most(live_portal: tuple[Portal, Live]) -> None:
    portal, live = live_portal
    await noted(portal, ORDER, "placed")
    user = uuid4()
    streams = [live.steps(portal, user, ORDER, 0) for _ in range(STREAMS_PER_CUSTOMER)]
    for lines in streams:
        await next_step(lines)
    with pytest.raises(TooManyStreams):
        live.steps(portal, user, ORDER, 0)
    live.stopping.set()
    for lines in streams:
        assert [line async for line in lines] in ([], [b": still here\n\n"])
    live.stopping.clear()
    live.steps(portal, user, ORDER, 0)  # all of them were given back


async def test_a_server_with_an_open_stream_stops_at_once(
    settings: Settings, environment: dict[str, str], shop: Shop
) -> None:
    """Granian waits for open answers; ours end when its main process says so."""
    order_id = await shop.place(SUPPORT)
    base = settings.portal.url
    own = {**os.environ, **environment}
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "portico", "web", env=own)
    try:
        async with httpx2.AsyncClient(base_url=base, headers={"origin": base}, timeout=10) as client:
            await until(lambda: _answers(client))
            entered = {"email": shop.person.email, "password": shop.person.password}
            assert (await client.post("/api/v1/auth/sign-in", json=entered)).status_code == 200
            async with client.stream("GET", f"/api/v1/orders/{order_id}/events") as answer:
                lines = answer.aiter_lines()
                assert "text/event-stream" in answer.headers["content-type"]
                assert await anext(lines) == "retry: 2000"
                server.send_signal(signal.SIGTERM)
                rest = [line async for line in lines]
                assert any('"approval"' in line for line in rest)
        assert await asyncio.wait_for(server.wait(), 30) == 0
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()


async def _answers(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/livez")).status_code == 200
    except httpx2.HTTPError:
        return False
