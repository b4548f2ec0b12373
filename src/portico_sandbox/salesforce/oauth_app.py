"""Where sessions begin and end over HTTP: the OAuth endpoints and the SOAP login.

Dial calls `token` and `login` (SOAP): `refuse` takes an OAuth error, or a SOAP fault code, with a description after
a colon where one is wanted (`invalid_grant:user is locked`).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import parse_qsl, unquote

from litestar import Response, get, post, route
from litestar.enums import HttpMethod

from portico_sandbox.dials import REQUEST_MODES, Dial, FaultAnswers
from portico_sandbox.salesforce import oauth, sessions, soap
from portico_sandbox.salesforce.http_shapes import (
    HttpRequest,
    bearer_of,
    down,
    malformed,
    origin_of,
    played,
    response_of,
)
from portico_sandbox.salesforce.rest import Answer

_TEXT = {"Content-Type": "text/plain"}


def handlers(door: oauth.Door) -> list[Any]:
    return [_token(door), _revoke(door), _user_info(door), _identity(door), _soap(door)]


def _token(door: oauth.Door) -> Any:
    @post("/services/oauth2/token", status_code=200)
    async def token(request: HttpRequest) -> Response[bytes]:
        form = {**_basic(request), **dict(parse_qsl((await request.body()).decode(errors="replace")))}
        dial = door.sandbox.dials.take("salesforce", "token", *REQUEST_MODES)

        async def work() -> Answer:
            try:
                return Answer(200, oauth.token(door, form, origin_of(request)))
            except oauth.OAuthRefusal as refusal:
                return Answer(refusal.status, refusal.body)

        return response_of(await played(request, dial, work, _token_faults(dial)), {"Cache-Control": "no-store"})

    return token


def _revoke(door: oauth.Door) -> Any:
    @route("/services/oauth2/revoke", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
    async def revoke(request: HttpRequest) -> Response[bytes]:
        form = dict(parse_qsl((await request.body()).decode(errors="replace"))) | dict(request.query_params)
        if sessions.session_of(door.sandbox, form.get("token")) is None:
            return response_of(Answer(400, {"error": "unsupported_token_type", "error_description": "invalid token"}))
        sessions.close_session(door.sandbox, form["token"])
        return response_of(Answer(200, b"", _TEXT))

    return revoke


def _user_info(door: oauth.Door) -> Any:
    methods = [HttpMethod.GET, HttpMethod.POST]

    @route("/services/oauth2/userinfo", http_method=methods, status_code=200)
    async def user_info(request: HttpRequest) -> Response[bytes]:
        session = sessions.session_of(door.sandbox, bearer_of(request))
        if session is None:
            return response_of(Answer(403, b"Bad_OAuth_Token", _TEXT))
        return response_of(Answer(200, oauth.user_info(door.sandbox, session, origin_of(request))))

    return user_info


def _identity(door: oauth.Door) -> Any:
    @get("/id/{organization:str}/{user:str}")
    async def identity(request: HttpRequest, organization: str, user: str) -> Response[bytes]:
        token = bearer_of(request) or request.query_params.get("oauth_token")
        session = sessions.session_of(door.sandbox, token)
        if session is None:
            return response_of(Answer(403, b"Bad_OAuth_Token", _TEXT))
        if (session.organization_id[:15], session.user_id[:15]) != (organization[:15], user[:15]):
            return response_of(Answer(403, b"Wrong_Org", _TEXT))
        return response_of(Answer(200, oauth.identity(door.sandbox, session, origin_of(request))))

    return identity


def _soap(door: oauth.Door) -> Any:
    @post(["/services/Soap/u/{version:str}", "/services/Soap/u/{version:str}/{organization:str}"], status_code=200)
    async def partner(request: HttpRequest, version: str) -> Response[bytes]:
        call = soap.SoapCall(door.sandbox, version, await request.body(), origin_of(request))
        dial = door.sandbox.dials.take("salesforce", "login", *REQUEST_MODES)

        async def work() -> Answer:
            return soap.answer(call)

        return response_of(await played(request, dial, work, _soap_faults(dial)))

    return partner


def _basic(request: HttpRequest) -> dict[str, str]:
    """Client id and secret where they come as HTTP basic credentials."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": unquote(name), "client_secret": unquote(secret)}


def _token_faults(dial: Dial | None) -> FaultAnswers[Answer]:
    def refuse(code: str) -> Answer:
        refusal = oauth.refusal_of_dial(code)
        return Answer(refusal.status, refusal.body)

    broken = {"error": "server_error", "error_description": "unexpected error"}
    return FaultAnswers(down=lambda: down(dial), error=lambda: Answer(500, broken), malformed=malformed, refuse=refuse)


def _soap_faults(dial: Dial | None) -> FaultAnswers[Answer]:
    def refuse(code: str) -> Answer:
        name, _, message = code.partition(":")
        return soap.fault(name or "INVALID_LOGIN", message.strip() or "refused by a dial")

    return FaultAnswers(
        down=lambda: down(dial),
        error=lambda: soap.fault("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
        malformed=malformed,
        refuse=refuse,
    )
