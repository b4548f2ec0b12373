"""schemathesis before the real portal, with the stand-ins of the systems behind it: the OpenAPI document is kept to."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest_asyncio
import uvicorn

from portico.settings import Settings
from tests.api.conftest import Enter
from tests.fixtures.until import until
from tests.orders.shop import KEN

CONFIG = Path(__file__).with_name("schemathesis.toml")
DOORS = "^/api/v1/auth/"
"""They end sessions and begin others: each of these calls is made by somebody without one."""


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
    await looks_at(served, client, "--exclude-path-regex", DOORS, examples=8)


async def test_nobody(served: str, api: httpx2.AsyncClient) -> None:
    await looks_at(served, api, "--include-path-regex", DOORS, examples=8)


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
