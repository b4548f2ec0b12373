"""The OpenAPI document as a judge of real requests and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx2
from jsonschema_rs import Draft202012Validator

METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    node: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.node["operationId"])


class Contract:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    @cached_property
    def operations(self) -> list[Operation]:
        paths = self.document["paths"].items()
        return [Operation(name.upper(), path, item[name]) for path, item in paths for name in METHODS if name in item]

    def operation(self, method: str, path: str) -> Operation:
        """The one that a request to this path belongs to."""
        fitting = [one for one in self.operations if one.method == method and _pattern(one.path).fullmatch(path)]
        return min(fitting, key=lambda one: one.path.count("{"))

    def faults(self, schema: dict[str, Any], value: Any) -> list[str]:
        """What is wrong with a value; the schema may refer to components."""
        root = {"components": self.document["components"], **schema}
        validator = Draft202012Validator(root, validate_formats=True)
        return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        found = self.document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found

    def check(self, answer: httpx2.Response) -> None:
        """Status, media type, headers and body are what the document says of this call."""
        operation = self.operation(answer.request.method, answer.request.url.path)
        responses = operation.node["responses"]
        assert str(answer.status_code) in responses, f"{operation.id} answers {answer.status_code}: {answer.text}"
        described = self.resolved(responses[str(answer.status_code)])
        missing = [name for name, header in described.get("headers", {}).items() if header.get("required")]
        assert [name for name in missing if name not in answer.headers] == [], operation.id
        if "content" not in described:
            assert answer.content == b"", operation.id
            return
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in described["content"], f"{operation.id} answers {media_type}"
        if media_type.endswith("json"):
            assert self.faults(described["content"][media_type]["schema"], answer.json()) == [], operation.id

    def examples(self) -> Iterator[tuple[str, dict[str, Any], Any]]:
        """(where, schema, example) of every example in the document."""
        for operation in self.operations:
            bodies = {"request": operation.node.get("requestBody", {}), **operation.node["responses"]}
            for name, body in bodies.items():
                for media_type, content in self.resolved(body).get("content", {}).items():
                    shown = [content["example"]] if "example" in content else []
                    shown += [one["value"] for one in content.get("examples", {}).values()]
                    yield from ((f"{operation.id} {name} {media_type}", content["schema"], one) for one in shown)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
