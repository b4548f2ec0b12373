"""`/profile/security`: where one is signed in, and the password."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from portico.errors import Busy, Refusal
from portico.i18n import _m
from portico.identity.devices import devices_of, sign_out_device, sign_out_others
from portico.identity.password_change import change_password
from portico.identity.password_pages import PASSWORD_SET
from portico.identity.sessions import session_cookie
from portico.identity.visitors import visitor_of
from portico.portal import Portal
from portico.web import Form, read_form, redirect, render

PAGE = "/profile/security"
DEVICE_SIGNED_OUT = _m("That device is signed out.")
OTHERS_SIGNED_OUT = _m("All other devices are signed out.")


@get(PAGE, access="customer", include_in_schema=False)
async def security_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return await _page(request, Form())


@post(
    "/profile/security/sessions/{session_id:uuid}/end",
    access="customer",
    ids={"session_id": "session"},
    include_in_schema=False,
    status_code=303,
)
async def end_one(request: Request[Any, Any, Any], session_id: FromPath[UUID]) -> Response[bytes]:
    await sign_out_device(_portal(request), request.user, session_id)
    if session_id != request.user.session_id:
        return redirect(request, PAGE, DEVICE_SIGNED_OUT)
    answer = redirect(request, "/sign-in", DEVICE_SIGNED_OUT, "info")
    answer.set_cookie(session_cookie(_portal(request).settings, None))
    return answer


@post("/profile/security/sessions/end-others", access="customer", include_in_schema=False, status_code=303)
async def end_others(request: Request[Any, Any, Any]) -> Response[bytes]:
    await sign_out_others(_portal(request), request.user)
    return redirect(request, PAGE, OTHERS_SIGNED_OUT)


@post("/profile/security/password", access="customer", include_in_schema=False, status_code=303)
async def new_password(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal, form = _portal(request), await read_form(request)
    current, new = form.secret("current_password"), form.secret("new_password")
    try:
        token = await change_password(portal, request.user, current, new, visitor_of(request))
    except (Refusal, Busy) as refusal:
        return await _page(request, form.refused(refusal))
    answer = redirect(request, PAGE, PASSWORD_SET)
    answer.set_cookie(session_cookie(portal.settings, token))
    return answer


pages: list[HTTPRouteHandler] = [security_page, end_one, end_others, new_password]


async def _page(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    portal = _portal(request)
    return render(
        request,
        "identity/security.html",
        form=form,
        devices=await devices_of(portal, request.user),
        least_password=portal.settings.identity.password_min_length,
    )


def _portal(request: Request[Any, Any, Any]) -> Portal:
    portal: Portal = request.app.state.portal
    return portal
