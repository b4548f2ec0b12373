"""The only place where SOQL is built: values are quoted by type, names are checked."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

LONGEST_TEXT = 4000
"""Characters of one quoted text in a WHERE clause; Salesforce refuses longer ones."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")
_SLOT = re.compile(r"\{(\w+)\}")
_ESCAPES = {
    "\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f",
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """Checked names of fields or objects; made by `names` only."""

    text: str


@dataclass(frozen=True)
class Containing:
    """For LIKE: any text that contains these characters, taken literally."""

    text: str


Value = Names | Containing | str | bool | int | Decimal | date | datetime | Collection[str] | None


def soql(template: str, **values: Value) -> str:
    """Fills the `{slots}` of a template of ours; every value is quoted according to its type.

    `soql("SELECT {fields} FROM Account WHERE {number} = {wanted}", fields=names("Id", "Name"),
    number=names(field), wanted="C-1")`. Raises ValueError for a value that no SOQL text can hold.
    """
    return _SLOT.sub(lambda slot: _literal(values[slot[1]]), template)


def names(*fields: str) -> Names:
    """Field or object names, from our code or the field map. Raises ValueError where one is no name."""
    for field in fields:
        if not _NAME.fullmatch(field):
            raise ValueError(f"{field!r} is no name of a Salesforce field")
    return Names(", ".join(fields))


def _literal(value: Value) -> str:
    match value:
        case Names(text):
            return text
        case Containing(text):
            return _quoted("%" + _escaped(text).replace("%", "\\%").replace("_", "\\_") + "%")
        case str():
            return _quoted(_escaped(value))
        case None | bool() | int() | Decimal() | date():
            return _bare(value)
        case _:
            return _listed(value)


def _bare(value: bool | int | Decimal | date | None) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case datetime():
            return _moment(value)
        case date():
            return value.isoformat()
        case _:
            return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _listed(values: Collection[str]) -> str:
    if not values:
        raise ValueError("IN () is not SOQL: don't ask for nothing")
    return "(" + ", ".join(_quoted(_escaped(value)) for value in values) + ")"


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _quoted(escaped: str) -> str:
    if len(escaped) > LONGEST_TEXT:
        raise ValueError("text too long for SOQL")
    return f"'{escaped}'"


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(letter) or _plain(letter) for letter in text)


def _plain(letter: str) -> str:
    """Other control characters and lone surrogates by number: they must not meet a parser or an encoder raw."""
    code = ord(letter)
    return f"\\u{code:04X}" if code < 0x20 or code == 0x7F or 0xD800 <= code <= 0xDFFF else letter
