"""`/password/…`: have a link sent, and choose a password with it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from portico.errors import Busy, PasswordLinkWrong, Refusal, Trouble
from portico.i18n import _m
from portico.identity.forgotten import ask_for_password_mail
from portico.identity.password_links import LinkHolder, holder_of, set_password
from portico.identity.sessions import session_cookie, token_of
from portico.identity.visitors import visitor_of
from portico.portal import Portal
from portico.web import Form, read_form, redirect, render

WELCOME = _m("Welcome! Your account is ready.")
PASSWORD_SET = _m("Your new password is set. All other devices are signed out.")
NO_REFERRER = {"referrer-policy": "no-referrer"}
"""The address holds a secret."""


@get("/password/forgotten", access="public", include_in_schema=False)
async def forgotten_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return render(request, "identity/password_forgotten.html")


@post("/password/forgotten", access="public", include_in_schema=False, status_code=200)
async def send_link(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The same page for known and unknown addresses."""
    form = await read_form(request)
    try:
        await ask_for_password_mail(_portal(request), form.text("email"), visitor_of(request))
    except (Refusal, Trouble, Busy) as refusal:
        return render(request, "identity/password_forgotten.html", form=form.refused(refusal))
    minutes = _portal(request).settings.identity.password_link_minutes
    return render(request, "identity/password_sent.html", form=form, minutes=minutes)


@get("/password/new", access="public", include_in_schema=False)
async def new_password_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Only shows the form: mail scanners open links, too."""
    token = request.query_params.get("token", "")
    try:
        holder = await holder_of(_portal(request), token)
    except PasswordLinkWrong as wrong:
        return _link_wrong(request, wrong)
    return _form(request, holder, Form.of({"token": token}))


@post("/password/new", access="public", include_in_schema=False, status_code=303)
async def choose_password(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal, form = _portal(request), await read_form(request)
    token, replaces = form.text("token"), token_of(portal.settings, request.cookies)
    try:
        done = await set_password(portal, token, form.secret("new_password"), visitor_of(request), replaces=replaces)
    except PasswordLinkWrong as wrong:
        return _link_wrong(request, wrong)
    except (Refusal, Busy) as refusal:
        return _form(request, await holder_of(portal, token), form.refused(refusal))
    start = "/staff" if done.is_staff else "/home"
    answer = redirect(request, start, WELCOME if done.is_first else PASSWORD_SET)
    answer.set_cookie(session_cookie(portal.settings, done.token))
    return answer


pages: list[HTTPRouteHandler] = [forgotten_page, send_link, new_password_page, choose_password]


def _form(request: Request[Any, Any, Any], holder: LinkHolder, form: Form) -> Response[bytes]:
    least = _portal(request).settings.identity.password_min_length
    return render(
        request, "identity/password_new.html", headers=NO_REFERRER, form=form, holder=holder, least_password=least
    )


def _link_wrong(request: Request[Any, Any, Any], wrong: PasswordLinkWrong) -> Response[bytes]:
    return render(request, "identity/password_link_wrong.html", status=wrong.status, headers=NO_REFERRER, wrong=wrong)


def _portal(request: Request[Any, Any, Any]) -> Portal:
    portal: Portal = request.app.state.portal
    return portal
