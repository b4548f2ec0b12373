"""The trial app with a client before it; no server is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from portico.settings import Settings, read_settings
from tests.web.trial import client_of, trial_app


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PORTAL_DEMO", "true")
    return read_settings()


@pytest_asyncio.fixture(loop_scope="session")
async def client(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(trial_app(settings)) as the_client:
        yield the_client
