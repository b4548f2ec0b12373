"""One stand-in for all tests of this folder; its world starts over for each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from pytest import TempPathFactory

from portico.systems.salesforce.client import Salesforce
from tests.systems.salesforce.stand_in import StandIn, stand_in_at


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_stand_in(tmp_path_factory: TempPathFactory) -> AsyncIterator[StandIn]:
    async with stand_in_at(tmp_path_factory.mktemp("salesforce")) as stand_in:
        yield stand_in


@pytest_asyncio.fixture(loop_scope="session")
async def org(running_stand_in: StandIn) -> StandIn:
    await running_stand_in.reset()
    return running_stand_in


@pytest_asyncio.fixture(loop_scope="session")
async def sf(org: StandIn) -> AsyncIterator[Salesforce]:
    async with org.connection() as connection:
        yield connection
