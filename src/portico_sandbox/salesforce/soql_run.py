"""A SOQL text against the rows of the org: checked, filtered, ordered, cut, and made into records page by page."""

from __future__ import annotations

import functools
import heapq
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from portico_sandbox.salesforce.lookup import row_of
from portico_sandbox.salesforce.soql_filter import test_of, test_of_row
from portico_sandbox.salesforce.soql_groups import grouped
from portico_sandbox.salesforce.soql_index import Joined, candidates
from portico_sandbox.salesforce.soql_parse import parse
from portico_sandbox.salesforce.soql_records import record_of, scope_of, selection_of
from portico_sandbox.salesforce.soql_tree import Comparison, Condition, Junction, Not, Query, Sorting, Term, Wrong
from portico_sandbox.salesforce.soql_ways import Column, Scope, Way, is_long_text, sort_key
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

LARGEST_OFFSET = 2000
_MOST_SEMI_JOINS = 2


@dataclass(frozen=True)
class Result:
    """Which rows answer a query; records are made page by page, aggregates at once."""

    query: Query
    ids: list[str]
    groups: list[Row] | None = None
    long_texts: int = 0
    """How many long texts are selected: they make pages small."""


def run(sandbox: Sandbox, text: str, *, deleted: bool = False) -> Result:
    """Raises Refusal: MALFORMED_QUERY, INVALID_TYPE, INVALID_FIELD, NUMBER_OUTSIDE_VALID_RANGE and others."""
    try:
        return _run(sandbox, parse(text), deleted)
    except Wrong as wrong:
        raise wrong.refusal(text) from wrong


def records(sandbox: Sandbox, text: str, ids: Iterable[str], version: str) -> list[Row]:
    """The rows with these ids as the query wants to see them; rows that are gone by now are left out."""
    try:
        query = parse(text)
        scope = scope_of(sandbox, query)
        selection = selection_of(scope, query)
    except Wrong as wrong:  # of a further page, after a field was hidden
        raise wrong.refusal(text) from wrong
    rows = (row_of(sandbox.store, scope.entity, each, deleted=True) for each in ids)
    return [record_of(selection, row, version, _selected) for row in rows if row]


def columns(sandbox: Sandbox, text: str) -> list[str]:
    """The selected fields with the relationships that lead to them. Raises Refusal where rows are nested."""
    try:
        query = parse(text)
        selection = selection_of(scope_of(sandbox, query), query)
        if selection.children:
            raise Wrong("API_ERROR", "Nested queries are not supported here", query.at)
    except Wrong as wrong:
        raise wrong.refusal(text) from wrong
    return [".".join([*(each.relationship for each, _ in way.hops), way.field.name]) for way in selection.fields]


def _run(sandbox: Sandbox, query: Query, deleted: bool) -> Result:
    scope = scope_of(sandbox, query)
    _check(scope, query)
    if query.is_grouped:
        rows = _filtered(scope, query, candidates(scope, query.where, _joined(sandbox), deleted=deleted))
        return Result(query, [], grouped(scope, query, rows))
    if query.having:
        raise Wrong("MALFORMED_QUERY", "HAVING wants GROUP BY", query.at)
    selection = selection_of(scope, query)
    for _, _, inner_query, inner in selection.children:
        _check(inner.scope, inner_query)
        _selected(inner.scope, inner_query, [])
    rows = _selected(scope, query, candidates(scope, query.where, _joined(sandbox), deleted=deleted))
    return Result(query, [row["Id"] for row in rows], long_texts=selection.long_texts)


def _check(scope: Scope, query: Query) -> None:
    if query.offset > LARGEST_OFFSET:
        raise Wrong("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {LARGEST_OFFSET}")
    joins = [node for node in _comparisons(query.where) if node.query]
    if len(joins) > _MOST_SEMI_JOINS:
        message = f"Maximum {_MOST_SEMI_JOINS} semi join sub-selects are allowed."
        raise Wrong("MALFORMED_QUERY", message, joins[-1].term.at)
    if scope.entity.name == "ContentDocumentLink":
        _check_link_filter(scope, query)


def _check_link_filter(scope: Scope, query: Query) -> None:
    """Links may only be asked for by their document or by what they hang on."""
    wanted = ("ContentDocumentId", "LinkedEntityId", "Id")
    given = [node for node in _comparisons(query.where) if node.operator in ("=", "IN") and not node.term.function]
    if not any(scope.way(node.term.path, node.term.at).field.name in wanted for node in given):
        message = (
            "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or "
            "LinkedEntityId using the equals operator or multiple Id's using the IN operator."
        )
        raise Wrong("MALFORMED_QUERY", message)


def _comparisons(condition: Condition | None) -> list[Comparison]:
    match condition:
        case Comparison():
            return [condition]
        case Not(inner):
            return _comparisons(inner)
        case Junction(_, conditions):
            return [found for each in conditions for found in _comparisons(each)]
    return []


def _selected(scope: Scope, query: Query, rows: Iterable[Row]) -> list[Row]:
    found = _filtered(scope, query, rows)
    end = None if query.limit is None else query.offset + query.limit
    for sorting in reversed(query.order):
        found = _sorted(scope, found, sorting, end if len(query.order) == 1 else None)
    return found[query.offset : end]


def _filtered(scope: Scope, query: Query, rows: Iterable[Row]) -> list[Row]:
    if query.where is None:
        return list(rows)
    leaf = functools.partial(test_of_row, scope, semi_join=functools.partial(_semi_join, scope))
    test = test_of(query.where, leaf)
    return [row for row in rows if test(row)]


def _sorted(scope: Scope, rows: list[Row], sorting: Sorting, wanted: int | None) -> list[Row]:
    """All rows in order, or the first so many of them."""
    if sorting.term.is_aggregate:
        raise Wrong("MALFORMED_QUERY", "Ordered field must be grouped or aggregated", sorting.term.at)
    column = scope.column(sorting.term)
    if is_long_text(column.field):
        message = f"field '{column.field.name}' can not be sorted in a query call"
        raise Wrong("INVALID_FIELD", message, sorting.term.at)
    read = column.reader(scope.sandbox)
    values = [(sort_key(column.field, read(row)), row) for row in rows]
    empty = [row for value, row in values if value is None]
    filled = [pair for pair in values if pair[0] is not None]
    first = operator.itemgetter(0)
    if wanted is not None and wanted < len(filled) // 10:
        pick = heapq.nlargest if sorting.descending else heapq.nsmallest
        filled = pick(wanted, filled, key=first)
    else:
        filled.sort(key=first, reverse=sorting.descending)
    ordered = [row for _, row in filled]
    return ordered + empty if sorting.nulls_last else empty + ordered


def _semi_join(outer: Scope, column: Column, query: Query) -> set[Any]:
    """The values that the inner query selects. Raises Wrong where it does not fit the field outside."""
    scope, term = _inner(outer.sandbox, query)
    inner = scope.way(term.path, term.at)
    here, there = _points_to(column.way), _points_to(inner)
    if not here:
        message = "The left operand field in the where expression for outer query should be an id field, cannot use: "
        raise Wrong("MALFORMED_QUERY", f"{message}'{column.field.name}'", column.term.at)
    if not there:
        message = f"The inner select field '{inner.field.name}' must be an id field"
        raise Wrong("MALFORMED_QUERY", message, term.at)
    if not here & there:
        message = (
            f"The selected field '{inner.field.name}' in the subquery and the left operand field in the where "
            f"expression in the outer query '{column.field.name}' should point to the same object type"
        )
        raise Wrong("MALFORMED_QUERY", message, term.at)
    return set(_values(scope, query, term))


def _inner(sandbox: Sandbox, query: Query) -> tuple[Scope, Term]:
    scope = scope_of(sandbox, query)
    item = query.items[0] if len(query.items) == 1 else None
    if not isinstance(item, Term) or item.function:
        raise Wrong("MALFORMED_QUERY", "semi join sub-selects can only query one field", query.at)
    if any(node.query for node in _comparisons(query.where)):
        raise Wrong("MALFORMED_QUERY", "Nesting of semi join sub-selects is not supported", query.at)
    return scope, item


def _values(scope: Scope, query: Query, term: Term) -> list[Any]:
    read = scope.way(term.path, term.at).reader(scope.sandbox)
    rows = candidates(scope, query.where, _joined(scope.sandbox), deleted=False)
    return [value for value in map(read, _selected(scope, query, rows)) if value is not None]


def _joined(sandbox: Sandbox) -> Joined:
    """For the index: the values of a semi-join's query, whose fit is checked when rows are tested."""

    def values(query: Query) -> list[Any]:
        scope, term = _inner(sandbox, query)
        return _values(scope, query, term)

    return values


def _points_to(way: Way) -> frozenset[str]:
    """The objects whose ids a field holds."""
    field = way.field
    if field.type == "id":
        return frozenset({way.entity.name})
    return frozenset({field.refers_to, *field.also_refers_to} - {""}) if field.type == "reference" else frozenset()
