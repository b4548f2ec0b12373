"""One stand-in on a real socket of its own, for tests of that stand-in alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from litestar.types import ASGIApp

from portico_sandbox import ports
from portico_sandbox.sandbox import Sandbox, open_sandbox
from portico_sandbox.servers import Listener, serving
from portico_sandbox.settings import Settings


def fresh_sandbox(folder: Path, **changes: Any) -> Sandbox:
    return open_sandbox(Settings(folder=folder, **changes))


@asynccontextmanager
async def client_of(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose base address is the app's; redirects are not followed."""
    sockets = ports.bind(0, "a test")
    for extra in sockets[1:]:  # port 0 gives each family a port of its own
        extra.close()
    port = sockets[0].getsockname()[1]
    async with (
        serving([Listener(app, sockets[:1])]),
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


class FreebitCaller:
    """Calls the Freebit stand-in as the vendor's document says: a form with one field `json`."""

    def __init__(self, client: httpx2.AsyncClient, auth_key: str = "") -> None:
        self.client = client
        self.auth_key = auth_key

    async def sign_in(self, sandbox: Sandbox) -> FreebitCaller:
        settings = sandbox.settings
        answer = await self.call("/authOem/", oemId=settings.freebit_oem_id, oemKey=settings.freebit_oem_key)
        self.auth_key = str(answer["authKey"])
        return self

    async def call(self, path: str, **document: Any) -> dict[str, Any]:
        body = {"authKey": self.auth_key, **document} if self.auth_key else document
        answer = await self.client.post(f"/emptool/api{path}", data={"json": json.dumps(body)})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def activate(self, eid: str, **more: Any) -> dict[str, Any]:
        return await self.call("/mvno/esim/addAcnt/", **{"addKind": "N", "eid": eid, "planCode": "PTC_V_3G", **more})

    async def details(self, account: str) -> dict[str, Any]:
        asked = [{"kind": "MVNO", "account": account}]
        answer = await self.call("/mvno/getDetail/", requestDatas=asked)
        assert pair_of(answer) == "100-200", answer
        first: dict[str, Any] = answer["responseDatas"][0]
        return first


def pair_of(answer: dict[str, Any]) -> str:
    return f"{answer['resultCode']}-{answer['status']['statusCode']}"
