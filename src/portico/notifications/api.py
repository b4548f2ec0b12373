"""`/api/v1/notifications`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get, post

from portico.notifications.notices import mark_read, notices_of
from portico.web import language
from portico.web.shapes import Listing, Moment, whole


class NoticeOut(msgspec.Struct, frozen=True):
    """`address` is the page of the portal that it is about."""

    id: str
    message: str
    address: str
    created_at: Moment
    read: bool


@get(
    "/api/v1/notifications",
    access="customer",
    operation_id="list_notifications",
    summary="What the portal has told the customer",
)
async def notifications(request: Request[Any, Any, Any]) -> Listing[NoticeOut]:
    """The newest 50, in the language of Accept-Language."""
    spoken = language(request)
    notices = await notices_of(request.app.state.portal, request.user.customer)
    shown = [
        NoticeOut(str(n.id), n.message.in_language(spoken), n.address, n.created_at, n.read_at is not None)
        for n in notices
    ]
    return whole(shown, request.app.state.portal.clock.now())


@post(
    "/api/v1/notifications/read",
    access="customer",
    operation_id="mark_notifications_read",
    summary="Mark all as read",
    status_code=204,
)
async def read_notifications(request: Request[Any, Any, Any]) -> Response[None]:
    """Those that come later are unread again."""
    await mark_read(request.app.state.portal, request.user.customer)
    return Response(None, status_code=204)


routes = [notifications, read_notifications]
