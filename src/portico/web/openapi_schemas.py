"""JSON schemas of our Structs, under the names that a client's types shall have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.response import Stream

from portico.web.shapes import ProblemShape, RunningShape

REF = "#/components/schemas/"
_LISTING = re.compile(r"^Listing_(\w+?)(?:Out|Shape)?_$")
_ENDING = re.compile(r"(?:Out|Shape)$")


class Schemas:
    """`of(OrderOut)` refers to `Order`, `of(Listing[OrderOut])` to `OrderList`."""

    def __init__(self, kinds: Sequence[Any]) -> None:
        """`kinds` may hold the same type twice, None and Stream."""
        wanted = [kind for kind in kinds if kind not in (None, type(None), Stream)]
        self._kinds = [*wanted, ProblemShape, RunningShape]
        self._made, components = msgspec.json.schema_components(self._kinds, ref_template=REF + "{name}")
        self.components: dict[str, Any] = {
            public_name(name): _renamed({**schema, "title": public_name(name)})
            for name, schema in sorted(components.items())
        }
        if len(self.components) < len(components):
            raise ValueError(f"two shapes of one name among {sorted(components)}")

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type that was given."""
        found: dict[str, Any] = _renamed(self._made[self._kinds.index(kind)])
        return found


def public_name(name: str) -> str:
    if listing := _LISTING.match(name):
        return f"{listing[1]}List"
    return _ENDING.sub("", name)


def _renamed(node: Any) -> Any:
    if isinstance(node, list):
        return [_renamed(one) for one in node]
    if not isinstance(node, dict):
        return node
    changed = {name: _renamed(value) for name, value in node.items()}
    for name, part in (node["properties"] if node.get("type") == "object" else {}).items():
        if part.get("x-required"):
            changed["properties"][name] = {key: part[key] for key in part if key not in ("x-required", "default")}
            changed["required"] = [*changed.get("required", ()), name]
    if isinstance(node.get("$ref"), str):
        changed["$ref"] = REF + public_name(node["$ref"].removeprefix(REF))
    return changed
