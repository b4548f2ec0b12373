"""Account details read tolerantly: below the envelope all names are hearsay, in either casing, numbers or text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from portico.errors import SystemSurprised
from portico.settings import FreebitSettings

LineState = Literal["waiting", "active", "suspended", "temporary", "obsolete", "other"]

_STATES: dict[str, LineState] = {
    "waiting": "waiting",
    "active": "active",
    "suspended": "suspended",
    "temporary": "temporary",
    "obsolete": "obsolete",
}


@dataclass(frozen=True, slots=True)
class Line:
    account: str
    """The phone number: digits with the leading zero."""
    state: LineState
    plan_code: str
    eid: str
    iccid: str
    matching_id: str
    """For installing the eSIM; may be empty, also for good."""
    contract_line: str
    remaining_kb: int | None
    pending: str
    """The call that is still being worked on, such as PA05-41; empty when none."""


def items_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items of `responseDatas`; one alone may stand without its list."""
    found = _get(answer, "responseDatas")
    if found in (None, ""):
        return []
    items = found if isinstance(found, list) else [found]
    if not all(isinstance(item, dict) for item in items):
        raise SystemSurprised("freebit", "responseDatas holds something else than objects")
    return items


def is_line(item: Mapping[str, Any]) -> bool:
    """Beside lines the list holds the master that they hang on."""
    return text(item, "kind").upper() in ("MVNO", "") and text(item, "account") != ""


def account_of(item: Mapping[str, Any]) -> str:
    return full_number(text(item, "account"))


def full_number(account: str) -> str:
    """Digits only; with the zero that a number-typed answer lost. Domestic numbers all begin with one."""
    digits = account.replace("-", "").replace(" ", "")
    return f"0{digits}" if digits.isdecimal() and not digits.startswith("0") else digits


def line_from(item: Mapping[str, Any], settings: FreebitSettings) -> Line:
    remaining = text(item, "quota")
    return Line(
        account=account_of(item),
        state=_STATES.get((text(item, "state") or text(item, "status")).lower(), "other"),
        plan_code=text(item, "planCode"),
        eid=text(item, "eid"),
        iccid=text(item, "iccid"),
        matching_id=text(item, settings.matching_id_field),
        contract_line=text(item, "contractLine") or text(item, "networkType"),
        remaining_kb=int(remaining) if remaining.isdecimal() else None,
        pending=text(record(item, "async"), "func"),
    )


def text(item: Mapping[str, Any], name: str) -> str:
    """A scalar by its name in any casing; missing is empty."""
    value = _get(item, name)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def is_yes(item: Mapping[str, Any], name: str) -> bool:
    """Flags are `10` for yes and `20` for no."""
    return text(item, name) == "10"


def record(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside; missing is empty."""
    value = _get(item, name)
    return value if isinstance(value, dict) else {}


def _get(item: Mapping[str, Any], name: str) -> Any:
    if name in item:
        return item[name]
    return next((value for key, value in item.items() if key.lower() == name.lower()), None)
