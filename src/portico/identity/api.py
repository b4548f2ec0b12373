"""The JSON face of sign-up, sign-in, sign-out and linking, and who one is. Passwords, sessions: security_api.py."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, get, post
from msgspec import Struct, field
from pydantic import SecretStr

from portico.identity import security_api
from portico.identity.fields import Application
from portico.identity.linking import link
from portico.identity.password_links import check_password, set_password
from portico.identity.sessions import Person, session_cookie, token_of
from portico.identity.sign_in import sign_in, sign_out
from portico.identity.sign_up import sign_up
from portico.identity.visitors import visitor_of
from portico.portal import Portal
from portico.web import read_json


class AddressBody(Struct, omit_defaults=True):
    postal_code: str | None = None
    state: str | None = None
    city: str | None = None
    street: str | None = None
    street2: str | None = None


class SignUpBody(Struct, omit_defaults=True):
    """What is left out of the personal fields comes from the Salesforce account and is never echoed back."""

    email: str = ""
    password: str = ""
    customer_number: str = ""
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    address: AddressBody = field(default_factory=AddressBody)


class SignInBody(Struct):
    email: str = ""
    password: str = ""


class LinkBody(Struct):
    """Of WHMCS; `new_password` is the portal's."""

    email: str = ""
    password: str = ""
    new_password: str | None = None


@post("/auth/sign-up", access="public", status_code=201)
async def post_sign_up(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """201 with a session; 202 while the outcome is unknown."""
    body = await read_json(request, SignUpBody)
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    made = await sign_up(portal, _application(body), visitor_of(request), personal_required=False, replaces=token)
    cookie = session_cookie(portal.settings, made.token)
    return Response({"user_id": str(made.user_id), "email": made.email}, status_code=201, cookies=[cookie])


@post("/auth/sign-in", access="public", status_code=200)
async def post_sign_in(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    body = await read_json(request, SignInBody)
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    entered = await sign_in(portal, body.email, body.password, visitor_of(request), replaces=token)
    answer = {"user_id": str(entered.user_id), "role": "staff" if entered.is_staff else "customer"}
    return Response(answer, status_code=200, cookies=[session_cookie(portal.settings, entered.token)])


@post("/auth/sign-out", access="public", status_code=204)
async def post_sign_out(request: Request[Any, Any, Any]) -> Response[None]:
    portal = _portal(request)
    token = token_of(portal.settings, request.cookies)
    if token:
        await sign_out(portal, token)
    return Response(None, status_code=204, cookies=[session_cookie(portal.settings, None)])


@post("/auth/link", access="public", status_code=200)
async def post_link(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """201 with a session; without `new_password` 200 and a token with which `POST /auth/password` sets one."""
    body = await read_json(request, LinkBody)
    portal, visitor = _portal(request), visitor_of(request)
    if body.new_password is not None:
        check_password(portal, body.new_password, body.email)
    way_on = await link(portal, body.email, SecretStr(body.password), visitor)
    if body.new_password is None:
        answer = {"state": "password_required", "token": way_on.token, "expires_at": way_on.expires_at}
        return Response(answer, status_code=200)
    token = token_of(portal.settings, request.cookies)
    done = await set_password(portal, way_on.token, body.new_password, visitor, replaces=token)
    cookie = session_cookie(portal.settings, done.token)
    return Response({"user_id": str(done.user_id), "email": done.email}, status_code=201, cookies=[cookie])


@get("/me", access="customer")
async def get_me(request: Request[Any, Any, Any]) -> dict[str, Any]:
    person: Person = request.user
    customer = person.customer
    return {
        "user_id": str(person.user_id),
        "email": person.email,
        "display_name": person.display_name,
        "role": person.role,
        "language": person.language,
        "whmcs_client_id": str(customer.whmcs_client_id) if customer else None,
        "sf_account_id": customer.sf_account_id if customer else None,
    }


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
