"""The JSON face of sign-up, sign-in, sign-out and linking, and who one is. Passwords, sessions: security_api.py."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, Response, Router, get, post
from msgspec import Meta, Struct, field
from pydantic import SecretStr

from portico.errors import (
    AlreadyRegistered,
    CustomerNumberUnknown,
    EmailTaken,
    PasswordLinkWrong,
    SignInWrong,
    StillRunning,
    TooManyTries,
)
from portico.identity import security_api
from portico.identity.fields import Application
from portico.identity.linking import link
from portico.identity.password_links import check_password, set_password
from portico.identity.security_api import EnteredOut
from portico.identity.sessions import Person, session_cookie, token_of
from portico.identity.sign_in import sign_in, sign_out
from portico.identity.sign_up import sign_up
from portico.identity.visitors import visitor_of
from portico.portal import Portal
from portico.web import read_json
from portico.web.openapi_problems import LINK_REFUSALS, REMOTE
from portico.web.shapes import Body, Moment, RunningShape, Wanted


class SignUpAddress(Body, omit_defaults=True):
    """`state` is the prefecture in Japan."""

    postal_code: str | None = None
    state: str | None = None
    city: str | None = None
    street: str | None = None
    street2: str | None = None


class SignUpBody(Body, omit_defaults=True):
    """What is left out of the personal fields comes from the account that the provider holds, and is never echoed back.
    Where that has a postal code, the one given here must be the same."""

    email: Wanted = ""
    password: Wanted = ""
    customer_number: Wanted = ""
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    address: SignUpAddress = field(default_factory=SignUpAddress)


class SignInBody(Body):
    """Of the portal."""

    email: Wanted = ""
    password: Wanted = ""


class LinkBody(Body):
    """Address and password of the billing system; `new_password` is to be the portal's."""

    email: Wanted = ""
    password: Wanted = ""
    new_password: str | None = None


class SignedInOut(Struct, frozen=True):
    """A session has begun: its cookie comes with this answer."""

    user_id: str
    role: Literal["customer", "staff"]


class PasswordRequiredOut(Struct, frozen=True):
    """Linked, but nobody can sign in yet: send `token` with a new password to `POST /auth/password`."""

    state: Literal["password_required"]
    token: str
    expires_at: Moment


class MeOut(Struct, frozen=True):
    """The two ids are null for staff."""

    user_id: str
    email: str
    display_name: str
    role: Literal["customer", "staff"]
    language: Annotated[str, Meta(extra_json_schema={"enum": ["en", "ja"]})]
    whmcs_client_id: str | None
    sf_account_id: str | None


@post(
    "/auth/sign-up",
    access="public",
    operation_id="sign_up",
    summary="Sign up with a customer number",
    body=SignUpBody,
    also={202: RunningShape},
    refusals=(*REMOTE, CustomerNumberUnknown, AlreadyRegistered, EmailTaken, TooManyTries, StillRunning),
    status_code=201,
)
async def post_sign_up(request: Request[Any, Any, Any]) -> Response[EnteredOut]:
    """201 with a session; 202 while the outcome is unknown: sign in once it is done."""
    body = await read_json(request, SignUpBody)
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    made = await sign_up(portal, _application(body), visitor_of(request), personal_required=False, replaces=token)
    cookie = session_cookie(portal.settings, made.token)
    return Response(EnteredOut(str(made.user_id), made.email), status_code=201, cookies=[cookie])


@post(
    "/auth/sign-in",
    access="public",
    operation_id="sign_in",
    summary="Sign in",
    body=SignInBody,
    refusals=(SignInWrong, TooManyTries),
    status_code=200,
)
async def post_sign_in(request: Request[Any, Any, Any]) -> Response[SignedInOut]:
    """Begins a session. One that the request brings along ends."""
    body = await read_json(request, SignInBody)
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    entered = await sign_in(portal, body.email, body.password, visitor_of(request), replaces=token)
    answer = SignedInOut(str(entered.user_id), "staff" if entered.is_staff else "customer")
    return Response(answer, status_code=200, cookies=[session_cookie(portal.settings, entered.token)])


@post("/auth/sign-out", access="public", operation_id="sign_out", summary="Sign out", status_code=204)
async def post_sign_out(request: Request[Any, Any, Any]) -> Response[None]:
    """Ends this session; without one it does nothing."""
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    if token:
        await sign_out(portal, token)
    return Response(None, status_code=204, cookies=[session_cookie(portal.settings, None)])


@post(
    "/auth/link",
    access="public",
    operation_id="link",
    summary="Link an account of the billing system",
    body=LinkBody,
    also={201: EnteredOut},
    refusals=(*REMOTE, *LINK_REFUSALS, SignInWrong, AlreadyRegistered, EmailTaken, PasswordLinkWrong, TooManyTries),
    status_code=200,
)
async def post_link(request: Request[Any, Any, Any]) -> Response[PasswordRequiredOut] | Response[EnteredOut]:
    """201 with a session; without `new_password` 200 and a token with which `POST /auth/password` sets one."""
    body = await read_json(request, LinkBody)
    portal, visitor = _portal(request), visitor_of(request)
    if body.new_password is not None:
        check_password(portal, body.new_password, body.email)
    way_on = await link(portal, body.email, SecretStr(body.password), visitor)
    if body.new_password is None:
        return Response(PasswordRequiredOut("password_required", way_on.token, way_on.expires_at), status_code=200)
    token = token_of(portal.settings, request.cookies)
    done = await set_password(portal, way_on.token, body.new_password, visitor, replaces=token)
    cookie = session_cookie(portal.settings, done.token)
    return Response(EnteredOut(str(done.user_id), done.email), status_code=201, cookies=[cookie])


@get("/me", access="customer", operation_id="read_me", summary="Who one is")
async def get_me(request: Request[Any, Any, Any]) -> MeOut:
    """Also the ids of the customer in the other systems, for support."""
    person: Person = request.user
    customer = person.customer
    return MeOut(
        user_id=str(person.user_id),
        email=person.email,
        display_name=person.display_name,
        role="staff" if person.is_staff else "customer",
        language=person.language,
        whmcs_client_id=str(customer.whmcs_client_id) if customer else None,
        sf_account_id=customer.sf_account_id if customer else None,
    )


api = Router(
    "/api/v1",
    route_handlers=[post_sign_up, post_sign_in, post_sign_out, post_link, get_me, *security_api.handlers],
)


def _application(body: SignUpBody) -> Application:
    address = body.address
    return Application(
        email=body.email,
        password=body.password,
        customer_number=body.customer_number,
        first_name=body.first_name or "",
        last_name=body.last_name or "",
        phone=body.phone or "",
        postal_code=address.postal_code or "",
        state=address.state or "",
        city=address.city or "",
        street=address.street or "",
        street2=address.street2 or "",
    )


def _portal(request: Request[Any, Any, Any]) -> Portal:
    portal: Portal = request.app.state.portal
    return portal
