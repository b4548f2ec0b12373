"""Builds everything, mounts every router, registers every reaction: the only module that knows all."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from wsgiref.simple_server import WSGIServer

import structlog
from litestar import Litestar
from prometheus_client import start_http_server
from sqlalchemy import text

from portico import log, work
from portico.billing import reactions
from portico.cache import Cache
from portico.clock import Clock
from portico.db import Database, Notices
from portico.events import drain, stream_watch, sweep
from portico.events.drain import Reactions
from portico.events.drops import PROVISION, UNREADABLE
from portico.events.listener import listen
from portico.fulfillment import triggers
from portico.identity.sessions import SessionMiddleware, know_visitor, use_sessions
from portico.mail import Mail
from portico.orders.live import Live
from portico.portal import Portal
from portico.routes import API, ROUTES
from portico.settings import Settings, read_settings
from portico.systems.freebit.client import build_freebit
from portico.systems.salesforce.client import build_salesforce
from portico.systems.whmcs.client import build_whmcs
from portico.web import web_parts
from portico.web.openapi import describe

REACTIONS: Reactions = {
    ("salesforce", "Order"): triggers.order_changed,
    ("salesforce", "OrderItem"): triggers.order_changed,
    ("salesforce", PROVISION): triggers.order_changed,
    ("salesforce", UNREADABLE): triggers.order_changed,
    ("whmcs", "InvoiceCreated"): reactions.invoice_created,
    ("whmcs", "InvoicePaid"): reactions.invoice_paid,
    ("whmcs", "CCUpdate"): triggers.card_stored,
}
"""Foreign event → the domain function that cares. What an event makes stale stands in freshness.py."""

BY_THE_CLOCK = (stream_watch, sweep)
"""Nobody calls them: their jobs are there because they are imported here."""

CLOCK_CHANNEL = "portico_clock"


@dataclass(frozen=True)
class Built:
    """A portal and the LISTEN connection that keeps its copies honest. Not started yet."""

    portal: Portal
    notices: Notices


def build_portal(settings: Settings) -> Built:
    """Makes everything, connects nothing."""
    clock = Clock()
    notices = Notices(settings.database.direct)
    db = Database(
        settings.database.url.get_secret_value(),
        pool_size=settings.database.pool_size,
        pooler=settings.database.direct_url is not None,
    )
    cache = Cache(settings.redis.url, settings.redis.timeout_seconds, db, clock, notices)
    portal = Portal(
        settings=settings,
        db=db,
        cache=cache,
        whmcs=build_whmcs(settings.whmcs),
        salesforce=build_salesforce(settings.salesforce, settings.salesforce_fields, settings.portal.currency),
        freebit=build_freebit(settings.freebit),
        mail=Mail(settings.mail, settings.portal),
        clock=clock,
    )
    return Built(portal, notices)


@contextlib.asynccontextmanager
async def running(built: Built) -> AsyncIterator[Portal]:
    """Listens, follows the shared clock where this is a demo, and closes everything at the end."""
    portal, notices = built.portal, built.notices
    following: set[asyncio.Task[None]] = set()
    if portal.settings.portal.demo:

        def moved(_: str) -> None:
            task = asyncio.create_task(_read_offset(portal))
            following.add(task)
            task.add_done_callback(following.discard)

        notices.on(CLOCK_CHANNEL, moved)
    await notices.start()
    await asyncio.gather(*following)
    metrics = _serve_metrics(portal.settings.portal.metrics_port)
    try:
        yield portal
    finally:
        if metrics:
            await asyncio.to_thread(metrics.shutdown)
            metrics.server_close()
        await notices.aclose()
        for part in (portal.cache, portal.whmcs, portal.salesforce, portal.freebit, portal.db):
            await part.aclose()


def create_app(settings: Settings | None = None, built: Built | None = None) -> Litestar:
    """The web application: pages and API over the same functions."""
    settings = settings or read_settings()
    log.configure("web")
    built = built or build_portal(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.live.stop_when_told()
        async with running(built):
            yield

    app = Litestar(
        route_handlers=ROUTES,
        middleware=[SessionMiddleware()],
        after_exception=[know_visitor],
        lifespan=[lifespan],
        openapi_config=None,
        **web_parts(settings),
    )
    app.state.portal = built.portal
    app.state.notices = built.notices
    use_sessions(app.state, built.portal, built.notices)
    app.state.live = Live(built.notices)
    app.state.openapi = cache(lambda: describe(API, settings))
    return app


async def run_worker(settings: Settings) -> None:
    """Runs jobs until SIGTERM or SIGINT; those under way get their time."""
    log.configure("worker")
    drain.register(REACTIONS)
    async with running(build_portal(settings)) as portal:
        await work.run(portal, _told_to_stop())


async def run_listener(settings: Settings) -> None:
    """Receives change events until SIGTERM or SIGINT."""
    log.configure("listener")
    async with running(build_portal(settings)) as portal:
        await listen(portal, _told_to_stop())


def _serve_metrics(port: int) -> WSGIServer | None:
    """/metrics on loopback, for the operator's collector only."""
    if not port:
        return None
    try:
        server, _ = start_http_server(port, addr="127.0.0.1")
    except OSError as error:  # several web processes share the settings: the first one answers
        structlog.get_logger().warning("metrics.port.taken", port=port, error=type(error).__name__)
        return None
    return server


async def _read_offset(portal: Portal) -> None:
    async with portal.db.begin() as tx:
        seconds = (await tx.execute(text("SELECT seconds FROM clock_offset"))).scalar_one_or_none()
    portal.clock.move_to(seconds or 0)


def _told_to_stop() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, stopping.set)
    return stopping
