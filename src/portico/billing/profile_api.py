"""`/api/v1/me/profile`, `/api/v1/me/address`, `/api/v1/me/email`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get, patch, post, put

from portico.billing.email_changes import EmailChange, ask_for_email, open_change
from portico.billing.email_saga import prove_email
from portico.billing.profile import Client, profile_of
from portico.billing.profile_changes import change_profile
from portico.errors import FieldFault, InputWrong
from portico.i18n import _m
from portico.portal import Portal
from portico.web import language, read_json
from portico.web.shapes import MoneyShape, money_shape

EMAIL_ELSEWHERE = _m("A new e-mail address has to be proven: POST it to /api/v1/me/email.")


class AddressOut(msgspec.Struct, frozen=True):
    postal_code: str
    state: str
    """In Japan the prefecture."""
    city: str
    street: str
    street2: str
    country: str


class ProfileOut(msgspec.Struct, frozen=True):
    customer_number: str
    first_name: str
    last_name: str
    company: str
    email: str
    phone: str
    address: AddressOut
    credit: MoneyShape
    as_of: datetime


class ProfileBody(msgspec.Struct, frozen=True):
    """What is left out, or null, stays as it is."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    email: str | None = None


class AddressBody(msgspec.Struct, frozen=True):
    """The whole address; without a country it stays in the one where it is."""

    postal_code: str
    state: str
    city: str
    street: str
    street2: str = ""
    country: str | None = None


class EmailBody(msgspec.Struct, frozen=True):
    email: str


class CodeBody(msgspec.Struct, frozen=True):
    code: str


class PendingOut(msgspec.Struct, frozen=True):
    new_email: str
    state: Literal["code_sent", "running"]
    """`running`: proven, and being written to the billing system; do not repeat it."""
    expires_at: datetime
    """Of the code."""


class EmailOut(msgspec.Struct, frozen=True):
    email: str
    pending: PendingOut | None


@get("/api/v1/me/profile", access="customer")
async def profile(request: Request[Any, Any, Any]) -> ProfileOut:
    copy = await profile_of(request.app.state.portal, request.user.customer)
    return _profile(copy.value, copy.as_of)


@patch("/api/v1/me/profile", access="customer")
async def change_details(request: Request[Any, Any, Any]) -> ProfileOut:
    """Changes what is given, and nothing else."""
    body = await read_json(request, ProfileBody)
    if body.email is not None:
        raise InputWrong(FieldFault("/email", EMAIL_ELSEWHERE))
    return await _changed(request, msgspec.structs.asdict(body))


@put("/api/v1/me/address", access="customer")
async def change_address(request: Request[Any, Any, Any]) -> ProfileOut:
    return await _changed(request, msgspec.structs.asdict(await read_json(request, AddressBody)))


@get("/api/v1/me/email", access="customer")
async def email(request: Request[Any, Any, Any]) -> EmailOut:
    return _email(request, await open_change(request.app.state.portal, request.user.customer))


@post("/api/v1/me/email", access="customer", status_code=202)
async def ask(request: Request[Any, Any, Any]) -> Response[EmailOut]:
    """Sends a code to the new address; a second call sends another one, which voids the first."""
    body = await read_json(request, EmailBody)
    change = await ask_for_email(request.app.state.portal, request.user.customer, body.email, language(request))
    return Response(_email(request, change), status_code=202)


@post("/api/v1/me/email/code", access="customer", status_code=200)
async def prove(request: Request[Any, Any, Any]) -> Response[EmailOut]:
    """200: done. 202: the code was right, the billing system does not answer yet; a mail follows."""
    body = await read_json(request, CodeBody)
    change = await prove_email(request.app.state.portal, request.user.customer, body.code)
    if change.state == "done":
        return Response(EmailOut(change.new_email, None), status_code=200)
    return Response(_email(request, change), status_code=202)


async def _changed(request: Request[Any, Any, Any], body: dict[str, Any]) -> ProfileOut:
    portal: Portal = request.app.state.portal
    given = {name: value for name, value in body.items() if value is not None}
    saved = await change_profile(portal, request.user.customer, given)
    return _profile(saved.client, portal.clock.now())


def _profile(client: Client, as_of: datetime) -> ProfileOut:
    return ProfileOut(
        customer_number=client.customer_number,
        first_name=client.first_name,
        last_name=client.last_name,
        company=client.company,
        email=client.email,
        phone=client.phone,
        address=msgspec.convert(client.address, AddressOut, from_attributes=True),
        credit=money_shape(client.credit),
        as_of=as_of,
    )


def _email(request: Request[Any, Any, Any], change: EmailChange | None) -> EmailOut:
    if change is None:
        return EmailOut(request.user.email, None)
    state: Literal["code_sent", "running"] = "running" if change.is_running else "code_sent"
    return EmailOut(request.user.email, PendingOut(change.new_email, state, change.expires_at))
