"""ASGI apps on sockets of ours, beside other servers of the same event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from litestar.types import ASGIApp

from portico_sandbox.salesforce.keys import Keys

_GRACE_SECONDS = 1
"""What a hung answer or an open stream is given at the end; then it is cancelled."""

_IDLE_SECONDS = 900
"""Far longer than a caller pauses: a connection that we close while the next request is under way fails that one."""


@dataclass(frozen=True)
class Listener:
    app: ASGIApp
    sockets: list[socket.socket]
    tls: Keys | None = None
    is_second: bool = False
    """Another listener already serves this app: its start and stop are that one's business."""


@asynccontextmanager
async def serving(listeners: list[Listener]) -> AsyncIterator[None]:
    """Serves until the block ends, then stops all of them at once."""
    logging.getLogger("uvicorn.error").addFilter(_is_no_farewell)
    servers = [_Server(_config(listener)) for listener in listeners]
    async with asyncio.TaskGroup() as tasks:
        for server, listener in zip(servers, listeners, strict=True):
            tasks.create_task(server.serve(sockets=listener.sockets))
        try:
            await _all_started(servers)
            yield
        finally:
            for server in servers:
                server.should_exit = True


class _Server(uvicorn.Server):
    """Leaves the process's signals to whoever runs it: several servers share one loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(listener: Listener) -> uvicorn.Config:
    return uvicorn.Config(
        listener.app,
        http="httptools",
        ws="none",
        lifespan="off" if listener.is_second else "on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_IDLE_SECONDS,
        ssl_certfile=listener.tls.server_certificate if listener.tls else None,
        ssl_keyfile=listener.tls.server_key if listener.tls else None,
    )


def _is_no_farewell(record: logging.LogRecord) -> bool:
    """False for what uvicorn logs of the hung answers that it cancels at the end: they are there on purpose."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and not str(record.msg).startswith("Cancel ")


async def _all_started(servers: list[_Server]) -> None:
    while not all(server.started for server in servers):  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)
