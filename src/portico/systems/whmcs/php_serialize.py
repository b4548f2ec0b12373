"""PHP's `serialize` for the maps that WHMCS takes (custom fields)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TypeAlias

PhpValue: TypeAlias = "bool | int | str | Mapping[int, PhpValue] | Mapping[str, PhpValue] | None"

_INTEGER_KEY = re.compile(r"0|-?[1-9][0-9]*")
_INT64 = 2**63


def serialized_map(fields: Mapping[int, str]) -> str:
    """Custom field id → value, as WHMCS wants it: base64 of the serialized map."""
    return b64encode(serialize(fields)).decode("ascii")


def serialize(value: PhpValue) -> bytes:
    """Strings are measured in bytes of UTF-8: a wrong length and PHP drops the whole map without a word."""
    if value is None:
        return b"N;"
    if isinstance(value, bool):
        return b"b:%d;" % value
    if isinstance(value, int):
        return b"i:%d;" % value
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return b's:%d:"%s";' % (len(raw), raw)
    entries = b"".join(serialize(_key(key)) + serialize(inner) for key, inner in value.items())
    return b"a:%d:{%s}" % (len(value), entries)


def _key(key: int | str) -> int | str:
    """PHP turns keys that look like integers into integers; a serialized map must say so itself."""
    if isinstance(key, str) and _INTEGER_KEY.fullmatch(key) and -_INT64 <= int(key) < _INT64:
        return int(key)
    return key
