"""The typing quirks of PHP's JSON, applied to a finished answer as the switches say."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from portico_sandbox.whmcs.calls import Answer
from portico_sandbox.whmcs.switches import Switches
from portico_sandbox.whmcs.values import words

CONTAINERS = {
    "invoices": "invoice",
    "items": "item",
    "transactions": "transaction",
    "products": "product",
    "addons": "addon",
    "customfields": "customfield",
    "configoptions": "configoption",
    "orders": "order",
    "lineitems": "lineitem",
    "packages": "package",
    "paymentmethods": "paymentmethod",
    "currencies": "currency",
    "credits": "credit",
}
DISPLAY_KEYS = frozenset(
    words(
        "firstname lastname fullname companyname address1 address2 city state fullstate name translated_name "
        "groupname translated_groupname product description notes reason"
    )
)
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")


def shaped(answer: Answer, switches: Switches) -> Answer:
    """The answer as a WHMCS with these switches would have typed it."""
    answer = _mapped(answer, switches)
    if switches.numbers != "tagged":
        answer = _retyped(answer, switches.numbers)
    return _flattened(answer) if switches.flatten else answer


def encoded(answer: Answer) -> bytes:
    """As PHP's json_encode() writes it: slashes and everything beyond ASCII escaped."""
    return json.dumps(answer, separators=(",", ":")).replace("/", "\\/").encode()


def _mapped(value: dict[str, Any], switches: Switches) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, item in value.items():
        if CONTAINERS.get(key) and item == {CONTAINERS[key]: []}:
            out.update(_empty(key, switches.empty))
        elif isinstance(item, dict):
            out[key] = _mapped(item, switches)
        elif isinstance(item, list):
            out[key] = _list(key, item, switches)
        elif isinstance(item, str) and switches.entities and key in DISPLAY_KEYS:
            out[key] = html.escape(item).replace("&#x27;", "&#039;")
        else:
            out[key] = item
    return out


def _empty(key: str, how: str) -> dict[str, Any]:
    match how:
        case "blank":
            return {key: ""}
        case "missing":
            return {}
        case "list":
            return {key: []}
    return {key: {CONTAINERS[key]: []}}


def _list(key: str, items: list[Any], switches: Switches) -> Any:
    rows = [_mapped(item, switches) if isinstance(item, dict) else item for item in items]
    if len(rows) == 1 and switches.single == "object" and key in CONTAINERS.values():
        return rows[0]
    if rows and switches.numeric_keys:
        # PHP writes a list with a gap as an object: as if its second row had been taken out.
        return {str(n if n == 0 else n + 1): row for n, row in enumerate(rows)}
    return rows


def _retyped(answer: Answer, how: str) -> Answer:
    count = 0

    def scalar(value: Any) -> Any:
        nonlocal count
        count += 1
        to_text = how == "strings" or (how == "mixed" and count % 2 == 0)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value) if to_text else value
        if isinstance(value, str) and not to_text and _INT.fullmatch(value):
            return int(value)
        return value

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else scalar(value)

    retyped: Answer = walk(answer)
    return retyped


def _flattened(answer: Answer) -> Answer:
    out: Answer = {}
    for key, value in answer.items():
        if key in CONTAINERS and isinstance(value, dict):
            out.update(_leaves(key, value))
        else:
            out[key] = value
    return out


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        name = f"{prefix}[{key}]"
        if isinstance(item, dict | list) and item:
            yield from _leaves(name, item)
        else:
            yield name, item
