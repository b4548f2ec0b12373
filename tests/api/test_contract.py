"""schemathesis before the real portal, with the stand-ins of the systems behind it: the OpenAPI document is kept to."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import uvicorn

from portico.settings import Settings
from tests.api.conftest import Enter
from tests.fixtures.until import until
from tests.orders.shop import KEN

CONFIG = Path(__file__).with_name("schemathesis.toml")
DOORS = "^/api/v1/auth/"
"""They end sessions and begin others: each of these calls is made by somebody without one."""
ENDS_SESSIONS = "end_session"
"""With an id out of the list of sessions it ends the very session that asks; so it has one of its own."""


@pytest_asyncio.fixture(loop_scope="session")
async def served(app: Any, settings: Settings) -> AsyncIterator[str]:
    """The app behind a socket; streams end with what is there."""
    server = uvicorn.Server(uvicorn.Config(app, port=settings.portal.port, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(), name="web")
    await until(lambda: server.started)
    yield settings.portal.url
    server.should_exit = True
    await serving


async def test_a_customer(served: str, enter: Enter) -> None:
    client = await enter(KEN)
    await has_an_order(client)
    await looks_at(served, client, "--exclude-path-regex", DOORS, "--exclude-operation-id", ENDS_SESSIONS, examples=8)
    assert (await client.get("/api/v1/me")).status_code == 200, "the session ended on the way"


async def test_a_customer_who_signs_out_devices(served: str, enter: Enter) -> None:
    await looks_at(served, await enter(KEN), "--include-operation-id", ENDS_SESSIONS, examples=8)


async def test_nobody(served: str, api: httpx2.AsyncClient) -> None:
    await looks_at(served, api, "--include-path-regex", DOORS, examples=8)


@pytest.mark.proof
@pytest.mark.timeout(900)
async def test_a_customer_at_length(served: str, enter: Enter) -> None:
    client = await enter(KEN)
    await has_an_order(client)
    await looks_at(served, client, "--exclude-path-regex", DOORS, "--exclude-operation-id", ENDS_SESSIONS, examples=150)
    assert (await client.get("/api/v1/me")).status_code == 200


async def has_an_order(client: httpx2.AsyncClient) -> None:
    """There is one of everything: what lists answer is asked for again."""
    assert (await client.put("/api/v1/cart", json={"items": [{"sku": "VPN-HOME"}]})).status_code == 200
    placed = await client.post("/api/v1/orders", json={}, headers={"idempotency-key": "contract"})
    assert placed.status_code == 201, placed.text


async def looks_at(url: str, client: httpx2.AsyncClient, *options: str, examples: int) -> None:
    headers = {}
    if client.cookies:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{url}/api/v1/openapi.json"]
    argv += [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    argv += ["--max-examples", str(examples), "--no-color", *options]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "COLUMNS": "140"}
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
