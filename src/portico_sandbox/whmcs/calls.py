"""One API call as its action sees it: parameters read the way PHP reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.php_form import PhpKey, PhpValue
from portico_sandbox.whmcs.switches import Switches, switches_of

Answer: TypeAlias = dict[str, Any]


class ApiRefusal(Exception):
    """`result=error` with this message."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Call:
    sandbox: Sandbox
    params: dict[str, PhpValue]

    @property
    def switches(self) -> Switches:
        return switches_of(self.sandbox)

    def has(self, name: str) -> bool:
        return name in self.params

    def text(self, name: str, default: str = "") -> str:
        """Arrays count as not sent: PHP would write `Array` and warn."""
        value = self.params.get(name, default)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: int = 0) -> int:
        """PHP's (int): the leading digits, else 0."""
        if name not in self.params:
            return default
        return to_int(self.text(name))

    def flag(self, name: str) -> bool:
        """PHP's truth: everything but the empty string and `0`, the word `false` included."""
        value = self.params.get(name, "")
        return bool(value) and value != "0"

    def array(self, name: str) -> dict[PhpKey, PhpValue]:
        value = self.params.get(name)
        return value if isinstance(value, dict) else {}

    def echo(self, name: str) -> str | None:
        """The parameter as it was sent, null when it was not."""
        return self.text(name) if self.has(name) else None


Action: TypeAlias = Callable[[Call], Answer]


def to_int(text: str) -> int:
    digits = re.match(r"\s*[+-]?[0-9]{1,18}", text)
    return int(digits.group()) if digits else 0


def listing(call: Call, container: str, single: str, rows: list[Row], row: Callable[[Row], Answer]) -> Answer:
    """A paged list: `limitstart` and `limitnum` (25 when left out), counts as ints, the two-level container."""
    start = max(call.number("limitstart"), 0)
    size = max(call.number("limitnum", 25), 0)
    page = [row(each) for each in rows[start : start + size]]
    counts = {"totalresults": len(rows), "startnumber": start, "numreturned": len(page)}
    return {**counts, container: {single: page}}
