"""Portal users for tests of billing, services and profile: signed in at the front door, the sandbox behind it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx2
from prometheus_client import REGISTRY

from portico.customer import Customer, SfAccountId, UserId, WhmcsClientId
from portico.identity.seed import seed_people
from portico.portal import Portal
from portico.settings import Settings
from portico_sandbox import ports
from portico_sandbox.servers import Listener, serving
from portico_sandbox.world_customers import READY
from portico_sandbox.world_types import Person
from tests.fixtures.browser import Browser

KEN, ALICE, SAKURA, COMPANY, TSUBASA, DANIEL, YUKO, ISABELLA = READY[:8]
"""11 invoices, one unpaid · none · one, no card · 300 · the card has expired · overdue · ten · credit."""
GRACE = READY[9]
"""No card, no invoice."""


def customer_of(person: Person) -> Customer:
    user_id = UserId(uuid5(NAMESPACE_URL, f"mailto:{person.email}"))
    return Customer(user_id, WhmcsClientId(person.whmcs_client_id or 0), SfAccountId(person.sf_account_id))


async def move_in(portal: Portal, *people: Person) -> None:
    """Makes them portal users."""
    ready = [
        {
            "email": person.email,
            "password": person.password,
            "name": person.name,
            "whmcs_client_id": person.whmcs_client_id,
            "sf_account_id": person.sf_account_id,
        }
        for person in people
    ]
    await seed_people(portal, {"customers": {"ready": ready}, "staff": []})


@dataclass
class House:
    """The app, started, and doors to it."""

    app: Any
    settings: Settings

    @property
    def portal(self) -> Portal:
        portal: Portal = self.app.state.portal
        return portal

    def client(self) -> httpx2.AsyncClient:
        url = self.settings.portal.url
        transport = httpx2.ASGITransport(app=self.app, client=("127.0.0.1", 50002))
        return httpx2.AsyncClient(transport=transport, base_url=url, headers={"origin": url})

    async def enter(self, person: Person) -> Browser:
        """A browser in which this person has signed in; `browser.client` is the same person at the API."""
        await move_in(self.portal, person)
        browser = Browser(self.client(), self.settings.portal.url)
        body = {"email": person.email, "password": person.password}
        answer = await browser.client.post("/api/v1/auth/sign-in", json=body)
        assert answer.status_code == 200, answer.text
        return browser

    @contextlib.asynccontextmanager
    async def open_to_hooks(self) -> AsyncIterator[None]:
        """Served on its own port as well, so that hooks of the sandbox arrive."""
        listener = Listener(self.app, ports.bind(self.settings.portal.port, "a portal in a test"), is_second=True)
        async with serving([listener]):
            yield


def calls(name: str) -> int:
    """How often this process has asked a system for this so far."""
    found = 0.0
    for metric in REGISTRY.collect():
        if metric.name == "portico_upstream_seconds":
            samples = (s for s in metric.samples if s.name.endswith("_count") and s.labels["call"] == name)
            found += sum(sample.value for sample in samples)
    return int(found)
