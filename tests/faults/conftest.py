"""A shop as in tests/fulfillment, and processes to be killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.orders.shop import ALICE, QUICK, Shop, known


class Crashing:
    """The processes of crashing_worker.py."""

    def __init__(self, process: asyncio.subprocess.Process, panel: str) -> None:
        self._process = process
        self._panel = panel

    async def do(self, *jobs: dict[str, Any]) -> list[dict[str, Any]]:
        """Does the jobs; answers what came of each, in their order."""
        assert self._process.stdin is not None and self._process.stdout is not None
        batch = [{"panel": self._panel, **job} for job in jobs]
        self._process.stdin.write(json.dumps(batch).encode() + b"\n")
        answers: dict[str, deque[dict[str, Any]]] = {}
        for _ in jobs:
            line = await asyncio.wait_for(self._process.stdout.readline(), 60)
            assert line, "the process that forks them has ended"
            answer = json.loads(line)
            answers.setdefault(answer["id"], deque()).append(answer)
        return [answers[job["id"]].popleft() for job in jobs]


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, **QUICK})


@pytest_asyncio.fixture(loop_scope="session")
async def shop(portal: Portal, sandbox: SandboxControl) -> Shop:
    return Shop(portal, sandbox, await known(portal, ALICE), ALICE)


@pytest_asyncio.fixture(loop_scope="session")
async def crashing(portal: Portal, sandbox: SandboxControl) -> AsyncIterator[Crashing]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.crashing_worker",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=dict(os.environ),
    )  # fmt: skip
    yield Crashing(process, str(sandbox._client.base_url).rstrip("/"))
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
