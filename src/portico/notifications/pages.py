"""`/notifications`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post

from portico.i18n import _m
from portico.notifications.notices import mark_read, notices_of
from portico.web import redirect, render

ALL_READ = _m("All marked as read.")


@get("/notifications", access="customer", include_in_schema=False)
async def notices_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    notices = await notices_of(request.app.state.portal, request.user.customer)
    return render(
        request, "notifications/notices.html", notices=notices, unread=any(n.read_at is None for n in notices)
    )


@post("/notifications/read", access="customer", status_code=303, include_in_schema=False)
async def read_all(request: Request[Any, Any, Any]) -> Response[bytes]:
    await mark_read(request.app.state.portal, request.user.customer)
    return redirect(request, "/notifications", ALL_READ)


pages = [notices_page, read_all]
