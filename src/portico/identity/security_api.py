"""The JSON face of passwords and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from portico.identity.devices import devices_of, sign_out_device, sign_out_others
from portico.identity.forgotten import ask_for_password_mail
from portico.identity.password_change import change_password
from portico.identity.password_links import set_password
from portico.identity.sessions import session_cookie, token_of
from portico.identity.visitors import visitor_of
from portico.portal import Portal
from portico.web import language, read_json
from portico.web.shapes import Listing, whole


class ForgottenBody(Struct):
    email: str = ""


class NewPasswordBody(Struct):
    token: str = ""
    new_password: str = ""


class ChangeBody(Struct):
    current_password: str = ""
    new_password: str = ""


class SessionOut(Struct, frozen=True):
    id: str
    is_current: bool
    device: str
    source: str
    created_at: datetime
    last_seen_at: datetime


@post("/auth/password/forgotten", access="public", status_code=204)
async def post_forgotten(request: Request[Any, Any, Any]) -> None:
    """204 whether there is such an account or not: if there is, a mail with a link is on its way."""
    body = await read_json(request, ForgottenBody)
    await ask_for_password_mail(_portal(request), body.email, visitor_of(request))


@post("/auth/password", access="public", status_code=200)
async def post_password(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Sets a password with the token of a link, and begins the one session that there is from now on."""
    body = await read_json(request, NewPasswordBody)
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    done = await set_password(portal, body.token, body.new_password, visitor_of(request), replaces=token)
    cookie = session_cookie(portal.settings, done.token)
    return Response({"user_id": str(done.user_id), "email": done.email}, status_code=200, cookies=[cookie])


@post("/me/password", access="customer", status_code=204)
async def post_change(request: Request[Any, Any, Any]) -> Response[None]:
    """All sessions end; this client goes on with a new one."""
    body = await read_json(request, ChangeBody)
    portal, visitor = _portal(request), visitor_of(request)
    token = await change_password(portal, request.user, body.current_password, body.new_password, visitor)
    return Response(None, status_code=204, cookies=[session_cookie(portal.settings, token)])


@get("/sessions", access="customer")
async def get_sessions(request: Request[Any, Any, Any]) -> Listing[SessionOut]:
    spoken = language(request)
    devices = await devices_of(_portal(request), request.user)
    shown = [
        SessionOut(
            id=str(device.session_id),
            is_current=device.is_this,
            device=device.device.in_language(spoken),
            source=device.source,
            created_at=device.since,
            last_seen_at=device.last_seen,
        )
        for device in devices
    ]
    return whole(shown, None)


@post("/sessions/{session_id:uuid}/end", access="customer", ids={"session_id": "session"}, status_code=204)
async def post_end_one(request: Request[Any, Any, Any], session_id: FromPath[UUID]) -> None:
    await sign_out_device(_portal(request), request.user, session_id)


@post("/sessions/end-others", access="customer", status_code=200)
async def post_end_others(request: Request[Any, Any, Any]) -> dict[str, int]:
    """How many sessions ended."""
    return {"ended": await sign_out_others(_portal(request), request.user)}


handlers: list[HTTPRouteHandler] = [
    post_forgotten,
    post_password,
    post_change,
    get_sessions,
    post_end_one,
    post_end_others,
]


def _portal(request: Request[Any, Any, Any]) -> Portal:
    portal: Portal = request.app.state.portal
    return portal
