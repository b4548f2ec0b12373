"""The processes of a running portal: web (Granian), worker and listener."""

from __future__ import annotations

import os
from typing import Any

from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from portico.orders.live import STREAMS_END
from portico.settings import Settings

OPEN_AT_ONCE = 4096
"""Granian counts open streams of server-sent events too: well above what the portal allows."""

STOP_SECONDS = 5


def serve(settings: Settings, *, host: str, workers: int) -> None:
    """Serves until SIGINT or SIGTERM; requests under way get STOP_SECONDS."""
    _Server(
        "portico.app:create_app",
        factory=True,
        address=host,
        port=settings.portal.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=workers,
        websockets=False,
        backlog=OPEN_AT_ONCE * workers,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        log_level=LogLevels.warning,
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
    ).serve()


class _Server(MPServer):
    """Tells its workers to end their streams before it stops them: they would be waited for till they are killed.

    `wrks` is no public name of Granian's: its version is pinned, and a test stops a server with a stream open.
    """

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        for worker in self.wrks:
            if worker.inner.pid and worker.inner.exitcode is None:
                os.kill(worker.inner.pid, STREAMS_END)
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]
