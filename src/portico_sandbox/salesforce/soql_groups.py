"""GROUP BY, HAVING and the aggregate functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from portico_sandbox.salesforce.soql_filter import Test, decision, test_of
from portico_sandbox.salesforce.soql_tree import ChildItem, Comparison, FieldsItem, Query, Sorting, Term, Wrong
from portico_sandbox.salesforce.soql_ways import Column, Scope, is_long_text, sort_key
from portico_sandbox.store import Row

MOST_GROUPS = 2000
"""More can't be answered: grouped results have no further pages."""

_Group = list[Row]
_Value = Callable[[_Group], Any]


def grouped(scope: Scope, query: Query, rows: list[Row]) -> list[Row]:
    """The records of an aggregate query, complete. Raises Wrong."""
    names = _names(scope, query)
    groups = _groups(scope, query, rows)
    if query.having:
        test: Test[_Group] = test_of(query.having, lambda node: _test_of_group(scope, query, node))
        groups = [group for group in groups if test(group)]
    for sorting in reversed(query.order):
        groups = _sorted(scope, query, groups, sorting)
    end = None if query.limit is None else query.offset + query.limit
    groups = groups[query.offset : end]
    if len(groups) > MOST_GROUPS:
        message = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
        raise Wrong("EXCEEDED_ID_LIMIT", message)
    values = [(name, _value(scope, query, term)[1]) for name, term in names]
    return [
        {"attributes": {"type": "AggregateResult"}, **{name: value(group) for name, value in values}}
        for group in groups
    ]


def _names(scope: Scope, query: Query) -> list[tuple[str, Term]]:
    """Each selected term with the key that its value has in a record."""
    names: list[tuple[str, Term]] = []
    unnamed = 0
    for item in query.items:
        if isinstance(item, ChildItem | FieldsItem):
            raise Wrong("MALFORMED_QUERY", "Grouped queries can't select child relationships or FIELDS()")
        name = item.alias
        if not name and item.function:
            name, unnamed = f"expr{unnamed}", unnamed + 1
        name = name or scope.way(item.path, item.at).field.name
        if any(name.lower() == known.lower() for known, _ in names):
            raise Wrong("MALFORMED_QUERY", f"duplicate alias: {name}", item.at)
        names.append((name, item))
    return names


def _groups(scope: Scope, query: Query, rows: list[Row]) -> list[_Group]:
    if not query.group:
        return [rows]
    columns = [_grouping(scope, term) for term in query.group]
    readers = [(column.field, column.reader(scope.sandbox)) for column in columns]
    groups: dict[tuple[Any, ...], _Group] = {}
    for row in rows:
        groups.setdefault(tuple(sort_key(field, read(row)) for field, read in readers), []).append(row)
    return list(groups.values())


def _grouping(scope: Scope, term: Term) -> Column:
    column = scope.column(term)
    field = column.field
    if term.is_aggregate or is_long_text(field) or field.type in ("datetime", "multipicklist", "double", "currency"):
        raise Wrong("MALFORMED_QUERY", f"field '{field.name}' can not be grouped in a query call", term.at)
    return column


def _value(scope: Scope, query: Query, term: Term) -> tuple[Column | None, _Value]:
    """What a term says of a group. Raises Wrong where it is neither grouped nor aggregated."""
    if not term.path:
        return None, len
    column = scope.column(term)
    read = column.reader(scope.sandbox)
    if term.is_aggregate:
        aggregate = _AGGREGATES[term.function]
        return column, lambda group: aggregate(_present(read(row) for row in group), column)
    if not any(_same(scope, term, each) for each in query.group):
        raise Wrong("MALFORMED_QUERY", f"Field must be grouped or aggregated: {'.'.join(term.path)}", term.at)
    return column, lambda group: read(group[0])


def _same(scope: Scope, term: Term, other: Term) -> bool:
    same_way = scope.way(term.path, term.at) == scope.way(other.path, other.at)
    return same_way and (term.function, term.local) == (other.function, other.local)


def _test_of_group(scope: Scope, query: Query, node: Comparison) -> Test[_Group]:
    if node.query:
        raise Wrong("MALFORMED_QUERY", "HAVING can't hold a semi-join", node.term.at)
    if not node.term.path:
        raise Wrong("MALFORMED_QUERY", "COUNT() needs a field in HAVING", node.term.at)
    column, value = _value(scope, query, node.term)
    assert column  # COUNT() is the only term without one
    decide = decision(scope.sandbox, column, node)
    return lambda group: decide(value(group))


def _sorted(scope: Scope, query: Query, groups: list[_Group], sorting: Sorting) -> list[_Group]:
    column, value = _value(scope, query, _meant(query, sorting.term))
    keys = [(sort_key(column.field, value(group)) if column else value(group), group) for group in groups]
    empty = [group for key, group in keys if key is None]
    filled = sorted((pair for pair in keys if pair[0] is not None), key=_first, reverse=sorting.descending)
    ordered = [group for _, group in filled]
    return ordered + empty if sorting.nulls_last else empty + ordered


def _meant(query: Query, term: Term) -> Term:
    """An alias of the select list stands for its term."""
    if len(term.path) != 1 or term.function:
        return term
    aliased = (item for item in query.items if isinstance(item, Term) and item.alias)
    return next((item for item in aliased if item.alias.lower() == term.path[0].lower()), term)


def _first(pair: tuple[Any, _Group]) -> Any:
    return pair[0]


def _present(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _distinct(values: list[Any], column: Column) -> int:
    return len({sort_key(column.way.field, value) for value in values})


def _total(values: list[Any], _column: Column) -> Any:
    return round(sum(values), 10) if values else None


def _average(values: list[Any], _column: Column) -> Any:
    return sum(values) / len(values) if values else None


def _least(values: list[Any], column: Column) -> Any:
    return min(values, key=lambda value: sort_key(column.field, value), default=None)


def _greatest(values: list[Any], column: Column) -> Any:
    return max(values, key=lambda value: sort_key(column.field, value), default=None)


_AGGREGATES: dict[str, Callable[[list[Any], Column], Any]] = {
    "COUNT": lambda values, _column: len(values),
    "COUNT_DISTINCT": _distinct,
    "SUM": _total,
    "AVG": _average,
    "MIN": _least,
    "MAX": _greatest,
}
