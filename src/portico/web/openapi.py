"""`/api/v1/openapi.json`: Litestar reads the typed handlers, msgspec their bodies and answers, this puts both together.

What a handler says of itself, beside Litestar's own `summary`, `operation_id` and docstring:
`body=` the Struct that `read_json` reads · `refusals=` errors that only this route knows · `also={202: Struct}` further
good answers · `events=` the `data` of each event of a stream · `keyed=` "required" or "optional": it takes an
Idempotency-Key. What follows from `access=`, `ids=` and the method is not said again. Examples stand in `examples.json`
of the domain, by operation.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Contact
from litestar.response import Stream
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from portico.settings import Settings
from portico.web import openapi_words as words
from portico.web.csrf import SAFE_METHODS
from portico.web.gate import handlers_of
from portico.web.openapi_problems import problems_of, responses_of
from portico.web.openapi_schemas import Schemas
from portico.web.shapes import RunningShape

PATH = "/api/v1/openapi.json"
_KEPT = "public, max-age=300"
_JSON = "application/json"
Node = dict[str, Any]


@dataclass(frozen=True)
class Document:
    body: bytes
    squeezed: bytes
    etag: str


@dataclass(frozen=True)
class Operation:
    """One method of one address: the handler, and the node of the document that describes it."""

    path: str
    method: str
    handler: HTTPRouteHandler
    node: Node

    @property
    def answer(self) -> Any:
        """The type of the answer's body; None where it has none."""
        declared = self.handler.parsed_fn_signature.return_type.annotation
        if get_origin(declared) in (Union, UnionType):  # the first of several; the others are in `also`
            declared = get_args(declared)[0]
        return get_args(declared)[0] if get_origin(declared) is Response else declared

    @property
    def shapes(self) -> dict[str, Any]:
        """Good answers by status."""
        also = self.handler.opt.get("also", {})
        return {str(self.handler.status_code): self.answer, **{str(status): kind for status, kind in also.items()}}

    @property
    def kinds(self) -> list[Any]:
        """All types that its part of the document needs."""
        opt = self.handler.opt
        return [*self.shapes.values(), opt.get("body"), opt.get("events")]

    @property
    def domain(self) -> str:
        """The folder that it lives in: portico.billing.profile_api → billing."""
        return self.handler.fn.__module__.split(".")[1]


@get(PATH, access="public", include_in_schema=False, sync_to_thread=False)
def openapi_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """This document. It changes with the version of the portal only."""
    document: Document = request.app.state.openapi()
    headers = {"etag": document.etag, "vary": "accept-encoding", "cache-control": _KEPT}
    if document.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=_JSON)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(document.squeezed, headers=headers | {"content-encoding": "gzip"}, media_type=_JSON)
    return Response(document.body, headers=headers, media_type=_JSON)


def describe(handlers: Sequence[ControllerRouterHandler], settings: Settings) -> Document:
    """The document of these routes, ready to be served."""
    body = msgspec.json.encode(document_of(handlers, settings))
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Document(body, gzip.compress(body, 9, mtime=0), f'"{digest}"')


def document_of(handlers: Sequence[ControllerRouterHandler], settings: Settings) -> Node:
    """As a tree. Litestar makes it in an app that never serves."""
    portal = settings.portal
    config = OpenAPIConfig(
        title=f"{portal.name}: customer API",
        version="1",
        description=words.ABOUT,
        contact=Contact(name=portal.name, email=portal.support_email) if portal.support_email else None,
        use_handler_docstrings=True,
    )
    reader = Litestar(route_handlers=list(handlers), openapi_config=config)
    document = reader.openapi_schema.to_schema()
    operations = list(_operations(reader, document))
    schemas = Schemas([kind for one in operations for kind in one.kinds])
    for operation in operations:
        _complete(operation, schemas, words.origin(settings))
    problems = {name: node for one in operations for name, node in problems_of(one.handler, one.method).items()}
    document["tags"] = [{"name": name, "description": text} for name, text in words.TAGS.items()]
    document["components"] = {
        "securitySchemes": words.security_schemes(settings),
        "schemas": schemas.components,
        "responses": dict(sorted(problems.items())),
    }
    return document


def _operations(reader: Litestar, document: Node) -> Iterator[Operation]:
    for route in reader.routes:
        if not isinstance(route, HTTPRoute) or route.path_format not in document["paths"]:
            continue
        for handler in handlers_of(route):
            assert isinstance(handler, HTTPRouteHandler)
            for method in handler.http_methods:
                yield Operation(
                    route.path_format, method, handler, document["paths"][route.path_format][method.lower()]
                )


def _complete(operation: Operation, schemas: Schemas, origin: Node) -> None:
    node, handler = operation.node, operation.handler
    del node["deprecated"]
    examples = examples_of(operation.domain).get(node["operationId"], {})
    node["tags"] = [operation.domain]
    node["security"] = words.security_of(handler.opt["access"])
    node["parameters"] = _parameters(operation, origin)
    if "body" in handler.opt:
        node["requestBody"] = _request_body(handler.opt["body"], schemas, examples)
    headers = list(node["responses"][str(handler.status_code)].get("headers", ()))
    node["responses"] = {
        status: _answer(
            kind,
            _schema_of(kind, handler, schemas),
            headers if status == str(handler.status_code) else [],
            examples.get(status),
        )
        for status, kind in operation.shapes.items()
    }
    node["responses"] |= responses_of(handler, operation.method)


def _parameters(operation: Operation, origin: Node) -> list[Node]:
    """Litestar's, with the form of each id; the Idempotency-Key and the Origin."""
    found = [_parameter(one, operation.handler.opt.get("ids", {})) for one in operation.node.get("parameters", ())]
    if keyed := operation.handler.opt.get("keyed"):
        found.append(words.idempotency_key(is_required=keyed == "required"))
    if operation.method not in SAFE_METHODS:
        found.append(origin)
    return found


def _parameter(made: Node, ids: dict[str, str]) -> Node:
    kept: Node = {name: made[name] for name in ("name", "in", "required", "description") if name in made}
    if made["in"] == "path":
        return {**kept, "schema": words.ID_FORMS[ids[made["name"]]]}
    return {**kept, "schema": _alone(made["schema"])}


def _alone(schema: Node) -> Node:
    """What the parameter's own node says already is left out."""
    return {name: value for name, value in schema.items() if name != "description"}


def _request_body(kind: type[msgspec.Struct], schemas: Schemas, examples: Node) -> Node:
    content: Node = {"schema": schemas.of(kind)}
    if "request" in examples:
        content["example"] = examples["request"]
    return {"required": True, "content": {_JSON: content}}


def _schema_of(kind: Any, handler: HTTPRouteHandler, schemas: Schemas) -> Node:
    """Of an answer's body; of a stream, that of one event."""
    if kind in (None, type(None)):
        return {}
    return words.event(schemas.of(handler.opt["events"])) if kind is Stream else schemas.of(kind)


def _answer(kind: Any, schema: Node, headers: list[str], example: Any) -> Node:
    """`headers`: those that the handler declares."""
    described: Node = {"description": words.RUNNING if kind is RunningShape else words.DONE}
    if headers or kind is RunningShape:
        described["headers"] = words.LOCATION
    if kind in (None, type(None)):
        return described
    content: Node = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {**described, "content": {words.EVENTS if kind is Stream else _JSON: content}}


@cache
def examples_of(domain: str) -> dict[str, Any]:
    """Operation → `request`, and answers by status. Taken from the demo's world."""
    folder = Path(str(sys.modules[f"portico.{domain}"].__file__)).parent
    found: dict[str, Any] = json.loads((folder / "examples.json").read_text())
    return found
