"""Salesforce over HTTP: OAuth, and the REST API behind a bearer token.

Dials of system `salesforce`, by call: `token`, `query` (queryAll and further pages too), `composite` (collections
too), `GET row`, `POST row`, `PATCH row`, `DELETE row` (one row by id or external id), `describe`, `limits`.
- `down`: 503 SERVER_UNAVAILABLE as JSON; as an HTML page where the dial's code is `html`.
- `error`: 500 UNKNOWN_EXCEPTION. `malformed`: does the work, answers half a JSON text. `slow`, `commit_then_hang`.
- `refuse`: the dial's code is the errorCode. In a `/composite` the codes that go with status 400 stand inside: its
  first part fails with it. For `token` see `oauth.py`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import parse_qsl

from litestar import Litestar, MediaType, Request, Response, get, post, route
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.enums import HttpMethod
from litestar.types import ASGIApp

from portico_sandbox.dials import REQUEST_MODES, Dial, FaultAnswers, play
from portico_sandbox.salesforce import composite, oauth, resources, sessions
from portico_sandbox.salesforce.changes import Caller
from portico_sandbox.salesforce.errors import Fault, Refusal, status_of
from portico_sandbox.salesforce.keys import ensure_keys
from portico_sandbox.salesforce.rest import (
    VERSIONS,
    Answer,
    Call,
    Resource,
    Route,
    answer,
    refused,
    route_of,
    split_address,
)
from portico_sandbox.sandbox import Sandbox

LONGEST_URI = 16_384  # bytes

_Request = Request[Any, Any, State]


def _routes() -> tuple[Route, ...]:
    def row(method: str, pattern: str, resource: Resource, dial: str = "") -> Route:
        return Route(method, tuple(pattern.split()), resource, dial or f"{method} row")

    return (
        Route("GET", (), resources.resource_list, "describe"),
        row("GET", "limits", resources.limits, "limits"),
        row("GET", "query", resources.query, "query"),
        row("GET", "queryall", resources.query_all, "query"),
        row("GET", "query *", resources.query_more, "query"),
        row("GET", "queryall *", resources.query_more, "query"),
        row("GET", "sobjects", resources.describe_global, "describe"),
        row("GET", "sobjects *", resources.describe_basics, "describe"),
        row("GET", "sobjects * describe", resources.describe_object, "describe"),
        row("POST", "sobjects *", resources.create_row),
        row("GET", "sobjects * *", resources.read_row),
        row("PATCH", "sobjects * *", resources.update_row),
        row("DELETE", "sobjects * *", resources.delete_row),
        row("GET", "sobjects * * *", resources.read_by_external_id),
        row("PATCH", "sobjects * * *", resources.upsert_row),
        row("DELETE", "sobjects * * *", resources.delete_by_external_id),
        row("POST", "composite", lambda call: composite.composite(call, ROUTES), "composite"),
        row("POST", "composite sobjects", composite.create_rows, "composite"),
        row("PATCH", "composite sobjects", composite.update_rows, "composite"),
        row("DELETE", "composite sobjects", composite.delete_rows, "composite"),
        row("PATCH", "composite sobjects * *", composite.upsert_rows, "composite"),
    )


ROUTES = _routes()


def build_app(sandbox: Sandbox) -> ASGIApp:
    """The same app serves the http and the TLS port: what it answers as `instance_url` is the origin that was used."""
    door = oauth.Door(sandbox, ensure_keys(sandbox.settings.folder).public_key())
    app = Litestar(
        [*_oauth_handlers(door), _data_handler(sandbox), _versions],
        logging_config=None,
        openapi_config=None,
        compression_config=CompressionConfig(backend="gzip", minimum_size=1000),
    )
    return cast("ASGIApp", app)


@get(["/services/data"], media_type=MediaType.JSON)
async def _versions() -> Response[bytes]:
    seasons = {0: "Winter", 1: "Spring", 2: "Summer"}
    versions = [
        {
            "label": f"{seasons[(number - 50) % 3]} '{21 + (number - 50) // 3}",
            "url": f"/services/data/v{number}.0",
            "version": f"{number}.0",
        }
        for number in (int(float(each)) for each in VERSIONS)
    ]
    return _response(Answer(200, versions))


def _data_handler(sandbox: Sandbox) -> Any:
    methods = [HttpMethod.GET, HttpMethod.POST, HttpMethod.PATCH, HttpMethod.PUT, HttpMethod.DELETE]

    @route(["/services/data/{rest:path}"], http_method=methods)
    async def data(request: _Request) -> Response[bytes]:
        usage = sessions.count_call(sandbox)
        try:
            answered = await _answer_data(sandbox, request, usage)
        except Refusal as refusal:
            answered = refused(refusal)
        return _response(answered, {"Sforce-Limit-Info": f"api-usage={usage[0]}/{usage[1]}"})

    return data


async def _answer_data(sandbox: Sandbox, request: _Request, usage: tuple[int, int]) -> Answer:
    address = _address(request)
    if len(address) > LONGEST_URI:
        raise Refusal(Fault("URI_TOO_LONG", f"The URI is longer than {LONGEST_URI} bytes"), status=414)
    version, path, query = split_address(address)
    method = query.pop("_HttpMethod", request.method) if request.method == "POST" else request.method
    name = route_of(ROUTES, method, path).dial
    down = sandbox.dials.take("salesforce", name, "down")
    if down:  # the edge answers, before anybody looks at the token
        return _down(down)
    session = sessions.session_of(sandbox, _bearer(request))
    if session is None:
        raise Refusal(Fault("INVALID_SESSION_ID", "Session expired or invalid"))
    caller = Caller(session.user_id, _client_name(request), version)
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = Call(sandbox, caller, method, path, query, await _json_body(request), headers, usage=usage)
    dial = sandbox.dials.take("salesforce", name, *REQUEST_MODES)

    async def work() -> Answer:
        return answer(ROUTES, call)

    return await _played(request, dial, work, _faults(call, dial))


def _faults(call: Call, dial: Dial | None) -> FaultAnswers[Answer]:
    def refuse(code: str) -> Answer:
        refusal = Refusal(Fault(code, f"{code}: refused by a dial", ()))
        if call.path == ("composite",) and status_of(code) == 400:
            try:
                return composite.composite(call, ROUTES, code)
            except Refusal as wrong:
                return refused(wrong)
        return refused(refusal)

    return FaultAnswers(
        down=lambda: _down(dial),
        error=lambda: refused(Refusal(Fault("UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 20-1 (-1)"))),
        malformed=_malformed,
        refuse=refuse,
    )


def _down(dial: Dial | None) -> Answer:
    if dial and dial.code.lower() == "html":
        page = b"<html><head><title>Service Unavailable</title></head><body>Down for maintenance</body></html>"
        return Answer(503, page, {"Content-Type": "text/html"})
    return refused(Refusal(Fault("SERVER_UNAVAILABLE", "The server is too busy. Please try again later.")))


def _malformed() -> Answer:
    return Answer(200, b'{"totalSize": 1, "done": tr', {"Content-Type": "application/json;charset=UTF-8"})


def _oauth_handlers(door: oauth.Door) -> list[Any]:
    sandbox = door.sandbox

    @post("/services/oauth2/token", status_code=200)
    async def token(request: _Request) -> Response[bytes]:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        dial = sandbox.dials.take("salesforce", "token", *REQUEST_MODES)

        async def work() -> Answer:
            try:
                return Answer(200, oauth.token(door, form, _origin(request)))
            except oauth.OAuthRefusal as refusal:
                return Answer(refusal.status, refusal.body)

        return _response(await _played(request, dial, work, _token_faults(dial)), {"Cache-Control": "no-store"})

    @route("/services/oauth2/revoke", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
    async def revoke(request: _Request) -> Response[bytes]:
        form = dict(parse_qsl((await request.body()).decode(errors="replace"))) | dict(request.query_params)
        if sessions.session_of(sandbox, form.get("token")) is None:
            return _response(Answer(400, {"error": "unsupported_token_type", "error_description": "invalid token"}))
        sessions.close_session(sandbox, form["token"])
        return _response(Answer(200, b"", {"Content-Type": "text/plain"}))

    @get(["/services/oauth2/userinfo", "/id/{organization:str}/{user:str}"])
    async def user_info(request: _Request) -> Response[bytes]:
        session = sessions.session_of(sandbox, _bearer(request))
        if session is None:
            return _response(Answer(403, b"Bad_OAuth_Token", {"Content-Type": "text/plain"}))
        return _response(Answer(200, oauth.user_info(sandbox, session, _origin(request))))

    return [token, revoke, user_info]


def _token_faults(dial: Dial | None) -> FaultAnswers[Answer]:
    def refuse(code: str) -> Answer:
        refusal = oauth.refusal_of_dial(code)
        return Answer(refusal.status, refusal.body)

    broken = {"error": "server_error", "error_description": "unexpected error"}
    return FaultAnswers(
        down=lambda: _down(dial), error=lambda: Answer(500, broken), malformed=_malformed, refuse=refuse
    )


async def _played(
    request: _Request, dial: Dial | None, work: Callable[[], Awaitable[Answer]], faults: FaultAnswers[Answer]
) -> Answer:
    """As `play`, but a caller who hangs up ends the waiting: a server that stops would else wait for us."""
    if dial is None or dial.mode not in ("slow", "commit_then_hang"):
        return await play(dial, work, faults)
    playing = asyncio.ensure_future(play(dial, work, faults))
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({playing, gone}, return_when=asyncio.FIRST_COMPLETED)
        return playing.result() if playing.done() else faults.down()
    finally:
        playing.cancel()
        gone.cancel()


async def _disconnected(request: _Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _json_body(request: _Request) -> Any:
    body = await request.body()
    if request.headers.get("content-encoding", "").lower() == "gzip":
        body = gzip.decompress(body)
    if not body:
        return None
    if "json" not in request.headers.get("content-type", ""):
        raise Refusal(Fault("UNSUPPORTED_MEDIA_TYPE", "The media type of the request body is not supported."))
    try:
        return json.loads(body)
    except ValueError as error:
        raise Refusal(Fault("JSON_PARSER_ERROR", f"Unexpected character at {error}")) from error


def _bearer(request: _Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "oauth") else None


def _client_name(request: _Request) -> str:
    options = request.headers.get("sforce-call-options", "")
    pairs = (part.strip().partition("=") for part in options.replace(";", ",").split(","))
    return next((value for name, _, value in pairs if name.lower() == "client"), "")


def _address(request: _Request) -> str:
    """Path and query as they were sent: an external id may hold an escaped slash."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    query = request.scope.get("query_string", b"")
    return raw.split(b"?")[0].decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")


def _origin(request: _Request) -> str:
    return f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"


def _response(answered: Answer, more: dict[str, str] | None = None) -> Response[bytes]:
    headers = {**answered.headers, **(more or {})}
    media_type = headers.pop("Content-Type", "application/json;charset=UTF-8")
    if answered.status == 204:
        return Response(b"", status_code=204, headers=headers)
    body = answered.body if isinstance(answered.body, bytes) else json.dumps(answered.body, ensure_ascii=False).encode()
    return Response(body, status_code=answered.status, headers=headers, media_type=media_type)
