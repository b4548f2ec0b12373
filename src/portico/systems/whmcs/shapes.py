"""The many shapes of WHMCS answers, read into one: rows, numbers, amounts, dates, text."""

from __future__ import annotations

import html
import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from portico.errors import SystemSurprised
from portico.money import Money

Row: TypeAlias = dict[str, Any]

_BRACKETED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_EXPIRY = re.compile(r"([0-9]{2})/?(?:20)?([0-9]{2})")
_TRUE = {"1", "true", "on", "yes"}
_FALSE = {"", "0", "false", "off", "no"}


def unflatten(answer: Row) -> Row:
    """Turns top-level keys such as `addons[addon][0][id]` into what they mean; other keys stay as they are."""
    if not any("[" in key for key in answer):
        return answer
    nested: Row = {key: value for key, value in answer.items() if not _BRACKETED.fullmatch(key)}
    for key, value in answer.items():
        if match := _BRACKETED.fullmatch(key):
            _put(nested, [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])], value)
    return nested


def _put(tree: Row, path: list[str], value: Any) -> None:
    for step in path[:-1]:
        branch = tree.get(step)
        if not isinstance(branch, dict):
            branch = tree[step] = {}
        tree = branch
    tree[path[-1] or str(len(tree))] = value


def rows(answer: Mapping[str, Any], container: str, item: str) -> list[Row]:
    """The rows of a list, whatever it looks like: `{"invoices": {"invoice": […]}}`, flat, one row as an object,
    numeric keys, or empty as `""`, null, `[]`, `{}`, `[[]]` or missing.
    """
    found = answer.get(container)
    if isinstance(found, dict) and item in found:
        found = found[item]
    if not found:
        return []
    if isinstance(found, dict):
        found = _by_number(found) if all(key.isdecimal() for key in found) else [found]
    if not isinstance(found, list):
        raise SystemSurprised("whmcs", f"{container} is no list")
    kept = [row for row in found if row]
    if not all(isinstance(row, dict) for row in kept):
        raise SystemSurprised("whmcs", f"{container} holds something else than rows")
    return kept


def _by_number(found: Row) -> list[Any]:
    return [found[key] for key in sorted(found, key=int)]


def record(answer: Mapping[str, Any], name: str) -> Row:
    """An object; PHP writes an empty one as `[]`."""
    value = answer.get(name)
    if not value:
        return {}
    if not isinstance(value, dict):
        raise SystemSurprised("whmcs", f"{name} is no object")
    return value


def as_int(row: Mapping[str, Any], key: str) -> int:
    """A number that must be there, as int or text."""
    value = row.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    raise SystemSurprised("whmcs", f"{key} is no whole number")


def as_id(row: Mapping[str, Any], *keys: str) -> int | None:
    """The first of `keys` that holds an id; 0, empty and missing are none."""
    for key in keys:
        if row.get(key) not in (None, "", [], {}):
            return as_int(row, key) or None
    return None


def as_bool(row: Mapping[str, Any], key: str) -> bool:
    """Missing is False; a word that is neither yes nor no is a surprise."""
    value = row.get(key)
    if isinstance(value, bool):
        return value
    word = str(value if value is not None else "").strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise SystemSurprised("whmcs", f"{key} is neither true nor false")


def as_money(row: Mapping[str, Any], key: str, currency: str) -> Money:
    """An amount such as `"3000.00"`; formatted text (`¥3,000`) is a surprise, missing as well.

    Two decimals come for every currency: they are cut to the currency's own where nothing is lost.
    """
    value = row.get(key)
    # Whole numbers and text; a float can't come out of our JSON reader and would be inexact.
    text = str(value).strip() if isinstance(value, str | int | Decimal) else ""
    if not _AMOUNT.fullmatch(text):
        raise SystemSurprised("whmcs", f"{key} is no amount")
    exact = Money(Decimal(text), currency)
    short = exact.rounded()
    return short if short.amount == exact.amount else exact


def as_money_or_zero(row: Mapping[str, Any], key: str, currency: str) -> Money:
    return Money(Decimal(0), currency) if row.get(key) in (None, "") else as_money(row, key, currency)


def as_date(row: Mapping[str, Any], key: str) -> date | None:
    """`2026-05-01`, with or without a time; a zero date is none."""
    value = row.get(key)
    if value in (None, "") or str(value).startswith("0000-00-00"):
        return None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise SystemSurprised("whmcs", f"{key} is no date") from None


def as_datetime(row: Mapping[str, Any], key: str, timezone: ZoneInfo) -> datetime | None:
    """Server-local time without zone → aware UTC; a zero time is none."""
    value = row.get(key)
    if value in (None, "") or str(value).startswith("0000-00-00"):
        return None
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise SystemSurprised("whmcs", f"{key} is no time") from None
    return (read if read.tzinfo else read.replace(tzinfo=timezone)).astimezone(UTC)


def as_month_end(row: Mapping[str, Any], key: str) -> date | None:
    """A card's expiry, `MM/YY` or `MMYY` → the last day on which it is good."""
    text = as_raw(row, key).strip()
    if not text or set(text) <= {"0", "/"}:
        return None
    match = _EXPIRY.fullmatch(text)
    if not match or not 1 <= int(match[1]) <= 12:
        raise SystemSurprised("whmcs", f"{key} is no expiry")
    year, month = 2000 + int(match[2]), int(match[1])
    return date(year, month, monthrange(year, month)[1])


def as_raw(row: Mapping[str, Any], key: str) -> str:
    """Text as it is: ids, tokens, addresses of pages, codes."""
    value = row.get(key)
    if value is None or isinstance(value, bool | list | dict):
        return ""
    return str(value)


def as_text(row: Mapping[str, Any], key: str) -> str:
    """Text for people. WHMCS stores some of it HTML-encoded: entities are decoded once, so `&amp;amp;` is `&amp;`.

    Only what ends in a semicolon counts as an entity: plain text such as `R&not` stays what it was.
    """
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), as_raw(row, key))


def as_word(row: Mapping[str, Any], key: str) -> str:
    """A label such as `Payment Pending` or `One-Time`, lower case and letters only, to look it up."""
    return re.sub(r"[^a-z]", "", as_raw(row, key).lower())
