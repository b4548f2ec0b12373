"""How PHP reads a form: `pid[0]=31&itemamount[118]=550&a[][b]=x` becomes arrays in arrays."""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

PhpKey: TypeAlias = "int | str"
PhpValue: TypeAlias = "str | dict[PhpKey, PhpValue]"

MAX_INPUT_VARS = 1000
MAX_NESTING = 64
_CANONICAL_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")


def parse_form(body: bytes) -> dict[str, PhpValue]:
    """The `$_POST` of a urlencoded body: later scalars win, `[]` appends, variables past 1000 vanish silently."""
    form: dict[PhpKey, PhpValue] = {}
    pairs = [pair for pair in body.split(b"&") if pair]
    for pair in pairs[:MAX_INPUT_VARS]:
        name, _, value = pair.partition(b"=")
        head, path = split_name(_decode(name))
        if head and len(path) <= MAX_NESTING:
            _register(form, head, path, _decode(value))
    return {str(key): value for key, value in form.items()}


def split_name(name: str) -> tuple[str, list[str | None]]:
    """`a[b][]` is `("a", ["b", None])`; an unclosed bracket is part of the name, text after the last `]` is dropped."""
    head, bracket, rest = name.lstrip(" ").partition("[")
    head = _plain(head)
    if not bracket:
        return head, []
    if not head:
        return "", []  # PHP ignores a name that begins with a bracket
    if "]" not in rest:
        return f"{head}_{_plain(rest)}", []
    return head, _keys(rest)


def php_key(text: str) -> PhpKey:
    """PHP turns keys that look like canonical integers into integers."""
    return int(text) if _CANONICAL_INT.fullmatch(text) else text


def _keys(rest: str) -> list[str | None]:
    keys: list[str | None] = []
    while "]" in rest:
        key, _, rest = rest.partition("]")
        keys.append(key if key.strip() else None)
        if not rest.startswith("["):
            break
        rest = rest[1:]
    return keys


def _register(form: dict[PhpKey, PhpValue], head: str, path: list[str | None], value: str) -> None:
    here, keys = form, [head, *path]
    for key in keys[:-1]:
        place = _place(here, key)
        inner = here.get(place)
        if not isinstance(inner, dict):
            inner = here[place] = {}
        here = inner
    here[_place(here, keys[-1])] = value


def _place(array: dict[PhpKey, PhpValue], key: str | None) -> PhpKey:
    if key is not None:
        return php_key(key)
    return max((k for k in array if isinstance(k, int)), default=-1) + 1


def _plain(name: str) -> str:
    return re.sub(r"[ .\[]", "_", name)


def _decode(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "replace")
