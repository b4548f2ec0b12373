"""WHERE and HAVING of a parsed query, checked against the objects and turned into functions of a row or a group."""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

from portico_sandbox.clock import TOKYO
from portico_sandbox.salesforce.changes import wire_time
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.schema import NUMBERS, Field
from portico_sandbox.salesforce.soql_dates import days_of
from portico_sandbox.salesforce.soql_tree import Comparison, Condition, Junction, Literal, Not, Query, Wrong
from portico_sandbox.salesforce.soql_ways import Column, Scope, is_long_text, sort_key
from portico_sandbox.salesforce.values import parse_moment
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_COMPARE = {"<": operators.lt, "<=": operators.le, ">": operators.gt, ">=": operators.ge}
_EQUALITY = ("=", "!=", "IN", "NOT IN")

Subject = TypeVar("Subject")
Test = Callable[[Subject], bool]
SemiJoin = Callable[[Column, Query], set[Any]]
Range = tuple[str, str]
"""First value that is within, first that is not any more."""


def test_of(condition: Condition, leaf: Callable[[Comparison], Test[Subject]]) -> Test[Subject]:
    """Puts a whole condition together from the tests of its comparisons."""
    match condition:
        case Not(inner):
            holds = test_of(inner, leaf)
            return lambda subject: not holds(subject)
        case Junction(word, conditions):
            tests = [test_of(each, leaf) for each in conditions]
            every = all if word == "AND" else any
            return lambda subject: every(test(subject) for test in tests)
        case Comparison():
            return leaf(condition)


def test_of_row(scope: Scope, node: Comparison, semi_join: SemiJoin) -> Test[Row]:
    """Raises Wrong where the field or the value does not fit."""
    if node.term.is_aggregate:
        raise Wrong("MALFORMED_QUERY", "Aggregate expressions are not allowed in WHERE", node.term.at)
    column = scope.column(node.term)
    read = column.reader(scope.sandbox)
    wanted = semi_join(column, node.query) if node.query else None
    decide = decision(scope.sandbox, column, node, wanted)
    return lambda row: decide(read(row))


def decision(
    sandbox: Sandbox, column: Column, node: Comparison, joined: set[Any] | None = None
) -> Callable[[Any], bool]:
    """What the comparison says of a value of the column; `joined` are the values of its semi-join."""
    field = column.field
    _check_filterable(field, node)
    if node.operator == "LIKE":
        return _like(field, node.values[0])
    wanted = list(joined) if joined is not None else [comparable(sandbox, field, each) for each in node.values]
    if field.type == "multipicklist":
        return _on_set(node, wanted)
    return _scalar(field, node.operator, wanted)


def comparable(sandbox: Sandbox, field: Field, literal: Literal) -> Any:
    """A literal in the form that values of the field are compared in. Raises Wrong where it does not fit."""
    if literal.kind == "null":
        return None
    if field.type in ("id", "reference"):
        record_id = normal(literal.text) if literal.kind == "string" else None
        if record_id is None:
            raise Wrong("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {literal.text}", literal.at)
        return record_id
    if field.type in NUMBERS:
        return float(literal.text) if literal.kind == "number" else _misfit(field, "double", literal)
    if field.type == "boolean":
        return literal.text == "TRUE" if literal.kind == "boolean" else _misfit(field, "boolean", literal)
    if field.type in ("date", "datetime"):
        return _time(sandbox, field, literal)
    # An empty text is null to Salesforce.
    return literal.text.casefold() or None if literal.kind == "string" else _misfit(field, "string", literal)


def _check_filterable(field: Field, node: Comparison) -> None:
    at = node.term.at
    if is_long_text(field):
        raise Wrong("INVALID_FIELD", f"field '{field.name}' can not be filtered in a query call", at)
    if node.operator in ("INCLUDES", "EXCLUDES") and field.type != "multipicklist":
        message = f"includes and excludes operators are only valid on multi-select picklists: {field.name}"
        raise Wrong("INVALID_QUERY_FILTER_OPERATOR", message, at)
    if field.type == "boolean" and node.operator not in _EQUALITY:
        raise Wrong("INVALID_QUERY_FILTER_OPERATOR", f"{field.name}: operator not valid for a boolean", at)


def _scalar(field: Field, operator: str, wanted: list[Any]) -> Callable[[Any], bool]:
    if operator not in _EQUALITY:
        return _ordering(field, operator, wanted[0])
    single = frozenset(each for each in wanted if not isinstance(each, tuple))
    ranges = [each for each in wanted if isinstance(each, tuple)]

    def is_one(value: Any) -> bool:
        key = sort_key(field, value)
        return key in single or (key is not None and any(start <= key < end for start, end in ranges))

    return is_one if operator in ("=", "IN") else lambda value: not is_one(value)


def _ordering(field: Field, operator: str, wanted: Any) -> Callable[[Any], bool]:
    """A range of days counts as its first moment for < and >=, as its end for > and <=."""
    if isinstance(wanted, tuple):
        start, end = wanted
        edge = end if operator in ("<=", ">") else start
        compare = operators.lt if operator in ("<", "<=") else operators.ge
    else:
        edge, compare = wanted, _COMPARE[operator]
    if edge is None:
        return lambda _value: False

    def holds(value: Any) -> bool:
        key = sort_key(field, value)
        return key is not None and bool(compare(key, edge))

    return holds


def _on_set(node: Comparison, wanted: list[Any]) -> Callable[[Any], bool]:
    """`INCLUDES ('a;b', 'c')` holds where a and b are chosen, or c is."""
    sets = [frozenset((each or "").split(";")) - {""} for each in wanted]

    def chosen(value: Any) -> frozenset[str]:
        return frozenset((value or "").casefold().split(";")) - {""}

    if node.operator in ("=", "IN"):
        return lambda value: chosen(value) in sets
    if node.operator in ("!=", "NOT IN"):
        return lambda value: chosen(value) not in sets
    if node.operator == "INCLUDES":
        return lambda value: any(each <= chosen(value) for each in sets)
    if node.operator == "EXCLUDES":
        return lambda value: not any(each <= chosen(value) for each in sets)
    raise Wrong("INVALID_QUERY_FILTER_OPERATOR", "invalid operator on multi-select picklist", node.term.at)


def _like(field: Field, literal: Literal) -> Callable[[Any], bool]:
    textless = NUMBERS | {"boolean", "date", "datetime", "id", "reference", "multipicklist"}
    if literal.kind != "string" or field.type in textless:
        message = f"invalid operator on {field.type} field: {field.name}"
        raise Wrong("INVALID_QUERY_FILTER_OPERATOR", message, literal.at)
    parts = re.findall(r"\\[_%\\]|.", literal.text, flags=re.DOTALL)
    wild = {"%": ".*", "_": "."}
    pattern = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    matcher = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda value: bool(matcher.fullmatch(value or ""))


def _time(sandbox: Sandbox, field: Field, literal: Literal) -> str | Range:
    if literal.kind == "range":
        days = days_of(literal.text, sandbox.clock.today())
        if days is None:
            raise Wrong("MALFORMED_QUERY", f"unexpected token: '{literal.text}'", literal.at)
        return _bounds(field, *days)
    if literal.kind == "date" and field.type == "date" and _is_date(literal.text):
        return literal.text
    moment = parse_moment(literal.text) if literal.kind == "datetime" and field.type == "datetime" else None
    return moment or str(_misfit(field, "dateTime" if field.type == "datetime" else "date", literal))


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _bounds(field: Field, first: date, after: date) -> Range:
    if field.type == "date":
        return first.isoformat(), after.isoformat()
    start, end = (wire_time(datetime(day.year, day.month, day.day, tzinfo=TOKYO)) for day in (first, after))
    return start, end


def _misfit(field: Field, wanted: str, literal: Literal) -> Any:
    quoted = "should be enclosed in quotes" if wanted == "string" else "should not be enclosed in quotes"
    message = f"value of filter criterion for field '{field.name}' must be of type {wanted} and {quoted}"
    raise Wrong("INVALID_FIELD", message, literal.at)
