"""`/profile/email`: a new e-mail address, proven by a code that is sent to it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post

from portico.billing.email_changes import EmailChange, ask_for_email, open_change
from portico.billing.email_saga import prove_email
from portico.billing.refusals import EmailCodeExpired
from portico.errors import Refusal
from portico.i18n import _m
from portico.portal import Portal
from portico.web import Form, language, read_form, redirect, render

CODE_SENT = _m("We have sent a code to %(email)s.")
CHANGED = _m("From now on your e-mail address is %(email)s.")


@get("/profile/email", access="customer", include_in_schema=False)
async def email_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    change = await open_change(request.app.state.portal, request.user.customer)
    if change and change.is_running:
        return _running(request, change)
    return render(request, "billing/profile_email.html", change=change)


@post("/profile/email", access="customer", status_code=303, include_in_schema=False)
async def ask(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    form = await read_form(request)
    try:
        change = await ask_for_email(portal, request.user.customer, form.text("email"), language(request))
    except Refusal as refusal:
        return render(request, "billing/profile_email.html", form=form.refused(refusal), change=None)
    return redirect(request, "/profile/email/code", CODE_SENT(email=change.new_email), "info")


@get("/profile/email/code", access="customer", include_in_schema=False)
async def code_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return await _code_form(request, Form())


@post("/profile/email/code", access="customer", status_code=303, include_in_schema=False)
async def prove(request: Request[Any, Any, Any]) -> Response[bytes]:
    form = await read_form(request)
    try:
        change = await prove_email(request.app.state.portal, request.user.customer, form.text("code"))
    except EmailCodeExpired as expired:
        return render(request, "billing/profile_email.html", form=Form().refused(expired), change=None)
    except Refusal as refusal:
        return await _code_form(request, form.refused(refusal))
    if change.state != "done":
        return _running(request, change)
    return redirect(request, "/profile", CHANGED(email=change.new_email))


async def _code_form(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    change = await open_change(request.app.state.portal, request.user.customer)
    if change is None:
        return render(request, "billing/profile_email.html", form=form, change=None)
    if change.is_running:
        return _running(request, change)
    return render(request, "billing/profile_email_code.html", form=form, change=change)


def _running(request: Request[Any, Any, Any], change: EmailChange) -> Response[bytes]:
    """Nothing to do but to wait: the worker finishes it, and a mail follows."""
    return render(request, "billing/profile_email_running.html", status=202, change=change)
