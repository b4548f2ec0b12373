"""The ASGI app of the WHMCS stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from litestar import Litestar
from litestar.datastructures import State

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.api import api_php
from portico_sandbox.whmcs.hooks import Deliverer
from portico_sandbox.whmcs.pages import PAGES


def build_app(sandbox: Sandbox) -> Litestar:
    """API, client area and the deliverer of hooks, which lives as long as the app does."""

    @asynccontextmanager
    async def delivering(_: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(Deliverer(sandbox).run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return Litestar(
        [api_php, *PAGES],
        lifespan=[delivering],
        state=State({"sandbox": sandbox}),
        logging_config=None,
        openapi_config=None,
    )
