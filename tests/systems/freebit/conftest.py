"""The Freebit stand-in on a socket of its own, and our client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from portico.settings import FreebitSettings
from portico.systems.freebit.client import Freebit, build_freebit
from portico_sandbox import ports
from portico_sandbox.freebit.app import build_app
from portico_sandbox.freebit.codes import Invented
from portico_sandbox.freebit.seed import seed
from portico_sandbox.sandbox import Sandbox, open_sandbox
from portico_sandbox.servers import Listener, serving
from portico_sandbox.settings import Settings
from tests.fixtures.servers import free_ports


@pytest.fixture(scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    settings = Settings(
        port_base=free_ports().base, folder=tmp_path_factory.mktemp("freebit"), freebit_activation_seconds=600
    )
    sandbox = open_sandbox(settings)
    async with serving([Listener(build_app(sandbox), ports.bind(sandbox.settings.freebit_port, "Freebit"))]):
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Iterator[Sandbox]:
    served.dials.clear()
    served.store.clear()
    seed(served)
    yield served
    served.dials.clear()


@pytest.fixture
async def freebit(sandbox: Sandbox) -> AsyncIterator[Freebit]:
    freebit = build_freebit(settings_for(sandbox))
    yield freebit
    await freebit.aclose()


def settings_for(sandbox: Sandbox, **changes: Any) -> FreebitSettings:
    """The stand-in's codes are invented: as with the real ones, only settings may know them."""
    given = {
        "url": f"http://localhost:{sandbox.settings.freebit_port}/emptool/api",
        "oem_id": sandbox.settings.freebit_oem_id,
        "oem_key": sandbox.settings.freebit_oem_key,
        "master_account": sandbox.settings.freebit_master_account,
        "auth_failure_codes": Invented.AUTH_KEY_WRONG.pair,
        "unknown_account_codes": Invented.ACCOUNT_UNKNOWN.pair,
        "read_seconds": 2,
        "write_seconds": 2,
    }
    return FreebitSettings.model_validate({**given, **changes})
