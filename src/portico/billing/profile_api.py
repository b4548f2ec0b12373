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
from portico.billing.refusals import (
    EmailChangeRunning,
    EmailCodeExpired,
    NotSaved,
    OutcomeUnknown,
    ProfileChanged,
    ProfileRefused,
)
from portico.errors import EmailTaken, FieldFault, InputWrong, TooManyTries
from portico.i18n import _m
from portico.portal import Portal
from portico.web import language, read_json
from portico.web.openapi_problems import REMOTE
from portico.web.shapes import Body, Moment, MoneyShape, money_shape

EMAIL_ELSEWHERE = _m("A new e-mail address has to be proven: POST it to /api/v1/me/email.")

CHANGING = (*REMOTE, NotSaved, OutcomeUnknown, ProfileChanged, ProfileRefused)


class AddressOut(msgspec.Struct, frozen=True):
    """`state` is the prefecture in Japan; `country` two letters."""

    postal_code: str
    state: str
    city: str
    street: str
    street2: str
    country: str


class ProfileOut(msgspec.Struct, frozen=True):
    """As the billing system holds it; `credit` is what the next invoices take off."""

    customer_number: str
    first_name: str
    last_name: str
    company: str
    email: str
    phone: str
    address: AddressOut
    credit: MoneyShape
    as_of: Moment


class ProfileBody(Body):
    """What is left out, or null, stays as it is. A new `email` has to be proven: POST it to /api/v1/me/email."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    email: str | None = None


class AddressBody(Body):
    """The whole address; without a country it stays in the one where it is."""

    postal_code: str
    state: str
    city: str
    street: str
    street2: str = ""
    country: str | None = None


class EmailBody(Body):
    """The new address."""

    email: str


class CodeBody(Body):
    """As the mail to the new address says it."""

    code: str


class PendingOut(msgspec.Struct, frozen=True):
    """`running`: proven, and being written to the billing system; do not repeat it. `expires_at`: of the code."""

    new_email: str
    state: Literal["code_sent", "running"]
    expires_at: Moment


class EmailOut(msgspec.Struct, frozen=True):
    """The address with which one signs in, and the change of it that is not finished yet."""

    email: str
    pending: PendingOut | None


@get(
    "/api/v1/me/profile",
    access="customer",
    operation_id="read_profile",
    summary="Name, phone, address",
    refusals=REMOTE,
)
async def profile(request: Request[Any, Any, Any]) -> ProfileOut:
    """The billing system is authoritative for them."""
    copy = await profile_of(request.app.state.portal, request.user.customer)
    return _profile(copy.value, copy.as_of)


@patch(
    "/api/v1/me/profile",
    access="customer",
    operation_id="change_profile",
    summary="Change name, company or phone",
    body=ProfileBody,
    refusals=CHANGING,
)
async def change_details(request: Request[Any, Any, Any]) -> ProfileOut:
    """Changes what is given, and nothing else."""
    body = await read_json(request, ProfileBody)
    if body.email is not None:
        raise InputWrong(FieldFault("/email", EMAIL_ELSEWHERE))
    return await _changed(request, msgspec.structs.asdict(body))


@put(
    "/api/v1/me/address",
    access="customer",
    operation_id="change_address",
    summary="Change the billing address",
    body=AddressBody,
    refusals=CHANGING,
)
async def change_address(request: Request[Any, Any, Any]) -> ProfileOut:
    """The whole address; orders that are placed keep the one that they were placed with."""
    return await _changed(request, msgspec.structs.asdict(await read_json(request, AddressBody)))


@get(
    "/api/v1/me/email",
    access="customer",
    operation_id="read_email",
    summary="The e-mail address, and a change of it under way",
)
async def email(request: Request[Any, Any, Any]) -> EmailOut:
    """`pending` is null where nothing is under way."""
    return _email(request, await open_change(request.app.state.portal, request.user.customer))


@post(
    "/api/v1/me/email",
    access="customer",
    operation_id="request_email_change",
    summary="Have a code sent to a new address",
    body=EmailBody,
    refusals=(*REMOTE, NotSaved, EmailTaken, EmailChangeRunning, TooManyTries),
    status_code=202,
)
async def ask(request: Request[Any, Any, Any]) -> Response[EmailOut]:
    """Sends a code to the new address; a second call sends another one, which voids the first."""
    body = await read_json(request, EmailBody)
    change = await ask_for_email(request.app.state.portal, request.user.customer, body.email, language(request))
    return Response(_email(request, change), status_code=202)


@post(
    "/api/v1/me/email/code",
    access="customer",
    operation_id="prove_email",
    summary="Prove the new address with its code",
    body=CodeBody,
    also={202: EmailOut},
    refusals=(*REMOTE, EmailCodeExpired, EmailTaken, TooManyTries),
    status_code=200,
)
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
