"""JSON bodies of the API: every wrong field is reported at once, with its pointer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from litestar import Request
from msgspec import Struct
from msgspec.structs import FieldInfo

from portico.errors import FieldFault, InputWrong, RequestWrong
from portico.i18n import _m

MISSING = _m("This field is required.")
WRONG_FORM = _m("This is not in the expected form: %(problem)s.")
UNKNOWN = _m("There is no such field here.")
NO_TEXT = _m("This contains a character that no text can have (NUL). Remove it.")

T = TypeVar("T", bound=Struct)
_PLACE = re.compile(r" - at `\$?(?P<path>.*)`$")


async def read_json(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """The body as this Struct. Raises RequestWrong if it is no JSON object, InputWrong with one fault per field."""
    try:
        raw = msgspec.json.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestWrong(str(error)) from None
    if not isinstance(raw, dict):
        raise RequestWrong("not an object")
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    faults = [FieldFault(f"/{_escaped(name)}", UNKNOWN) for name in raw if name not in fields]
    for name, field in fields.items():
        faults += _faults_of(raw, name, field)
    if faults:
        raise InputWrong(*faults)
    return _whole(raw, kind)


def _faults_of(raw: dict[str, Any], name: str, field: FieldInfo) -> list[FieldFault]:
    if name not in raw:
        return [FieldFault(f"/{name}", MISSING)] if field.required else []
    try:
        msgspec.convert(raw[name], field.type)
    except msgspec.ValidationError as error:
        return [_fault(f"/{name}", str(error))]
    return [FieldFault(pointer, NO_TEXT) for pointer, text in _texts(raw[name], f"/{name}") if "\x00" in text]


def _texts(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Every string in it, with its place."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _texts(part, f"{pointer}/{_escaped(name)}")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _texts(part, f"{pointer}/{place}")


def _whole(raw: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:  # a rule of the whole, from __post_init__
        raise InputWrong(_fault("", str(error))) from None


def _fault(pointer: str, problem: str) -> FieldFault:
    place = _PLACE.search(problem)
    if place:
        problem = problem[: place.start()]
        pointer += "".join(f"/{_escaped(part)}" for part in re.findall(r"[^.\[\]]+", place["path"]))
    return FieldFault(pointer, WRONG_FORM(problem=problem))


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
