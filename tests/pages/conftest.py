"""Every page and every read of the API before the whole app, without a cache: what is shown is what was just read."""

from __future__ import annotations

import pytest

from portico.settings import Settings
from portico.systems.breaker import Breaker
from tests.fixtures.portal import ReadSettings
from tests.house.conftest import door

__all__ = ["door"]


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    """No copy can stand in for a system that is away."""
    return read({**environment, "REDIS_URL": ""})


@pytest.fixture(autouse=True)
def asks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The breaker would spare most pages the system that is away: here each of them meets it."""
    monkeypatch.setattr("portico.systems.http.Breaker", lambda *limits: Breaker(10**6, *limits[1:]))
