"""What each route can refuse, as responses: one per status, with every code that may stand in it and no other."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from litestar.handlers import HTTPRouteHandler

from portico import errors
from portico.errors import InputWrong, PorticoError, StillRunning
from portico.web.csrf import SAFE_METHODS
from portico.web.openapi_schemas import REF

REMOTE = (errors.SystemDown, errors.SystemRefused, errors.SystemSurprised)
"""For `refusals=` of a route that asks one of the systems."""
LINK_REFUSALS = tuple(errors.LinkRefused.__subclasses__())
_RETRY = {
    "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}
}
_MEDIA_TYPE = "application/problem+json"


def refusals_of(handler: HTTPRouteHandler, method: str) -> set[type[PorticoError]]:
    """All errors that this route can answer, but for our own faults (500)."""
    opt = handler.opt
    found: set[type[PorticoError]] = {errors.Busy, *opt.get("refusals", ())}
    if opt["access"] == "customer":
        found |= {errors.SignInNeeded, errors.NotAllowed}
    if method not in SAFE_METHODS:
        found |= {errors.CrossSiteRequest, errors.MediaTypeWrong}
    if "body" in opt:
        found |= {errors.RequestWrong, errors.RequestTooLarge, InputWrong}
    if opt.get("ids"):
        found.add(errors.NotFound)
    if _reads_a_query(handler):
        found.add(InputWrong)
    if opt.get("keyed"):
        found |= {errors.IdempotencyKeyMissing, errors.IdempotencyKeyReused}
    return found


def responses_of(handler: HTTPRouteHandler, method: str) -> dict[str, Any]:
    """Status → reference, in the order of the statuses."""
    return {
        str(status): {"$ref": f"#/components/responses/{_name(status, kinds)}"}
        for status, kinds in _by_status(handler, method).items()
    }


def problems_of(handler: HTTPRouteHandler, method: str) -> dict[str, Any]:
    """The responses that `responses_of` refers to, by name."""
    return {_name(status, kinds): _response(status, kinds) for status, kinds in _by_status(handler, method).items()}


def _by_status(handler: HTTPRouteHandler, method: str) -> dict[int, list[type[PorticoError]]]:
    grouped: dict[int, dict[str, type[PorticoError]]] = defaultdict(dict)
    for kind in sorted(refusals_of(handler, method), key=lambda kind: kind.__name__):
        if kind is not StillRunning:
            grouped[kind.status].setdefault(kind.code, kind)
    return {status: [grouped[status][code] for code in sorted(grouped[status])] for status in sorted(grouped)}


def _name(status: int, kinds: list[type[PorticoError]]) -> str:
    return ".".join([str(status), *(kind.code for kind in kinds)])


def _response(status: int, kinds: list[type[PorticoError]]) -> dict[str, Any]:
    codes = {"properties": {"code": {"enum": [kind.code for kind in kinds]}, "status": {"const": status}}}
    content = {
        "schema": {"allOf": [{"$ref": f"{REF}Problem"}, codes]},
        "examples": {kind.code: {"value": _example(kind)} for kind in kinds},
    }
    described: dict[str, Any] = {
        "description": "\n".join(f"- `{kind.code}`: {kind.for_customer.text}" for kind in kinds),
        "content": {_MEDIA_TYPE: content},
    }
    if all(kind.retry_after for kind in kinds):
        described["headers"] = _RETRY
    return described


def _example(kind: type[PorticoError]) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": f"urn:portico:problem:{kind.code}",
        "title": kind.code.replace("_", " ").capitalize(),
        "status": kind.status,
        "detail": kind.for_customer.text,
        "code": kind.code,
        "trace_id": "5f0c9e4d1b7a2c38",
    }
    if issubclass(kind, InputWrong):
        example["errors"] = [{"pointer": "/email", "detail": "This field is required."}]
    if kind.retry_after:
        example["retry_after"] = kind.retry_after
    return example


def _reads_a_query(handler: HTTPRouteHandler) -> bool:
    own = set(handler.parsed_fn_signature.parameters) - {"request"} - set(handler.opt.get("ids", {}))
    return bool(own)
