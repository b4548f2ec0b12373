"""The tree that SOQL text is parsed into, and the complaint that knows its place in the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal as OneOf

from portico_sandbox.salesforce.errors import Fault, Refusal

Path = tuple[str, ...]
Kind = OneOf["string", "number", "date", "datetime", "boolean", "null", "range"]

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "MIN", "MAX", "AVG"})
DATE_FUNCTIONS = frozenset(
    {
        "CALENDAR_MONTH", "CALENDAR_QUARTER", "CALENDAR_YEAR", "DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR",
        "DAY_ONLY", "FISCAL_MONTH", "FISCAL_QUARTER", "FISCAL_YEAR", "HOUR_IN_DAY", "WEEK_IN_MONTH", "WEEK_IN_YEAR",
    }
)  # fmt: skip
RENDERINGS = frozenset({"TOLABEL", "FORMAT", "CONVERTCURRENCY"})


class Wrong(Exception):
    """Something in a query that the vendor refuses; `at` is where in the text."""

    def __init__(self, code: str, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = at

    def refusal(self, text: str) -> Refusal:
        place = "" if self.at is None else place_of(text, self.at)
        return Refusal(Fault(self.code, place + self.message))


def place_of(text: str, at: int) -> str:
    """Where in the text something is wrong, in the vendor's layout."""
    row = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    start = max(0, at - 40)
    shown = text[start : at + 20].replace("\n", " ")
    return f"\n{shown}\n{' ' * (at - start)}^\nERROR at Row:{row}:Column:{column}\n"


@dataclass(frozen=True)
class Literal:
    kind: Kind
    text: str
    """Unescaped for strings; as written else. Of a LIKE the escapes of `_` and `%` are kept."""
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Term:
    """A field, or a function of one: in the select list, a condition, GROUP BY or ORDER BY."""

    path: Path
    """Empty in `COUNT()`."""
    function: str = ""
    """Upper case; empty for the plain field."""
    local: bool = False
    """Whether `convertTimezone` stands around the field."""
    alias: str = field(default="", compare=False)
    at: int = field(default=0, compare=False)

    @property
    def is_aggregate(self) -> bool:
        return self.function in AGGREGATES

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for terms that mean the same, however they are written."""
        return (self.function, str(self.local), *(step.lower() for step in self.path))


@dataclass(frozen=True)
class FieldsItem:
    """FIELDS(ALL), FIELDS(STANDARD), FIELDS(CUSTOM)"""

    which: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class ChildItem:
    query: Query


@dataclass(frozen=True)
class Comparison:
    term: Term
    operator: str
    """= != < <= > >= LIKE IN NOT IN INCLUDES EXCLUDES"""
    values: tuple[Literal, ...]
    query: Query | None = None
    """Of a semi-join: `Id IN (SELECT …)`."""


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class Junction:
    word: OneOf["AND", "OR"]
    conditions: tuple[Condition, ...]


Condition = Comparison | Not | Junction
Item = Term | FieldsItem | ChildItem


@dataclass(frozen=True)
class Sorting:
    term: Term
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True)
class Query:
    entity: str
    items: tuple[Item, ...] = ()
    counting: bool = False
    """COUNT(): only the number is wanted."""
    where: Condition | None = None
    group: tuple[Term, ...] = ()
    having: Condition | None = None
    order: tuple[Sorting, ...] = ()
    limit: int | None = None
    offset: int = 0
    aliases: tuple[tuple[str, Path], ...] = ()
    """Names given in FROM (lower case), each with the relationships that it stands for."""
    at: int = field(default=0, compare=False)
    """Where the object is named."""

    @property
    def is_grouped(self) -> bool:
        return bool(self.group) or any(isinstance(item, Term) and item.is_aggregate for item in self.items)
