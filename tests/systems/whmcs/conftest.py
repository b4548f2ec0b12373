"""The WHMCS stand-in on a socket of its own, and our client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portico.settings import WhmcsSettings
from portico.systems.whmcs.client import Whmcs, build_whmcs
from portico_sandbox import ports
from portico_sandbox.sandbox import Sandbox, open_sandbox
from portico_sandbox.servers import Listener, serving
from portico_sandbox.settings import Settings
from portico_sandbox.whmcs.app import build_app
from portico_sandbox.whmcs.seed import seed
from portico_sandbox.whmcs.switches import turn
from portico_sandbox.world import World
from tests.fixtures.servers import free_ports


@pytest.fixture(scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    folder: Path = tmp_path_factory.mktemp("whmcs")
    # Hooks go to a closed port: here nobody waits for them.
    sandbox = open_sandbox(Settings(port_base=free_ports().base, folder=folder, portal_url="http://127.0.0.1:9"))
    async with serving([Listener(build_app(sandbox), ports.bind(sandbox.settings.whmcs_port, "WHMCS"))]):
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Iterator[Sandbox]:
    served.dials.clear()
    served.store.clear()
    seed(served)
    yield served
    served.dials.clear()


@pytest.fixture
async def whmcs(sandbox: Sandbox) -> AsyncIterator[Whmcs]:
    whmcs = build_whmcs(settings_for(sandbox))
    yield whmcs
    await whmcs.aclose()


@pytest.fixture
def switch(sandbox: Sandbox) -> Callable[[str, str], Any]:
    return lambda name, value: turn(sandbox, name, value)


def settings_for(sandbox: Sandbox, **changes: Any) -> WhmcsSettings:
    fields = {
        f"field_{name}": {str(product.whmcs_product_id): product.whmcs_field(name) for product in World().products}
        for name in ("order_item", "line_number", "eid", "iccid")
    }
    given = {
        "url": f"http://localhost:{sandbox.settings.whmcs_port}",
        "identifier": sandbox.settings.whmcs_identifier,
        "secret": sandbox.settings.whmcs_secret,
        "hook_secrets": sandbox.settings.whmcs_hook_secret,
        "read_seconds": 2,
        "write_seconds": 2,
    }
    return WhmcsSettings(**{**given, **fields, **changes})
