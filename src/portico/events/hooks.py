"""`POST /hooks/whmcs`: verifies, stores, answers; nothing else. What it means is read again later."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Request, Response, post
from sqlalchemy.exc import SQLAlchemyError

from portico import inbox
from portico.errors import Busy
from portico.events.drain import defer_drain
from portico.events.drops import drops_of
from portico.inbox import NewEvent
from portico.portal import Portal
from portico.systems.whmcs.webhooks import MAX_BYTES, HookEvent, verify

log = structlog.get_logger()


@post("/hooks/whmcs", access="hook", status_code=202, request_max_body_size=MAX_BYTES)
async def whmcs_hook(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answers 202 after our commit, also for a duplicate and for an event that we do not know."""
    portal: Portal = request.app.state.portal
    event = verify(portal.settings.whmcs, dict(request.headers.items()), await request.body())
    await _store(portal, event)
    return Response(b"", status_code=202, media_type="text/plain")


async def _store(portal: Portal, hook: HookEvent) -> None:
    body = {"whmcs_client_id": hook.whmcs_client_id, "ids": hook.ids}
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        if not await inbox.receive(tx, now, [NewEvent("whmcs", hook.id, hook.event, body)]):
            return
        await defer_drain(tx)
    # The customer's next read must not wait for a worker; the drain is the guarantee.
    event = inbox.Event(0, "whmcs", hook.id, hook.event, body, now, 0, 0)
    try:
        await (await drops_of(portal, [event])).make(portal)
    except (SQLAlchemyError, Busy, OSError) as error:
        log.warning("events.hook.not_dropped", kind=hook.event, error=type(error).__name__)
