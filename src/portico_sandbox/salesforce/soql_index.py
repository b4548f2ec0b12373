"""Which rows a condition can hold for at all, told by indexes: a first choice, every row is tested afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from portico_sandbox.salesforce.lookup import ids_by, row_of, rows_of
from portico_sandbox.salesforce.schema import Entity, Field
from portico_sandbox.salesforce.soql_filter import comparable
from portico_sandbox.salesforce.soql_tree import Comparison, Condition, Junction, Query
from portico_sandbox.salesforce.soql_ways import Scope, Way
from portico_sandbox.store import Row

Joined = Callable[[Query], Iterable[Any]]
"""The values that the query of a semi-join selects."""


def candidates(scope: Scope, where: Condition | None, joined: Joined, *, deleted: bool) -> Iterator[Row]:
    """All rows of the object, or those that an index leaves over. Deleted rows are in no index."""
    store, entity = scope.sandbox.store, scope.entity
    ids = None if deleted or where is None else _ids(scope, where, joined)
    if ids is None:
        return rows_of(store, entity, deleted=deleted)
    found = (row_of(store, entity, each) for each in dict.fromkeys(ids))
    return (row for row in found if row)


def _ids(scope: Scope, condition: Condition, joined: Joined) -> list[str] | None:
    """Ids of all rows that can fulfill the condition; None where no index tells."""
    match condition:
        case Junction("AND", conditions):
            known = [ids for ids in (_ids(scope, each, joined) for each in conditions) if ids is not None]
            return min(known, key=len) if known else None
        case Junction("OR", conditions):
            parts = [_ids(scope, each, joined) for each in conditions]
            whole = [part for part in parts if part is not None]
            return [each for part in whole for each in part] if len(whole) == len(parts) else None
        case Comparison(operator="=" | "IN"):
            return _ids_of_comparison(scope, condition, joined)
    return None


def _ids_of_comparison(scope: Scope, node: Comparison, joined: Joined) -> list[str] | None:
    if node.term.function:
        return None
    way = scope.way(node.term.path, node.term.at)
    if not all(_is_indexed(field) for field in (way.field, *(reference for reference, _ in way.hops))):
        return None
    if node.query:
        values = list(joined(node.query))
    else:
        values = [comparable(scope.sandbox, way.field, each) for each in node.values]
    if any(value is None or isinstance(value, tuple) for value in values):
        return None
    return _walk_back(scope, way, values)


def _walk_back(scope: Scope, way: Way, values: list[Any]) -> list[str]:
    """From the values of the last field back over the relationships to rows of the first object."""
    ids = _ids_of_values(scope, way.entity, way.field, values)
    owners = [scope.entity, *(target for _, target in way.hops)]
    for position in reversed(range(len(way.hops))):
        ids = _ids_of_values(scope, owners[position], way.hops[position][0], ids)
    return ids


def _ids_of_values(scope: Scope, entity: Entity, field: Field, values: list[Any]) -> list[str]:
    if field.name == "Id":
        return values
    return [each for value in values for each in ids_by(scope.sandbox.store, entity, field, value)]


def _is_indexed(field: Field) -> bool:
    return field.has_index or field.name == "Id"
