"""A shop whose orders are fulfilled: the portal without its pages, before true servers and the sandbox."""

from __future__ import annotations

import pytest
import pytest_asyncio

from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.orders.shop import ALICE, QUICK, Shop, known


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, **QUICK})


@pytest_asyncio.fixture(loop_scope="session")
async def shop(portal: Portal, sandbox: SandboxControl) -> Shop:
    return Shop(portal, sandbox, await known(portal, ALICE), ALICE)
