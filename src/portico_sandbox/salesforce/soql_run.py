"""A parsed query against the rows: candidates by index where one fits, filter, order, then the records as answered."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portico_sandbox.salesforce.errors import refuse, unknown_type
from portico_sandbox.salesforce.lookup import children_of, ids_by, row_of, rows_of
from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.schema import Entity, Field
from portico_sandbox.salesforce.soql_filter import Way, comparable, sort_key, test_of, way_to
from portico_sandbox.salesforce.soql_parse import (
    ChildItem,
    Comparison,
    Condition,
    FieldItem,
    Junction,
    Query,
    Sorting,
    parse,
)
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

LARGEST_OFFSET = 2000


@dataclass(frozen=True)
class Result:
    """Which rows answer a query; records are made page by page."""

    query: Query
    ids: list[str]


def run(sandbox: Sandbox, text: str, *, deleted: bool = False) -> Result:
    """Raises Refusal: MALFORMED_QUERY, INVALID_TYPE, INVALID_FIELD, NUMBER_OUTSIDE_VALID_RANGE."""
    query = parse(text)
    entity = entity_of(query)
    _check_items(sandbox, query, entity)
    rows = _selected(sandbox, query, entity, candidates(sandbox, query, entity, deleted))
    return Result(query, [row["Id"] for row in rows])


def records(sandbox: Sandbox, query: Query, ids: list[str], version: str) -> list[Row]:
    """The rows with these ids as the query wants to see them; rows that are gone by now are left out."""
    entity = entity_of(query)
    items = _compiled(query, entity)
    rows = (row_of(sandbox.store, entity, each, deleted=True) for each in ids)
    return [_record(sandbox, entity, items, row, version) for row in rows if row]


def entity_of(query: Query) -> Entity:
    entity = entity_named(query.entity)
    if entity is None:
        raise unknown_type(query.entity)
    return entity


def attributes(entity: Entity, row: Row, version: str) -> Row:
    return {"type": entity.name, "url": f"/services/data/v{version}/sobjects/{entity.name}/{row['Id']}"}


_Compiled = list[Way | tuple[str, Field, Query, Entity]]
"""A field, or a child relationship: its name, the field that points back, its query and object."""


def _compiled(query: Query, entity: Entity) -> _Compiled:
    compiled: _Compiled = []
    for item in query.items:
        if isinstance(item, FieldItem):
            compiled.append(way_to(entity, item.path, query.alias))
        else:
            compiled.append(_child(item, entity))
    return compiled


def _child(item: ChildItem, entity: Entity) -> tuple[str, Field, Query, Entity]:
    child = entity.child(item.query.entity)
    child_entity = entity_named(child.entity) if child else None
    if child is None or child_entity is None:
        message = f"Didn't understand relationship '{item.query.entity}' in FROM part of query call."
        raise refuse("INVALID_TYPE", message)
    field = child_entity.field(child.field)
    assert field
    return child.relationship, field, item.query, child_entity


def _check_items(sandbox: Sandbox, query: Query, entity: Entity) -> None:
    for item in _compiled(query, entity):
        if isinstance(item, tuple):
            _, _, inner, child = item
            _compiled(inner, child)
            _selected(sandbox, inner, child, iter(()))
    if query.offset > LARGEST_OFFSET:
        raise refuse("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {LARGEST_OFFSET}")


def _selected(sandbox: Sandbox, query: Query, entity: Entity, rows: Iterator[Row]) -> list[Row]:
    found = list(rows)
    if query.where:
        join = functools.partial(_semi_join, sandbox)
        test = test_of(sandbox, entity, query.where, query.alias, join)
        found = [row for row in found if test(row)]
    for sorting in reversed(query.order):
        found = _sorted(sandbox, found, way_to(entity, sorting.path, query.alias), sorting)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def _sorted(sandbox: Sandbox, rows: list[Row], way: Way, sorting: Sorting) -> list[Row]:
    values = [(sort_key(way.field, way.value(sandbox, row)), row) for row in rows]
    empty = [row for value, row in values if value is None]
    filled = [pair for pair in values if pair[0] is not None]
    filled.sort(key=lambda pair: pair[0], reverse=sorting.descending)
    ordered = [row for _, row in filled]
    return ordered + empty if sorting.nulls_last else empty + ordered


def _semi_join(sandbox: Sandbox, query: Query) -> set[Any]:
    entity = entity_of(query)
    items = _compiled(query, entity)
    item = items[0] if len(items) == 1 else None
    if not isinstance(item, Way):
        raise refuse("MALFORMED_QUERY", "A semi-join selects exactly one field")
    return {item.value(sandbox, row) for row in _selected(sandbox, query, entity, rows_of(sandbox.store, entity))}


def candidates(sandbox: Sandbox, query: Query, entity: Entity, deleted: bool) -> Iterator[Row]:
    """The rows that an index leaves over. It is only a first choice: every row is tested afterwards."""
    ids = None if deleted or query.where is None else _ids_by_index(sandbox, query, entity, query.where)
    if ids is None:
        return rows_of(sandbox.store, entity, deleted=deleted)
    found = (row_of(sandbox.store, entity, each) for each in dict.fromkeys(ids))
    return (row for row in found if row)


def _ids_by_index(sandbox: Sandbox, query: Query, entity: Entity, condition: Condition) -> list[str] | None:
    """Ids of all rows that can fulfill the condition; None where no index tells."""
    if isinstance(condition, Junction) and condition.word == "AND":
        parts = (_ids_by_index(sandbox, query, entity, each) for each in condition.conditions)
        return next((ids for ids in parts if ids is not None), None)
    if not isinstance(condition, Comparison) or condition.operator not in ("=", "IN") or condition.query:
        return None
    way = way_to(entity, condition.path, query.alias)
    if way.hops or not (way.field.has_index or way.field.name == "Id"):
        return None
    values = [comparable(sandbox, way.field, each) for each in condition.values]
    if any(value is None or isinstance(value, tuple) for value in values):
        return None
    if way.field.name == "Id":
        return values
    return [each for value in values for each in ids_by(sandbox.store, entity, way.field, value)]


def _record(sandbox: Sandbox, entity: Entity, items: _Compiled, row: Row, version: str) -> Row:
    record: Row = {"attributes": attributes(entity, row, version)}
    for item in items:
        if isinstance(item, Way):
            _put(sandbox, record, item, row, version)
        else:
            record[item[0]] = _children(sandbox, item, row, version)
    return record


def _put(sandbox: Sandbox, record: Row, way: Way, row: Row, version: str) -> None:
    """Puts a field where its relationships lead: a parent that is not there is null."""
    here: Row | None = row
    for reference, target in way.hops:
        here = row_of(sandbox.store, target, (here or {}).get(reference.name), deleted=True)
        if here is None:
            record.setdefault(reference.relationship, None)
            return
        record = record.setdefault(reference.relationship, {"attributes": attributes(target, here, version)})
    record[way.field.name] = way.value(sandbox, row)


def _children(sandbox: Sandbox, item: tuple[str, Field, Query, Entity], row: Row, version: str) -> Row | None:
    _, field, query, entity = item
    rows = _selected(sandbox, query, entity, iter(children_of(sandbox.store, entity.name, field.name, row["Id"])))
    if not rows:
        return None
    found = [_record(sandbox, entity, _compiled(query, entity), each, version) for each in rows]
    return {"totalSize": len(found), "done": True, "records": found}
