"""Values on the wire into values of a row: each field type checked as Salesforce checks it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from portico_sandbox.salesforce.changes import wire_time
from portico_sandbox.salesforce.errors import Fault, Refusal, refuse
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.schema import TEXTS, Field, FieldType

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def converted(field: Field, value: Any) -> Any:
    """The value as a row keeps it; empty text becomes None. Raises Refusal with the vendor's code."""
    if field.type not in _CONVERT or (value is None and field.type == "boolean"):
        raise _wrong_type(field, field.type, value)
    return None if value is None else _CONVERT[field.type](field, value)


def parse_moment(value: Any) -> str | None:
    """An ISO moment with an offset, as rows keep it (UTC, milliseconds); None where it is none."""
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return None
    offset = "+00:00" if found[3] == "Z" else found[3]
    offset = offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    try:
        return wire_time(datetime.fromisoformat(f"{found[1]}{(found[2] or '.000')[:4].ljust(4, '0')}{offset}"))
    except ValueError:
        return None


def _text(field: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _wrong_type(field, "string", value)
    kept = value.strip()
    size = len(kept.encode()) if field.bytes_limit else len(kept)
    if field.length and size > field.length:
        message = f"{field.name}: data value too large: {kept[:80]} (max length={field.length})"
        raise refuse("STRING_TOO_LONG", message, field.name)
    if field.type == "email" and kept and not _EMAIL.fullmatch(kept):
        raise refuse("INVALID_EMAIL_ADDRESS", f"{field.name}: invalid email address: {kept}", field.name)
    _check_picklist(field, kept)
    return kept or None


def _check_picklist(field: Field, value: str) -> None:
    if not (field.restricted and value):
        return
    for chosen in value.split(";") if field.type == "multipicklist" else [value]:
        if chosen not in field.values:
            message = f"{field.name}: bad value for restricted picklist field: {chosen}"
            raise refuse("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, field.name)


def _reference(field: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _wrong_type(field, "id", value)
    if not value:
        return None
    record_id = normal(value)
    if record_id is None:
        raise refuse("MALFORMED_ID", f"{field.name}: id value of incorrect type: {value}", field.name)
    return record_id


def _boolean(field: Field, value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise _wrong_type(field, "boolean", value)
    return value


def _bytes(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type(field, "base64Binary", value)
    return value


def _number(field: Field, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _wrong_type(field, field.type, value)
    try:
        number = float(value)
    except ValueError:
        raise _wrong_type(field, field.type, value) from None
    if not abs(number) < 1e16:
        raise refuse("NUMBER_OUTSIDE_VALID_RANGE", f"{field.name}: value outside of valid range: {value}", field.name)
    if field.type != "int":
        return round(number, 2)
    if number != int(number):
        raise _wrong_type(field, "int", value)
    return int(number)


def _date(field: Field, value: Any) -> str:
    try:
        return date.fromisoformat(value[:10]).isoformat()
    except (TypeError, ValueError):
        raise _wrong_type(field, "date", value) from None


def _moment(field: Field, value: Any) -> str:
    moment = parse_moment(value)
    if moment is None:
        raise _wrong_type(field, "datetime", value)
    return moment


def _wrong_type(field: Field, wanted: str, value: Any) -> Refusal:
    """What the JSON reader says to a value of a wrong type; names the field, as the real one does not always."""
    shape = {str: "STRING", bool: "TRUE" if value else "FALSE", int: "NUMBER_INT", float: "NUMBER_FLOAT"}
    kind = shape.get(type(value), "OBJECT" if isinstance(value, dict) else "ARRAY")
    text = value if isinstance(value, str) else json.dumps(value)
    message = (
        f"Cannot deserialize instance of {wanted} from VALUE_{kind} value {text} or request may be missing a required "
        f"field at [field {field.name}]"
    )
    return Refusal(Fault("JSON_PARSER_ERROR", message, (field.name,)))


_CONVERT: dict[FieldType, Callable[[Field, Any], Any]] = {
    "reference": _reference,
    "boolean": _boolean,
    "base64": _bytes,
    "int": _number,
    "double": _number,
    "currency": _number,
    "date": _date,
    "datetime": _moment,
    **dict.fromkeys(TEXTS, _text),
}
