"""WHERE and ORDER BY of a parsed query, checked against the objects and turned into functions of a row."""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from portico_sandbox.clock import TOKYO
from portico_sandbox.salesforce.changes import wire_time
from portico_sandbox.salesforce.errors import Fault, Refusal, refuse
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.lookup import row_of, value_of
from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.schema import NUMBERS, Entity, Field
from portico_sandbox.salesforce.soql_parse import Comparison, Condition, Junction, Literal, Not, Path, Query
from portico_sandbox.salesforce.values import parse_moment
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_COMPARE = {"<": operators.lt, "<=": operators.le, ">": operators.gt, ">=": operators.ge}

Test = Callable[[Row], bool]
SemiJoin = Callable[[Query], set[Any]]
Range = tuple[str, str]
"""First value that is within, first that is not any more."""


@dataclass(frozen=True)
class Way:
    """A field seen from an object: the references to follow, then the field."""

    hops: tuple[tuple[Field, Entity], ...]
    entity: Entity
    """That holds the field."""
    field: Field

    def value(self, sandbox: Sandbox, row: Row | None) -> Any:
        owner = self.owner(sandbox, row)
        return None if owner is None else value_of(sandbox.store, self.entity, owner, self.field)

    def owner(self, sandbox: Sandbox, row: Row | None) -> Row | None:
        for reference, target in self.hops:
            row = row_of(sandbox.store, target, (row or {}).get(reference.name), deleted=True)
        return row


def way_to(entity: Entity, path: Path, alias: str = "") -> Way:
    """Raises Refusal (INVALID_FIELD) where the object has no such field or relationship."""
    steps = path[1:] if len(path) > 1 and path[0].lower() in (alias.lower(), entity.name.lower()) else path
    hops: list[tuple[Field, Entity]] = []
    here = entity
    for step in steps[:-1]:
        reference = here.parent(step)
        target = entity_named(reference.refers_to) if reference else None
        if reference is None or target is None:
            raise _invalid_field(
                f"Didn't understand relationship '{step}' in field path. If you are attempting to use a custom "
                "relationship, be sure to append the '__r' after the custom relationship name."
            )
        hops.append((reference, target))
        here = target
    field = here.field(steps[-1])
    if field is None or field.write_only:
        raise _invalid_field(
            f"No such column '{steps[-1]}' on entity '{here.name}'. If you are attempting to use a custom field, be "
            "sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call "
            "for the appropriate names."
        )
    return Way(tuple(hops), here, field)


def test_of(sandbox: Sandbox, entity: Entity, condition: Condition, alias: str, semi_join: SemiJoin) -> Test:
    """Checks the whole condition at once; the answer decides on one row."""
    match condition:
        case Not(inner):
            holds = test_of(sandbox, entity, inner, alias, semi_join)
            return lambda row: not holds(row)
        case Junction(word, conditions):
            tests = [test_of(sandbox, entity, each, alias, semi_join) for each in conditions]
            every = all if word == "AND" else any
            return lambda row: every(test(row) for test in tests)
        case Comparison():
            return _comparison(sandbox, entity, condition, alias, semi_join)


def sort_key(field: Field, value: Any) -> Any:
    exact = ("id", "reference", "date", "datetime")
    return value.casefold() if isinstance(value, str) and field.type not in exact else value


def comparable(sandbox: Sandbox, field: Field, literal: Literal) -> Any:
    """A literal in the form that values of the field are compared in. Raises Refusal where it does not fit."""
    if literal.kind == "null":
        return None
    if field.type in ("id", "reference"):
        record_id = normal(literal.text) if literal.kind == "string" else None
        if record_id is None:
            raise refuse("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {literal.text}")
        return record_id
    if field.type in NUMBERS:
        return float(literal.text) if literal.kind == "number" else _misfit(field, "double")
    if field.type == "boolean":
        return literal.text == "TRUE" if literal.kind == "boolean" else _misfit(field, "boolean")
    if field.type in ("date", "datetime"):
        return _time(sandbox, field, literal)
    # An empty text is null to Salesforce.
    return literal.text.casefold() or None if literal.kind == "string" else _misfit(field, "string", quoted=True)


def _comparison(sandbox: Sandbox, entity: Entity, node: Comparison, alias: str, semi_join: SemiJoin) -> Test:
    way = way_to(entity, node.path, alias)
    _check_filterable(way, node)
    if node.query:
        wanted: list[Any] = list(semi_join(node.query))
    elif node.operator == "LIKE":
        return _like(sandbox, way, node.values[0])
    else:
        wanted = [comparable(sandbox, way.field, each) for each in node.values]
    if way.field.type == "multipicklist":
        return _on_set(sandbox, way, node.operator, wanted)
    decide = _decision(node.operator, wanted)
    return lambda row: decide(sort_key(way.field, way.value(sandbox, row)))


def _check_filterable(way: Way, node: Comparison) -> None:
    if way.field.type == "address" or (way.field.type == "textarea" and way.field.length > 255):
        raise _invalid_field(f"field '{way.field.name}' can not be filtered in a query call")
    if node.operator in ("INCLUDES", "EXCLUDES") and way.field.type != "multipicklist":
        raise Refusal(Fault("INVALID_QUERY_FILTER_OPERATOR", "includes and excludes want a multi-select picklist"))


def _decision(operator: str, wanted: list[Any]) -> Callable[[Any], bool]:
    if operator in ("=", "IN"):
        return lambda value: any(_equals(value, each) for each in wanted)
    if operator in ("!=", "NOT IN"):
        return lambda value: not any(_equals(value, each) for each in wanted)
    return lambda value: value is not None and wanted[0] is not None and _ordered(operator, value, wanted[0])


def _equals(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return value is not None and wanted[0] <= value < wanted[1]
    return bool(value == wanted)


def _ordered(operator: str, value: Any, wanted: Any) -> bool:
    """A range of days counts as its first moment for < and >=, as its end for > and <=."""
    if isinstance(wanted, tuple):
        start, end = wanted
        below = value < (end if operator == "<=" else start)
        at_or_above = value >= (end if operator == ">" else start)
        return bool(below if operator in ("<", "<=") else at_or_above)
    return bool(_COMPARE[operator](value, wanted))


def _on_set(sandbox: Sandbox, way: Way, operator: str, wanted: list[Any]) -> Test:
    """`INCLUDES ('a;b', 'c')` holds where a and b are chosen, or c is."""
    sets = [frozenset((each or "").split(";")) - {""} for each in wanted]

    def chosen(row: Row) -> frozenset[str]:
        return frozenset((way.value(sandbox, row) or "").casefold().split(";")) - {""}

    if operator in ("=", "IN"):
        return lambda row: chosen(row) in sets
    if operator in ("!=", "NOT IN"):
        return lambda row: chosen(row) not in sets
    if operator == "INCLUDES":
        return lambda row: any(each <= chosen(row) for each in sets)
    if operator == "EXCLUDES":
        return lambda row: not any(each <= chosen(row) for each in sets)
    raise Refusal(Fault("INVALID_QUERY_FILTER_OPERATOR", "invalid operator on multi-select picklist"))


def _like(sandbox: Sandbox, way: Way, literal: Literal) -> Test:
    if literal.kind != "string" or way.field.type in NUMBERS | {"boolean", "date", "datetime", "id", "reference"}:
        raise Refusal(Fault("INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {way.field.type} field"))
    parts = re.findall(r"\\[_%\\]|.", literal.text, flags=re.DOTALL)
    wild = {"%": ".*", "_": "."}
    pattern = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    matcher = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda row: bool(matcher.fullmatch(way.value(sandbox, row) or ""))


def _time(sandbox: Sandbox, field: Field, literal: Literal) -> str | Range:
    if literal.kind == "range":
        first, after = _days(sandbox, literal.text)
        return _bounds(field, first, after)
    if literal.kind == "date" and field.type == "date":
        return literal.text
    if literal.kind == "datetime" and field.type == "datetime":
        moment = parse_moment(literal.text)
        if moment:
            return moment
    _misfit(field, "dateTime" if field.type == "datetime" else "date")
    return ""


def _bounds(field: Field, first: date, after: date) -> Range:
    if field.type == "date":
        return first.isoformat(), after.isoformat()
    start, end = (wire_time(datetime(day.year, day.month, day.day, tzinfo=TOKYO)) for day in (first, after))
    return start, end


def _days(sandbox: Sandbox, word: str) -> tuple[date, date]:
    """The days that a date literal means to a user in Japan."""
    today, day = sandbox.clock.today(), timedelta(days=1)
    name, _, count = word.partition(":")
    match name, count:
        case "TODAY", "":
            return today, today + day
        case "YESTERDAY", "":
            return today - day, today
        case "TOMORROW", "":
            return today + day, today + 2 * day
        case "LAST_N_DAYS", _ if count:
            return today - int(count) * day, today + day
        case "NEXT_N_DAYS", _ if count:
            return today + day, today + (int(count) + 1) * day
        case _:
            raise Refusal(Fault("MALFORMED_QUERY", f"unexpected token: '{word}'"))


def _misfit(field: Field, wanted: str, *, quoted: bool = False) -> Any:
    rest = "and should be enclosed in quotes" if quoted else "and should not be enclosed in quotes"
    raise _invalid_field(f"value of filter criterion for field '{field.name}' must be of type {wanted} {rest}")


def _invalid_field(message: str) -> Refusal:
    return Refusal(Fault("INVALID_FIELD", message))
