"""`/api/v1/notifications`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, get, post

from portico.notifications.notices import mark_read, notices_of
from portico.web import language
from portico.web.shapes import Listing, whole


class NoticeOut(msgspec.Struct, frozen=True):
    id: str
    message: str
    address: str
    created_at: datetime
    read: bool


@get("/api/v1/notifications", access="customer")
async def notifications(request: Request[Any, Any, Any]) -> Listing[NoticeOut]:
    """The newest 50, in the language of Accept-Language."""
    spoken = language(request)
    notices = await notices_of(request.app.state.portal, request.user.customer)
    shown = [
        NoticeOut(str(n.id), n.message.in_language(spoken), n.address, n.created_at, n.read_at is not None)
        for n in notices
    ]
    return whole(shown, request.app.state.portal.clock.now())


@post("/api/v1/notifications/read", access="customer", status_code=204)
async def read_notifications(request: Request[Any, Any, Any]) -> Response[None]:
    await mark_read(request.app.state.portal, request.user.customer)
    return Response(None, status_code=204)


routes = [notifications, read_notifications]
