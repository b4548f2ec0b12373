"""The JSON face of passwords and sessions."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from portico.errors import PasswordLinkWrong, TooManyTries
from portico.identity.devices import devices_of, sign_out_device, sign_out_others
from portico.identity.forgotten import ask_for_password_mail
from portico.identity.password_change import change_password
from portico.identity.password_links import set_password
from portico.identity.sessions import session_cookie, token_of
from portico.identity.visitors import visitor_of
from portico.portal import Portal
from portico.web import language, read_json
from portico.web.shapes import Body, Listing, Moment, Wanted, whole


class ForgottenBody(Body):
    """The address with which one signs in."""

    email: Wanted = ""


class NewPasswordBody(Body):
    """`token`: of the link in the mail, or as linking answers it."""

    token: Wanted = ""
    new_password: Wanted = ""


class ChangeBody(Body):
    """Both of the portal."""

    current_password: Wanted = ""
    new_password: Wanted = ""


class SessionOut(Struct, frozen=True):
    """`source` is the network address that it began from; `last_seen_at` is right to about a minute."""

    id: str
    is_current: bool
    device: str
    source: str
    created_at: Moment
    last_seen_at: Moment


class EndedOut(Struct, frozen=True):
    """How many sessions ended."""

    ended: Annotated[int, Meta(extra_json_schema={"minimum": 0})]


class EnteredOut(Struct, frozen=True):
    """A session has begun: its cookie comes with this answer."""

    user_id: str
    email: str


@post(
    "/auth/password/forgotten",
    access="public",
    operation_id="forget_password",
    summary="Have a link mailed to set a new password",
    body=ForgottenBody,
    refusals=(TooManyTries,),
    status_code=204,
)
async def post_forgotten(request: Request[Any, Any, Any]) -> None:
    """204 whether there is such an account or not: if there is, a mail with a link is on its way."""
    body = await read_json(request, ForgottenBody)
    await ask_for_password_mail(_portal(request), body.email, visitor_of(request))


@post(
    "/auth/password",
    access="public",
    operation_id="set_password",
    summary="Set a password with the token of a link",
    body=NewPasswordBody,
    refusals=(PasswordLinkWrong, TooManyTries),
    status_code=200,
)
async def post_password(request: Request[Any, Any, Any]) -> Response[EnteredOut]:
    """Sets a password with the token of a link, and begins the one session that there is from now on."""
    body = await read_json(request, NewPasswordBody)
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    done = await set_password(portal, body.token, body.new_password, visitor_of(request), replaces=token)
    cookie = session_cookie(portal.settings, done.token)
    return Response(EnteredOut(str(done.user_id), done.email), status_code=200, cookies=[cookie])


@post(
    "/me/password",
    access="customer",
    operation_id="change_password",
    summary="Change the password",
    body=ChangeBody,
    refusals=(TooManyTries,),
    status_code=204,
)
async def post_change(request: Request[Any, Any, Any]) -> Response[None]:
    """All sessions end; this client goes on with a new one."""
    body = await read_json(request, ChangeBody)
    portal, visitor = _portal(request), visitor_of(request)
    token = await change_password(portal, request.user, body.current_password, body.new_password, visitor)
    return Response(None, status_code=204, cookies=[session_cookie(portal.settings, token)])


@get("/sessions", access="customer", operation_id="list_sessions", summary="Where one is signed in")
async def get_sessions(request: Request[Any, Any, Any]) -> Listing[SessionOut]:
    """This session first, then by when they were last seen."""
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
    return whole(shown, _portal(request).clock.now())


@post(
    "/sessions/{session_id:uuid}/end",
    access="customer",
    ids={"session_id": "session"},
    operation_id="end_session",
    summary="Sign out one device",
    status_code=204,
)
async def post_end_one(request: Request[Any, Any, Any], session_id: FromPath[UUID]) -> None:
    """Also this one, where its own id is given."""
    await sign_out_device(_portal(request), request.user, session_id)


@post(
    "/sessions/end-others",
    access="customer",
    operation_id="end_other_sessions",
    summary="Sign out all other devices",
    status_code=200,
)
async def post_end_others(request: Request[Any, Any, Any]) -> EndedOut:
    """This session goes on."""
    return EndedOut(await sign_out_others(_portal(request), request.user))


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
