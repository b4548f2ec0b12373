"""Calls the WHMCS stand-in as its manual says, and receives what it posts."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from litestar import Litestar, Request, Response, post
from standardwebhooks.webhooks import Webhook

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.app import build_app
from portico_sandbox.whmcs.seed import seed
from tests.sandbox.serving_apps import client_of, fresh_sandbox

ALPHA = {
    "firstname": "Alpha",
    "lastname": "Tester",
    "email": "alpha@portal.test",
    "address1": "1-2-3 Chiyoda",
    "city": "千代田区",
    "state": "東京都",
    "postcode": "100-0001",
    "country": "JP",
    "phonenumber": "0312345678",
    "password2": "a-long-random-one",
}
KEN, KEN_EMAIL = 4011, "ken.tanaka@mail.example"
ALICE = 4012


def serialized(values: dict[int, str]) -> str:
    """Base64 of the PHP-serialized map, as a client would build it."""
    pairs = "".join(f'i:{key};s:{len(text.encode())}:"{text}";' for key, text in values.items())
    return base64.b64encode(f"a:{len(values)}:{{{pairs}}}".encode()).decode()


@dataclass
class Caller:
    sandbox: Sandbox
    http: httpx2.AsyncClient

    async def send(self, action: str, **params: Any) -> httpx2.Response:
        settings = self.sandbox.settings
        signed = {"identifier": settings.whmcs_identifier, "secret": settings.whmcs_secret, "responsetype": "json"}
        form = {"action": action, **signed, **{name: str(value) for name, value in params.items()}}
        return await self.http.post("/includes/api.php", data=form)

    async def ok(self, action: str, **params: Any) -> dict[str, Any]:
        answer = await self.send(action, **params)
        found: dict[str, Any] = answer.json()
        assert answer.status_code == 200, found
        assert found["result"] == "success", found
        return found

    async def refused(self, action: str, **params: Any) -> str:
        answer = await self.send(action, **params)
        found: dict[str, Any] = answer.json()
        assert answer.status_code == 200, found
        assert found["result"] == "error", found
        return str(found["message"])


@asynccontextmanager
async def whmcs_open(folder: Path, **settings: Any) -> AsyncIterator[Caller]:
    """The stand-in with the seeded world. Where no `portal_url` is given its hooks find nobody."""
    sandbox = fresh_sandbox(folder, **{"portal_url": "http://127.0.0.1:9", **settings})
    seed(sandbox)
    async with client_of(build_app(sandbox)) as http:
        yield Caller(sandbox, http)


@dataclass
class HookReceiver:
    """Stands where the portal would: verifies each event with the public library and keeps it."""

    secret: str
    url: str = ""
    refuse: int = 0  # answer so many events with 503 first
    events: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    arrival: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for(self, *names: str) -> None:
        async with asyncio.timeout(5):
            while not set(names) <= set(self.names):
                self.arrival.clear()
                await self.arrival.wait()

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        self.ids.append(headers["webhook-id"])
        if self.refuse:
            self.refuse -= 1
            return 503
        self.events.append(Webhook(self.secret).verify(body, headers))
        self.arrival.set()
        return 202


@asynccontextmanager
async def hook_receiver(secret: str) -> AsyncIterator[HookReceiver]:
    receiver = HookReceiver(secret)

    @post("/hooks/whmcs")
    async def receive(request: Request[Any, Any, Any]) -> Response[bytes]:
        return Response(b"", status_code=receiver.take(dict(request.headers), await request.body()))

    async with client_of(Litestar([receive], logging_config=None, openapi_config=None)) as http:
        receiver.url = str(http.base_url).rstrip("/")
        yield receiver
