"""The whole way over the API, as an app on a phone would walk it: docs/api.md, command by command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2

from tests.api.contract import Contract
from tests.api.walk import Walk
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.servers import Servers

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


async def test_the_documented_walk(
    app: Any, live: httpx2.AsyncClient, sandbox: SandboxControl, servers: Servers
) -> None:
    app.state.live.stopping.clear()  # streams go on, as they do for customers
    portal = str(live.base_url).rstrip("/")
    panel = f"http://127.0.0.1:{servers.ports['control panel and mailbox']}"
    async with Walk({"PORTAL": portal, "PANEL": panel}) as walk:
        walk.contract = Contract((await live.get("/api/v1/openapi.json")).json())
        await walk.play(PAGE.read_text())
        said = walk.variables

    assert re.fullmatch("801[0-9A-Za-z]{15}", said["ORDER"])
    assert len(await sandbox.ledger("salesforce", "create Order")) == 1  # the same key twice
    assert len(await sandbox.ledger("whmcs", "AddOrder")) == len(await sandbox.ledger("freebit")) == 1
    assert len(await sandbox.ledger("salesforce", "create Case")) == 1
    await opens_once(said["PAY_LINK"], f"/viewinvoice.php?id={said['INVOICE']}")


async def opens_once(link: str, at: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as browser:
        landed = await browser.get(link)
        assert landed.headers["location"] == at
        assert (await browser.get(link)).status_code == 403
