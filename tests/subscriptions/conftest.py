"""The whole app before true servers and the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from portico.settings import Settings
from tests.billing.guests import House


@pytest.fixture
def house(app: Any, settings: Settings) -> House:
    return House(app, settings)
