"""The OpenAPI document: valid, complete, and the same as the routes say of themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, cast

import httpx2
import jsonschema_rs
import pytest
from litestar import Litestar
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from schemathesis.specs.openapi.definitions import OPENAPI_31

from portico.errors import StillRunning
from portico.routes import API, ROUTES
from portico.settings import read_settings
from portico.web import web_parts
from portico.web.gate import handlers_of
from portico.web.openapi import PATH, document_of
from portico.web.openapi_words import ID_FORMS, TAGS
from portico.web.shapes import RunningShape
from tests.api.contract import METHODS, Contract, Operation

READS = re.compile(r"read_json\(request, (\w+)\)")
KEYED = re.compile(r"idempotency-key|_key\(request\)")
GIVEN_BY_ALL = {"503"}
"""A portal that is busy says so at any address."""


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(document_of(API, read_settings()))


@pytest.fixture(scope="module")
def handlers() -> dict[tuple[str, str], HTTPRouteHandler]:
    """Method and path of every route under /api/v1 but the document's own."""
    app = Litestar(route_handlers=ROUTES, openapi_config=None, **web_parts(read_settings()))
    return {
        (str(method), route.path_format): cast(HTTPRouteHandler, handler)
        for route in app.routes
        if route.path.startswith("/api/v1/") and route.path != PATH
        for handler in handlers_of(route)
        for method in methods_of(handler)
    }


def methods_of(handler: BaseRouteHandler) -> Iterator[str]:
    assert isinstance(handler, HTTPRouteHandler)
    yield from handler.http_methods


def test_it_is_valid(contract: Contract) -> None:
    assert contract.document["openapi"].startswith("3.1.")
    problems = [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(contract.document)]
    assert problems == []


def test_it_names_exactly_the_routes(contract: Contract, handlers: dict[tuple[str, str], HTTPRouteHandler]) -> None:
    described = {(one.method, one.path) for one in contract.operations}
    assert described == set(handlers)
    assert not any(name not in METHODS for item in contract.document["paths"].values() for name in item)


def test_every_operation_is_told_in_full(contract: Contract) -> None:
    wanting = [one.id for one in contract.operations if not (one.node.get("description") and one.node["summary"])]
    assert wanting == []
    ids = [one.id for one in contract.operations]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch("[a-z]+(_[a-z]+)*", name)] == []
    assert {tag for one in contract.operations for tag in one.node["tags"]} == set(TAGS)


def test_it_says_what_the_handlers_do(contract: Contract, handlers: dict[tuple[str, str], HTTPRouteHandler]) -> None:
    """The body that is read, the key that is asked for, the operation that is answered, the session that is wanted."""
    wrong = []
    for one in contract.operations:
        handler = handlers[one.method, one.path]
        source = inspect.getsource(handler.fn)
        refusals = handler.opt.get("refusals", ())
        read, declared = READS.findall(source), handler.opt.get("body")
        said = {
            "body": read == ([declared.__name__] if declared else []),
            "key": bool(KEYED.search(source)) == bool(handler.opt.get("keyed")),
            "202": (RunningShape in handler.opt.get("also", {}).values()) == (StillRunning in refusals),
            "session": bool(one.node["security"]) == (handler.opt["access"] == "customer"),
            "ids": all(kind in ID_FORMS for kind in handler.opt.get("ids", {}).values()),
        }
        wrong += [f"{one.id}: {what}" for what, right in said.items() if not right]
    assert wrong == []


def test_what_changes_something_wants_the_origin(contract: Contract) -> None:
    for one in contract.operations:
        asked = [name["name"] for name in one.node["parameters"] if name["in"] == "header" and name["required"]]
        assert ("Origin" in asked) == (one.method != "GET"), one.id


def test_problems_have_one_form(contract: Contract) -> None:
    for one in contract.operations:
        refused = {status: node for status, node in one.node["responses"].items() if status >= "400"}
        assert refused.keys() >= GIVEN_BY_ALL, one.id
        for status, node in refused.items():
            response = contract.resolved(node)
            assert list(response["content"]) == ["application/problem+json"], one.id
            assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "502", "503")), one.id


def test_every_body_and_every_answer_has_an_example(contract: Contract) -> None:
    assert [one.id for one in contract.operations if "requestBody" in one.node and not example_in(one, "request")] == []
    silent = [
        f"{one.id} {status}"
        for one in contract.operations
        for status, node in one.node["responses"].items()
        if status < "300" and "content" in node and not example_in(one, status)
    ]
    assert silent == []


def test_the_examples_are_right(contract: Contract) -> None:
    faults = {
        where: found for where, schema, example in contract.examples() if (found := contract.faults(schema, example))
    }
    assert faults == {}


async def test_it_is_served_and_may_be_kept(api: httpx2.AsyncClient) -> None:
    answer = await api.get(PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"].startswith("public, max-age=")
    assert answer.headers["content-encoding"] == "gzip" and len(answer.json()["paths"]) > 30
    again = await api.get(PATH, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await api.options("/api/v1/cart")).headers["allow"] == "GET, OPTIONS, PUT"


def example_in(operation: Operation, place: str) -> Any:
    node = operation.node["requestBody"] if place == "request" else operation.node["responses"][place]
    return [content["example"] for content in node["content"].values() if "example" in content]
