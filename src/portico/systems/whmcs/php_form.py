"""Forms as PHP reads them: lists and maps in brackets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import urlencode

FormValue: TypeAlias = (
    "str | int | bool | Decimal | Sequence[FormValue] | Mapping[int, FormValue] | Mapping[str, FormValue] | None"
)


def encode_form(params: Mapping[str, FormValue]) -> bytes:
    """`{"pid": [31, 44], "noemail": True}` → `pid%5B0%5D=31&pid%5B1%5D=44&noemail=1`.

    Indexes are explicit, so that parallel arrays stay aligned where one has a gap. None and False are left out:
    PHP reads the word `false` as true.
    """
    pairs = [pair for name, value in params.items() for pair in _pairs(name, value)]
    return urlencode(pairs).encode("ascii")


def _pairs(name: str, value: FormValue) -> Iterator[tuple[str, str]]:
    if value is None or value is False:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _pairs(f"{name}[{key}]", inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from _pairs(f"{name}[{index}]", inner)
    else:
        yield name, _scalar(value)


def _scalar(value: str | int | Decimal) -> str:
    if value is True:
        return "1"
    return format(value, "f") if isinstance(value, Decimal) else str(value)
