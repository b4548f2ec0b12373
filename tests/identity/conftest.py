"""The doors of identity alone: an app with its pages and API, before true servers and the sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from litestar import Litestar
from sqlalchemy import text

from portico import work
from portico.cache import Cache
from portico.clock import Clock
from portico.db import Database, Notices
from portico.identity import forgotten, linking
from portico.identity.api import api
from portico.identity.pages import pages
from portico.identity.saga import finish
from portico.identity.sessions import SessionMiddleware, Sessions, use_sessions
from portico.mail import Mail
from portico.portal import Portal
from portico.settings import Settings
from portico.systems.freebit.client import build_freebit
from portico.systems.salesforce.client import build_salesforce
from portico.systems.whmcs.client import build_whmcs
from portico.web import web_parts
from tests.fixtures.browser import Browser
from tests.fixtures.lifespan import lifespan


@dataclass
class Process:
    """What one web process holds."""

    app: Any
    portal: Portal
    notices: Notices

    @property
    def sessions(self) -> Sessions:
        sessions: Sessions = self.app.state.sessions
        return sessions

    def client(self, source: str = "127.0.0.1", **headers: str) -> httpx2.AsyncClient:
        url = self.portal.settings.portal.url
        transport = httpx2.ASGITransport(app=self.app, client=(source, 50000))
        return httpx2.AsyncClient(transport=transport, base_url=url, headers={"origin": url, **headers})

    def browser(self) -> Browser:
        return Browser(self.client(), self.portal.settings.portal.url)

    async def rows(self, query: str, **values: object) -> list[dict[str, Any]]:
        async with self.portal.db.begin() as tx:
            return [dict(row) for row in (await tx.execute(text(query), values)).mappings()]

    async def finish_sign_ups(self) -> None:
        """What the jobs do, without the wait for them."""
        for row in await self.rows("SELECT id FROM sign_ups WHERE state IN ('creating', 'joined')"):
            await finish(self.portal, row["id"])

    async def finish_links(self) -> None:
        for row in await self.rows("SELECT id FROM links WHERE state = 'joined'"):
            await linking.finish(self.portal, row["id"])

    async def send_password_mails(self) -> None:
        for row in await self.rows("SELECT id FROM password_mails"):
            await forgotten.send(self.portal, row["id"])


Start = Callable[[Settings], AbstractAsyncContextManager[Process]]


@pytest.fixture
def start() -> Start:
    """Starts a web process with these settings, as many as wanted."""
    return _started


@pytest_asyncio.fixture(loop_scope="session")
async def process(settings: Settings) -> AsyncIterator[Process]:
    async with _started(settings) as process:
        work.use_portal(process.portal)
        yield process
        work.use_portal(None)


@contextlib.asynccontextmanager
async def _started(settings: Settings) -> AsyncIterator[Process]:
    portal, notices = built(settings)
    app = Litestar(
        route_handlers=[*pages, api], middleware=[SessionMiddleware()], openapi_config=None, **web_parts(settings)
    )
    app.state.portal = portal
    use_sessions(app.state, portal, notices)
    await notices.start()
    async with lifespan(app):
        yield Process(app, portal, notices)
    await notices.aclose()
    for part in (portal.cache, portal.whmcs, portal.salesforce, portal.freebit, portal.db):
        await part.aclose()


def built(settings: Settings) -> tuple[Portal, Notices]:
    clock, notices = Clock(), Notices(settings.database.direct)
    db = Database(settings.database.url.get_secret_value())
    cache = Cache(settings.redis.url, settings.redis.timeout_seconds, db, clock, notices)
    salesforce = build_salesforce(settings.salesforce, settings.salesforce_fields, settings.portal.currency)
    mail = Mail(settings.mail, settings.portal)
    whmcs, freebit = build_whmcs(settings.whmcs), build_freebit(settings.freebit)
    return Portal(settings, db, cache, whmcs, salesforce, freebit, mail, clock), notices
