"""The Salesforce stand-in on real sockets, and connections of the portal to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portico.settings import SalesforceFields, SalesforceSettings
from portico.systems.salesforce.client import Salesforce, build_salesforce
from portico_sandbox import ports
from portico_sandbox.dials import Dial, Mode
from portico_sandbox.salesforce import control, pubsub
from portico_sandbox.salesforce.app import build_app
from portico_sandbox.salesforce.keys import Keys
from portico_sandbox.salesforce.seed import seed
from portico_sandbox.sandbox import Sandbox, open_sandbox
from portico_sandbox.servers import Listener, serving
from portico_sandbox.settings import Settings
from portico_sandbox.store import Row
from portico_sandbox.world import PORTAL_PRICEBOOK_ID
from portico_sandbox.world_types import Person
from tests.fixtures.servers import free_ports


@dataclass
class StandIn:
    sandbox: Sandbox
    keys: Keys

    async def reset(self) -> None:
        self.sandbox.dials.clear()
        self.sandbox.store.clear()
        seed(self.sandbox)
        for start_over in self.sandbox.on_reset:
            await start_over()

    def dial(self, mode: Mode, call: str = "*", times: int | None = None, **more: Any) -> None:
        self.sandbox.dials.turn(Dial("salesforce", mode, call, times, **more))

    def pubsub_dial(self, mode: Mode, call: str = "*", times: int | None = None, **more: Any) -> None:
        self.sandbox.dials.turn(Dial("pubsub", mode, call, times, **more))

    async def press(self, button: str, **fields: str) -> Row:
        pressed = next(each for each in control.BUTTONS if each.name == button)
        return await pressed.press(self.sandbox, fields)

    def ledger(self, effect: str) -> list[Any]:
        return [line for line in self.sandbox.ledger.lines() if line["effect"] == effect]

    def person(self, role: str, place: int = 0) -> Person:
        return [person for person in self.sandbox.world.people if person.role == role][place]

    def settings(self, *, tls: bool = False, **changes: Any) -> SalesforceSettings:
        of_sandbox = self.sandbox.settings
        port = of_sandbox.salesforce_tls_port if tls else of_sandbox.salesforce_port
        pubsub_port = of_sandbox.pubsub_tls_port if tls else of_sandbox.pubsub_port
        values = {
            "login_url": f"{'https' if tls else 'http'}://127.0.0.1:{port}",
            "client_id": of_sandbox.salesforce_client_id,
            "username": of_sandbox.salesforce_username,
            "private_key_path": self.keys.salesforce_key,
            "pricebook_id": PORTAL_PRICEBOOK_ID,
            "pubsub_address": f"127.0.0.1:{pubsub_port}",
            "pubsub_tls": tls,
            "ca_path": self.keys.authority if tls else None,
            "read_seconds": 2.0,
            "write_seconds": 1.0,
        }
        return SalesforceSettings(**{**values, **changes})

    @asynccontextmanager
    async def connection(self, *, tls: bool = False, **changes: Any) -> AsyncIterator[Salesforce]:
        fields = changes.pop("fields", SalesforceFields())
        sf = build_salesforce(self.settings(tls=tls, **changes), fields, "JPY")
        try:
            yield sf
        finally:
            await sf.aclose()


@asynccontextmanager
async def stand_in_at(folder: Path) -> AsyncIterator[StandIn]:
    sandbox = open_sandbox(Settings(folder=folder, port_base=free_ports().base))
    keys = Keys(folder)
    seed(sandbox)
    app = build_app(sandbox)
    settings = sandbox.settings
    listeners = [
        Listener(app, ports.bind(settings.salesforce_port, "a test")),
        Listener(app, ports.bind(settings.salesforce_tls_port, "a test"), keys),
    ]
    server = await pubsub.start(sandbox)
    try:
        async with serving(listeners):
            yield StandIn(sandbox, keys)
    finally:
        await server.stop(None)
