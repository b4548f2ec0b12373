"""The bitmaps of a change event: which fields changed, by their place in the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

EVERYTHING: Final = frozenset({"*"})
"""In place of field names: any field may have changed."""


@dataclass(frozen=True)
class Layout:
    """The fields of an event's record in schema order, and those of its compound fields."""

    record: str
    fields: tuple[str, ...]
    compounds: dict[int, tuple[str, ...]]


def layout_of(schema_json: str) -> Layout:
    """Raises ValueError (or KeyError, TypeError) for what is no Avro record."""
    schema = json.loads(schema_json)
    named: dict[str, dict[str, Any]] = {}
    compounds = {}
    for place, field in enumerate(schema["fields"]):
        record = _record_in(field["type"], named)
        if record is not None and place > 0:
            compounds[place] = tuple(child["name"] for child in record["fields"])
    return Layout(schema["name"], tuple(field["name"] for field in schema["fields"]), compounds)


def changed_by(bitmaps: Iterable[str], layout: Layout) -> frozenset[str]:
    """Names of the fields whose bits are set: `Phone`; `BillingAddress` and `BillingAddress.City` for a part.

    EVERYTHING where a bit does not fit the layout. Raises ValueError for what is no bitmap.
    """
    changed: set[str] = set()
    for bitmap in bitmaps:
        parent, dash, digits = bitmap.rpartition("-")
        names = _parts(int(parent), _bits(digits), layout) if dash else _named(_bits(digits), layout.fields)
        if names is None:
            return EVERYTHING
        changed |= names
    return frozenset(changed)


def _bits(digits: str) -> int:
    if not digits.startswith("0x"):
        raise ValueError(f"{digits!r} is no bitmap")
    return int(digits, 16)


def _parts(parent: int, bits: int, layout: Layout) -> set[str] | None:
    """A compound field's parts and, since one of them changed, the field itself."""
    if parent not in layout.compounds:
        return None
    children = _named(bits, layout.compounds[parent])
    if children is None:
        return None
    name = layout.fields[parent]
    return {f"{name}.{child}" for child in children} | ({name} if children else set())


def _named(bits: int, fields: tuple[str, ...]) -> set[str] | None:
    if bits >> len(fields):
        return None  # the schema is another one than the sender's
    return {field for place, field in enumerate(fields) if bits >> place & 1}


def _record_in(kind: Any, named: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The record behind a field's type: unions are unwrapped, names of earlier records resolved."""
    if isinstance(kind, list):
        return next((record for branch in kind if (record := _record_in(branch, named))), None)
    if isinstance(kind, str):
        return named.get(kind.rpartition(".")[2])
    if isinstance(kind, dict) and kind.get("type") == "record":
        named[kind["name"]] = kind
        for field in kind["fields"]:
            _record_in(field["type"], named)
        return kind
    return None
