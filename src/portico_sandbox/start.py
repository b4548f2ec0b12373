"""Starts every stand-in in one process and one event loop, and stops them without waiting for anybody."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from portico_sandbox import ports, stand_ins
from portico_sandbox.freebit.app import build_app as freebit_app
from portico_sandbox.mailbox import smtp
from portico_sandbox.panel.app import build_app as panel_app
from portico_sandbox.salesforce import pubsub
from portico_sandbox.salesforce.app import build_app as salesforce_app
from portico_sandbox.salesforce.keys import ensure_keys
from portico_sandbox.sandbox import Sandbox, open_sandbox
from portico_sandbox.servers import Listener, serving
from portico_sandbox.settings import Settings
from portico_sandbox.whmcs.app import build_app as whmcs_app


@asynccontextmanager
async def running_sandbox(settings: Settings) -> AsyncIterator[Sandbox]:
    """The whole sandbox, answering on all its ports while the block runs. Raises ports.PortTaken."""
    async with AsyncExitStack() as stack:
        sockets = ports.bind_all(_purposes(settings))
        stack.callback(ports.close_all, sockets)
        sandbox = _opened(settings)
        stack.callback(sandbox.store.close)
        await stack.enter_async_context(serving(_listeners(sandbox, sockets)))
        for server in await smtp.serve(sandbox, sockets[settings.smtp_port]):
            stack.callback(server.close)
        # grpc binds by itself: its ports were only reserved until here.
        for port in (settings.pubsub_port, settings.pubsub_tls_port):
            ports.close(sockets[port])
        streams = await pubsub.start(sandbox)
        stack.push_async_callback(streams.stop, None)
        yield sandbox


async def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT."""
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    async with running_sandbox(settings):
        print(f"sandbox ready: http://localhost:{settings.control_port}", flush=True)
        await told_to_stop.wait()


def _opened(settings: Settings) -> Sandbox:
    sandbox = open_sandbox(settings)
    if sandbox.store.get("sandbox", "seeded") is None:
        # Empty, or a start that was killed while it seeded.
        sandbox.store.clear()
        stand_ins.seed(sandbox)
    return sandbox


def _listeners(sandbox: Sandbox, sockets: dict[int, ports.Sockets]) -> list[Listener]:
    settings, keys = sandbox.settings, ensure_keys(sandbox.settings.folder)
    salesforce = salesforce_app(sandbox)
    panel = panel_app(sandbox, stand_ins.BUTTONS, stand_ins.reset)
    return [
        Listener(panel, sockets[settings.control_port]),
        Listener(salesforce, sockets[settings.salesforce_port]),
        Listener(salesforce, sockets[settings.salesforce_tls_port], tls=keys, is_second=True),
        Listener(whmcs_app(sandbox), sockets[settings.whmcs_port]),
        Listener(freebit_app(sandbox), sockets[settings.freebit_port]),
    ]


def _purposes(settings: Settings) -> dict[int, str]:
    return {
        settings.control_port: "control panel",
        settings.salesforce_port: "Salesforce",
        settings.salesforce_tls_port: "Salesforce, TLS",
        settings.pubsub_port: "Pub/Sub",
        settings.pubsub_tls_port: "Pub/Sub, TLS",
        settings.whmcs_port: "WHMCS",
        settings.freebit_port: "Freebit",
        settings.smtp_port: "mailbox",
    }
