"""PHP's serialize() format, read only: maps of plain values, never objects."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TypeAlias

from portico_sandbox.whmcs.php_form import PhpKey, php_key

PhpData: TypeAlias = "bool | int | float | str | dict[PhpKey, PhpData] | None"

MAX_DEPTH = 8
MAX_BYTES = 65_536
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


class BadSerialization(ValueError):
    """What makes PHP's unserialize() answer false; objects are refused as well."""


def read_map(encoded: str) -> dict[PhpKey, PhpData]:
    """Base64 of a serialized map. Empty where PHP would read `false`: WHMCS drops such a field without a word."""
    try:
        value = loads(_decode_like_php(encoded))
    except BadSerialization:
        return {}
    return value if isinstance(value, dict) else {}


def loads(data: bytes) -> PhpData:
    """Reads one serialized value. Raises BadSerialization for wrong lengths, objects, too much depth or size."""
    if len(data) > MAX_BYTES:
        raise BadSerialization("too long")
    return _Reader(data).value(depth=0)


def _decode_like_php(encoded: str) -> bytes:
    # PHP skips characters outside the alphabet and does not insist on padding.
    text = _NOT_BASE64.sub("", encoded)
    if len(text) % 4 == 1:
        text = text[:-1]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise BadSerialization(str(error)) from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def value(self, depth: int) -> PhpData:
        kind = self._take(1)
        if kind == b"N":
            self._expect(b";")
            return None
        self._expect(b":")
        match kind:
            case b"i":
                return self._whole(b";")
            case b"b":
                return bool(self._whole(b";"))
            case b"d":
                return self._float()
            case b"s":
                return self._string()
            case b"a":
                return self._array(depth)
        raise BadSerialization(f"type {kind!r} is refused")

    def _array(self, depth: int) -> dict[PhpKey, PhpData]:
        if depth >= MAX_DEPTH:
            raise BadSerialization("too deep")
        count = self._whole(b":")
        if not 0 <= count <= MAX_BYTES:
            raise BadSerialization("impossible count")
        self._expect(b"{")
        array: dict[PhpKey, PhpData] = {}
        for _ in range(count):
            key = self._key(depth)
            array[key] = self.value(depth + 1)
        self._expect(b"}")
        return array

    def _key(self, depth: int) -> PhpKey:
        key = self.value(depth + 1)
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise BadSerialization("a key is an int or a string")
        return php_key(key) if isinstance(key, str) else key

    def _string(self) -> str:
        length = self._whole(b":")
        self._expect(b'"')
        text = self._take(length)
        self._expect(b'";')
        return text.decode("utf-8", "replace")

    def _float(self) -> float:
        try:
            return float(self._until(b";"))
        except ValueError as error:
            raise BadSerialization(str(error)) from error

    def _whole(self, end: bytes) -> int:
        text = self._until(end)
        if not re.fullmatch(rb"[+-]?[0-9]{1,19}", text):
            raise BadSerialization(f"{text!r} is no integer")
        return int(text)

    def _until(self, end: bytes) -> bytes:
        stop = self._data.find(end, self._at)
        if stop < 0:
            raise BadSerialization("ends too early")
        text = self._data[self._at : stop]
        self._at = stop + len(end)
        return text

    def _take(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            raise BadSerialization("ends too early")
        text = self._data[self._at : self._at + count]
        self._at += count
        return text

    def _expect(self, text: bytes) -> None:
        if self._take(len(text)) != text:
            raise BadSerialization(f"{text!r} expected at {self._at}")
