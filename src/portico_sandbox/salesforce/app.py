"""Salesforce over HTTP: OAuth, SOAP login, and the REST API behind a bearer token.

Dials of system `salesforce`, by call: `token`, `login`, `query` (queryAll, further pages, replication), `composite`
(collections, batch, graph, tree), `bulk`, `GET row`, `POST row`, `PATCH row`, `DELETE row` (one row by id or external
id), `describe`, `limits`.
- `down`: 503 SERVER_UNAVAILABLE as JSON; as an HTML page where the dial's code is `html`.
- `error`: 500 UNKNOWN_EXCEPTION. `malformed`: does the work, answers half a JSON text. `slow`, `commit_then_hang`.
- `refuse`: the dial's code is the errorCode, with a message after a colon where one is wanted
  (`REQUEST_LIMIT_EXCEEDED:ConcurrentRequests Limit exceeded.`). In a `/composite` the codes that go with status 400
  stand inside: its first part fails with it. For `token` and `login` see `oauth_app.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from litestar import Litestar, MediaType, Response, get, route
from litestar.config.compression import CompressionConfig
from litestar.enums import HttpMethod
from litestar.types import ASGIApp

from portico_sandbox.dials import REQUEST_MODES, Dial, FaultAnswers
from portico_sandbox.salesforce import composite, oauth, oauth_app, sessions
from portico_sandbox.salesforce.changes import Caller
from portico_sandbox.salesforce.concurrency import InFlight
from portico_sandbox.salesforce.errors import Fault, Refusal, status_of
from portico_sandbox.salesforce.http_shapes import (
    HttpRequest,
    address_of,
    bearer_of,
    body_of,
    client_name,
    down,
    malformed,
    played,
    response_of,
    size_of_headers,
)
from portico_sandbox.salesforce.keys import ensure_keys
from portico_sandbox.salesforce.knobs import codes_said
from portico_sandbox.salesforce.rest import VERSIONS, Answer, Call, answer, refused, route_of, split_address
from portico_sandbox.salesforce.routes import ROUTES
from portico_sandbox.sandbox import Sandbox

LONGEST_URI = 16_384  # bytes; with all headers as well
_LARGEST_BODY = 64 * 1024 * 1024


def build_app(sandbox: Sandbox) -> ASGIApp:
    """The same app serves the http and the TLS port: what it answers as `instance_url` is the origin that was used."""
    door = oauth.Door(sandbox, ensure_keys(sandbox.settings.folder).public_key())
    app = Litestar(
        [*oauth_app.handlers(door), _data_handler(sandbox), _versions],
        logging_config=None,
        openapi_config=None,
        request_max_body_size=_LARGEST_BODY,
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
    return response_of(Answer(200, versions))


def _data_handler(sandbox: Sandbox) -> Any:
    methods = [HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST, HttpMethod.PATCH, HttpMethod.PUT, HttpMethod.DELETE]
    in_flight = InFlight(sandbox)

    @route(["/services/data/{rest:path}"], http_method=methods)
    async def data(request: HttpRequest) -> Response[bytes]:
        usage = sessions.count_call(sandbox)
        try:
            with in_flight.one_more():
                answered = await _answer_data(sandbox, request, usage)
        except Refusal as refusal:
            answered = refused(refusal)
        answered = replace(answered, body=codes_said(sandbox, answered.body))
        return response_of(answered, {"Sforce-Limit-Info": f"api-usage={usage[0]}/{usage[1]}"})

    return data


async def _answer_data(sandbox: Sandbox, request: HttpRequest, usage: tuple[int, int]) -> Answer:
    address = address_of(request)
    _check_size(request, address)
    version, path, query = split_address(address)
    method = query.pop("_HttpMethod", request.method) if request.method == "POST" else request.method
    name = route_of(ROUTES, method, path).dial
    fault = sandbox.dials.take("salesforce", name, "down")
    if fault:  # the edge answers, before anybody looks at the token
        return down(fault)
    session = sessions.session_of(sandbox, bearer_of(request))
    if session is None:
        raise Refusal(Fault("INVALID_SESSION_ID", "Session expired or invalid"))
    if usage[0] > usage[1]:
        raise Refusal(Fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
    caller = Caller(session.user_id, client_name(request), version)
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = Call(sandbox, caller, method, path, query, await body_of(request), headers, usage=usage)
    dial = sandbox.dials.take("salesforce", name, *REQUEST_MODES)

    async def work() -> Answer:
        return answer(ROUTES, call)

    return await played(request, dial, work, _faults(call, dial))


def _check_size(request: HttpRequest, address: str) -> None:
    if len(address) > LONGEST_URI:
        raise Refusal(Fault("URI_TOO_LONG", f"The URI is longer than {LONGEST_URI} bytes"), status=414)
    if len(address) + size_of_headers(request) > LONGEST_URI:
        message = f"URI and headers are longer than {LONGEST_URI} bytes"
        raise Refusal(Fault("REQUEST_HEADER_FIELDS_TOO_LARGE", message), status=431)


def _faults(call: Call, dial: Dial | None) -> FaultAnswers[Answer]:
    def refuse(text: str) -> Answer:
        code, _, message = text.partition(":")
        refusal = Refusal(Fault(code, message.strip() or f"{code}: refused by a dial", ()))
        if call.path == ("composite",) and status_of(code) == 400:
            try:
                return composite.composite(call, ROUTES, code)
            except Refusal as wrong:
                return refused(wrong)
        return refused(refusal)

    return FaultAnswers(
        down=lambda: down(dial),
        error=lambda: refused(Refusal(Fault("UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 20-1 (-1)"))),
        malformed=malformed,
        refuse=refuse,
    )
