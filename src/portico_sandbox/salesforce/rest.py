"""The resources below `/services/data/vNN.0`: which function answers which path.

`/composite` sends its parts through the same table, so that a part behaves as the call alone would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from portico_sandbox.salesforce.access import is_closed, visible
from portico_sandbox.salesforce.changes import Caller, Changes, changing
from portico_sandbox.salesforce.errors import Fault, Refusal, not_found, unknown_type
from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.sandbox import Sandbox

VERSIONS = tuple(f"{number}.0" for number in range(50, 69))


@dataclass(frozen=True)
class Call:
    """One request to a resource, outer or part of a composite."""

    sandbox: Sandbox
    caller: Caller
    method: str
    path: tuple[str, ...]
    """Below the version, unquoted."""
    query: Mapping[str, str]
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names."""
    changes: Changes | None = None
    """The transaction of the composite that this call is part of."""
    usage: tuple[int, int] = (0, 0)

    @property
    def version(self) -> str:
        return self.caller.version

    @property
    def entity(self) -> Entity:
        """The object that the path names. Raises Refusal (NOT_FOUND, as the real one does for paths)."""
        entity = entity_named(self.path[1 if self.path[0].lower() == "sobjects" else 2])
        if entity is None or is_closed(self.sandbox, entity):
            raise not_found()
        return entity

    @property
    def seen_entity(self) -> Entity:
        """The same as far as the caller may see it."""
        return visible(self.sandbox, self.entity)

    @contextmanager
    def writing(self) -> Iterator[Changes]:
        if self.changes is not None:
            yield self.changes
        else:
            with changing(self.sandbox, self.caller) as changes:
                yield changes

    def json_object(self) -> dict[str, Any]:
        if not isinstance(self.body, dict):
            raise Refusal(Fault("JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has none."))
        return self.body


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False
    """Whether a composite with allOrNone has to roll back: an error, or a collection with a failed row."""


Resource = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: tuple[str, ...]
    """Segments; `*` matches any one."""
    resource: Resource
    dial: str
    """Name of the call for the dials."""


def split_address(address: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """(version, path below it, query) of `/services/data/v68.0/…?…`. Raises Refusal (NOT_FOUND)."""
    path, _, query = address.partition("?")
    segments = [unquote(each) for each in path.split("/") if each]
    if segments[:2] != ["services", "data"] or len(segments) < 3 or segments[2].removeprefix("v") not in VERSIONS:
        raise not_found()
    return segments[2].removeprefix("v"), tuple(segments[3:]), dict(parse_qsl(query, keep_blank_values=True))


def route_of(routes: tuple[Route, ...], method: str, path: tuple[str, ...]) -> Route:
    """Raises Refusal: NOT_FOUND, or METHOD_NOT_ALLOWED where only the method is wrong."""
    found = [route for route in routes if _fits(route.pattern, path)]
    best = [route for route in found if route.method == method]
    if best:
        return best[0]
    if not found:
        raise not_found()
    allowed = ",".join(sorted({route.method for route in found}))
    raise Refusal(Fault("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {allowed}"))


def answer(routes: tuple[Route, ...], call: Call) -> Answer:
    """Runs a call; refusals become answers."""
    try:
        return route_of(routes, call.method, call.path).resource(call)
    except Refusal as refusal:
        return refused(refusal)


def refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, [fault.for_row() for fault in refusal.faults], failed=True)


def part_of(
    call: Call, method: str, address: str, body: Any, headers: Mapping[str, str], changes: Changes | None
) -> Call:
    """A subrequest of a composite as a call of its own."""
    version, path, query = split_address(address)
    return replace(
        call,
        caller=replace(call.caller, version=version),
        method=method.upper(),
        path=path,
        query=query,
        body=body,
        headers=headers,
        changes=changes,
    )


def envelope(message: str) -> Refusal:
    """A call of several that is refused as a whole, before anything runs."""
    return Refusal(Fault("JSON_PARSER_ERROR", message))


def type_of(sandbox: Sandbox, body: Any) -> Entity:
    """The object that a record of a collection names in its attributes. Raises Refusal."""
    named = body.get("attributes") if isinstance(body, dict) else None
    name = named.get("type") if isinstance(named, dict) else None
    if not isinstance(name, str):
        raise Refusal(Fault("INVALID_TYPE", "No sObject type is given in the attributes of the record", ()))
    entity = entity_named(name)
    if entity is None or is_closed(sandbox, entity):
        raise unknown_type(name)
    return entity


def _fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(
        want in ("*", have.lower()) for want, have in zip(pattern, path, strict=True)
    )
