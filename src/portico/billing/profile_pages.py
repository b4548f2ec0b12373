"""`/profile`: names, phone and address as the billing site has them; changed here, written there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get, post

from portico.billing.email_changes import open_change
from portico.billing.prefectures import choices
from portico.billing.profile import profile_of
from portico.billing.profile_changes import Saved, change_profile
from portico.billing.profile_fields import ADDRESS, DETAILS, JAPAN, flat
from portico.billing.refusals import ProfileChanged
from portico.errors import Refusal, Trouble
from portico.i18n import Message, _m
from portico.portal import Portal
from portico.web import Form, language, read_form, redirect, render

SAVED = _m("Your changes are saved.")
NOTHING_NEW = _m("Nothing was changed: it was like this already.")
OTHERS_TOO = _m("Your changes are saved. Something else was changed meanwhile, not by you: please look over all of it.")


@get("/profile", access="customer", include_in_schema=False)
async def profile_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    change = await open_change(portal, request.user.customer)
    try:
        copy = await profile_of(portal, request.user.customer)
    except Trouble:
        return render(request, "billing/profile.html", client=None, change=change)
    return render(request, "billing/profile.html", client=copy.value, change=change, as_of_time=copy.as_of)


@get("/profile/details", access="customer", include_in_schema=False)
async def details_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return _form(request, "billing/profile_details.html", await _as_it_is(request, DETAILS))


@post("/profile/details", access="customer", status_code=303, include_in_schema=False)
async def change_details(request: Request[Any, Any, Any]) -> Response[bytes]:
    form = await read_form(request)
    try:
        saved = await _save(request, form, DETAILS)
    except Refusal as refusal:
        return _form(request, "billing/profile_details.html", await _refused(request, form, refusal, DETAILS))
    return redirect(request, "/profile", *_words(saved))


@get("/profile/address", access="customer", include_in_schema=False)
async def address_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return _form(request, "billing/profile_address.html", await _as_it_is(request, ADDRESS))


@post("/profile/address", access="customer", status_code=303, include_in_schema=False)
async def change_address(request: Request[Any, Any, Any]) -> Response[bytes]:
    form = await read_form(request)
    try:
        saved = await _save(request, form, ADDRESS)
    except Refusal as refusal:
        return _form(request, "billing/profile_address.html", await _refused(request, form, refusal, ADDRESS))
    return redirect(request, "/profile", *_words(saved))


async def _as_it_is(request: Request[Any, Any, Any], names: Sequence[str]) -> Form:
    """Each field twice: to be changed, and (`was.…`) as it is seen now, so that only what is changed is written."""
    held = flat((await profile_of(request.app.state.portal, request.user.customer)).value)
    return Form.of({name: held[name] for name in names} | {f"was.{name}": held[name] for name in names})


async def _save(request: Request[Any, Any, Any], form: Form, names: Sequence[str]) -> Saved:
    sent = [name for name in names if form.all(name)]
    typed = {name: form.text(name) for name in sent}
    seen = {name: form.value(f"was.{name}") for name in sent} if form.all(f"was.{sent[0]}" if sent else "") else None
    return await change_profile(request.app.state.portal, request.user.customer, typed, seen)


async def _refused(request: Request[Any, Any, Any], form: Form, refusal: Refusal, names: Sequence[str]) -> Form:
    """The form with what was typed. Where somebody else was faster, what they wrote is what is seen from now on."""
    if not isinstance(refusal, ProfileChanged):
        return form.refused(refusal)
    now = await _as_it_is(request, names)
    kept = {name: form.value(name) for name in names} | {f"was.{name}": now.value(f"was.{name}") for name in names}
    return Form.of(kept).refused(refusal)


def _form(request: Request[Any, Any, Any], template: str, form: Form) -> Response[bytes]:
    stored, typed = form.value("was.state"), form.value("state")
    return render(
        request,
        template,
        form=form,
        in_japan=form.value("was.country") in ("", JAPAN),
        prefectures=choices(stored, typed, language(request)),
    )


def _words(saved: Saved) -> tuple[Message, Any]:
    if not saved.changed:
        return NOTHING_NEW, "info"
    return (OTHERS_TOO, "info") if saved.others_changed else (SAVED, "success")
