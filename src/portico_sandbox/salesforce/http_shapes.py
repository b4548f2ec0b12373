"""Requests as they come over HTTP, and answers as they leave: bodies in all their shapes, addresses, headers."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response
from litestar.datastructures import State

from portico_sandbox.dials import Dial, FaultAnswers, play
from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.rest import Answer

HttpRequest = Request[Any, Any, State]

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_PART_NAME = re.compile(rb'name="([^"]*)"', re.IGNORECASE)


async def body_of(request: HttpRequest) -> Any:
    """JSON, the parts of a form as one object (bytes as base64), or the text of a table. Raises Refusal."""
    body = _unpacked(request.headers.get("content-encoding", ""), await request.body())
    if not body:
        return None
    kind = request.headers.get("content-type", "")
    if kind.lower().startswith("multipart/form-data"):
        return _of_parts(kind, body)
    if kind.lower().startswith("text/csv"):
        return body.decode("utf-8-sig", errors="replace")
    if "json" not in kind:
        raise Refusal(Fault("UNSUPPORTED_MEDIA_TYPE", "The media type of the request body is not supported."))
    return _json(body)


def response_of(answered: Answer, more: dict[str, str] | None = None) -> Response[bytes]:
    headers = {**answered.headers, **(more or {})}
    media_type = headers.pop("Content-Type", "application/json;charset=UTF-8")
    if answered.status in (204, 304):
        return Response(b"", status_code=answered.status, headers=headers)
    body = answered.body if isinstance(answered.body, bytes) else json.dumps(answered.body, ensure_ascii=False).encode()
    return Response(body, status_code=answered.status, headers=headers, media_type=media_type)


def address_of(request: HttpRequest) -> str:
    """Path and query as they were sent: an external id may hold an escaped slash."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    query = request.scope.get("query_string", b"")
    return raw.split(b"?")[0].decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")


def size_of_headers(request: HttpRequest) -> int:
    """Bytes of all header lines as they came over the wire."""
    return sum(len(name) + len(value) + 4 for name, value in request.scope["headers"])


def origin_of(request: HttpRequest) -> str:
    return f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"


def bearer_of(request: HttpRequest) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "oauth") else None


def client_name(request: HttpRequest) -> str:
    """What the caller named itself in Sforce-Call-Options."""
    options = request.headers.get("sforce-call-options", "")
    pairs = (part.strip().partition("=") for part in options.replace(";", ",").split(","))
    return next((value for name, _, value in pairs if name.lower() == "client"), "")


def down(dial: Dial | None) -> Answer:
    """As JSON; as an HTML page where the dial's code is `html`."""
    if dial and dial.code.lower() == "html":
        page = b"<html><head><title>Service Unavailable</title></head><body>Down for maintenance</body></html>"
        return Answer(503, page, {"Content-Type": "text/html"})
    fault = Fault("SERVER_UNAVAILABLE", "The server is too busy. Please try again later.")
    return Answer(503, [fault.for_row()], failed=True)


def malformed() -> Answer:
    return Answer(200, b'{"totalSize": 1, "done": tr', {"Content-Type": "application/json;charset=UTF-8"})


async def played(
    request: HttpRequest, dial: Dial | None, work: Callable[[], Awaitable[Answer]], faults: FaultAnswers[Answer]
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


async def _disconnected(request: HttpRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _unpacked(encoding: str, body: bytes) -> bytes:
    if encoding.lower() != "gzip":
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise Refusal(Fault("JSON_PARSER_ERROR", "The body is not in gzip format")) from error


def _of_parts(kind: str, body: bytes) -> dict[str, Any]:
    """One part is JSON and holds the fields; each other part is the content of the field that it names."""
    boundary = _BOUNDARY.search(kind)
    if boundary is None:
        raise Refusal(Fault("INVALID_MULTIPART_REQUEST", "Multipart form upload: no boundary is given"))
    fields: dict[str, Any] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name is None:
            continue
        if name[1].lower().startswith(b"entity_") or b"application/json" in head.lower():
            fields |= _fields_of(content)
        else:
            fields[name[1].decode()] = base64.b64encode(content).decode()
    return fields


def _fields_of(content: bytes) -> dict[str, Any]:
    fields = _json(content)
    if not isinstance(fields, dict):
        raise Refusal(Fault("JSON_PARSER_ERROR", "The fields of the record have to be an object"))
    return fields


def _json(body: bytes) -> Any:
    try:
        value = json.loads(body)
        if b"\\u" in body:  # half a pair of surrogates is no text that could ever be answered
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal(Fault("JSON_PARSER_ERROR", f"Unexpected character at {error}")) from error
    return value
