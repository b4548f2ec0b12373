"""The way in: start page, sign-up, sign-in, sign-out, linking. Passwords and sessions have pages of their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from pydantic import SecretStr

from portico.errors import Busy, NotFound, Refusal, StillRunning, Trouble
from portico.i18n import _m
from portico.identity import password_pages, security_pages
from portico.identity.fields import Application
from portico.identity.linking import link
from portico.identity.sessions import Person, session_cookie, token_of
from portico.identity.sign_in import sign_in, sign_out
from portico.identity.sign_up import sign_up, sign_up_state
from portico.identity.visitors import visitor_of
from portico.portal import Portal
from portico.web import Form, own_path, read_form, redirect, render

WELCOME = _m("Welcome! Your account is ready.")
SIGNED_OUT = _m("You are signed out.")


@get(["/", "/get-started"], access="public", include_in_schema=False)
async def start_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    if request.user:
        return redirect(request, _start_of(request.user))
    return render(request, "identity/get_started.html")


@get("/sign-in", access="public", include_in_schema=False)
async def sign_in_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    back = own_path(request.query_params.get("next", ""))
    if request.user:
        return redirect(request, back or _start_of(request.user))
    return render(request, "identity/sign_in.html", form=Form.of({"next": back}))


@post("/sign-in", access="public", include_in_schema=False, status_code=303)
async def enter(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal, form = _portal(request), await read_form(request)
    token = token_of(portal.settings, request.cookies)
    try:
        entered = await sign_in(
            portal, form.value("email"), form.secret("password"), visitor_of(request), replaces=token
        )
    except (Refusal, Busy) as refusal:
        return render(request, "identity/sign_in.html", form=form.refused(refusal))
    answer = redirect(request, own_path(form.text("next")) or ("/staff" if entered.is_staff else "/home"))
    answer.set_cookie(session_cookie(portal.settings, entered.token))
    return answer


@post("/sign-out", access="public", include_in_schema=False, status_code=303)
async def leave(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    if token:
        await sign_out(portal, token)
    answer = redirect(request, "/sign-in", SIGNED_OUT, "info")
    answer.set_cookie(session_cookie(portal.settings, None))
    return answer


@get("/sign-up", access="public", include_in_schema=False)
async def sign_up_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    if request.user:
        return redirect(request, _start_of(request.user))
    return _sign_up_form(request, Form())


@post("/sign-up", access="public", include_in_schema=False, status_code=303)
async def join(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal, form = _portal(request), await read_form(request)
    token = token_of(portal.settings, request.cookies)
    try:
        made = await sign_up(portal, _application(form), visitor_of(request), personal_required=True, replaces=token)
    except (Refusal, Trouble, Busy) as refusal:
        return _sign_up_form(request, form.refused(refusal))
    except StillRunning as running:
        return redirect(request, f"/sign-up/{running.operation_id}")
    answer = redirect(request, "/home", WELCOME)
    answer.set_cookie(session_cookie(portal.settings, made.token))
    return answer


@get("/sign-up/{operation_id:uuid}", access="public", ids={"operation_id": "sign-up"}, include_in_schema=False)
async def sign_up_state_page(request: Request[Any, Any, Any], operation_id: FromPath[UUID]) -> Response[bytes]:
    """Where a sign-up stands that is not done yet; whoever has the unguessable address may look."""
    sign_up = await sign_up_state(_portal(request), operation_id)
    if sign_up is None:
        raise NotFound("sign-up")
    status = 202 if sign_up.state == "running" else 200
    return render(request, "identity/sign_up_state.html", status=status, sign_up=sign_up)


@get("/link", access="public", include_in_schema=False)
async def link_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    if request.user:
        return redirect(request, _start_of(request.user))
    return render(request, "identity/link.html")


@post("/link", access="public", include_in_schema=False, status_code=303)
async def link_account(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Leads on to choosing a portal password."""
    form = await read_form(request)
    password = SecretStr(form.secret("password"))
    try:
        way_on = await link(_portal(request), form.text("email"), password, visitor_of(request))
    except (Refusal, Trouble, Busy) as refusal:
        return render(request, "identity/link.html", form=form.refused(refusal))
    return redirect(request, f"/password/new?token={way_on.token}")


pages: list[HTTPRouteHandler] = [
    start_page,
    sign_in_page,
    enter,
    leave,
    sign_up_page,
    join,
    sign_up_state_page,
    link_page,
    link_account,
    *password_pages.pages,
    *security_pages.pages,
]


def _sign_up_form(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    least = _portal(request).settings.identity.password_min_length
    return render(request, "identity/sign_up.html", form=form, least_password=least)


def _application(form: Form) -> Application:
    return Application(
        email=form.text("email"),
        password=form.secret("password"),
        customer_number=form.text("customer_number"),
        first_name=form.text("first_name"),
        last_name=form.text("last_name"),
        phone=form.text("phone"),
        postal_code=form.text("address.postal_code"),
        state=form.text("address.state"),
        city=form.text("address.city"),
        street=form.text("address.street"),
        street2=form.text("address.street2"),
    )


def _start_of(person: Person) -> str:
    return "/staff" if person.is_staff else "/home"


def _portal(request: Request[Any, Any, Any]) -> Portal:
    portal: Portal = request.app.state.portal
    return portal
