"""The select list of a query: what it may hold, and the records that it makes of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portico_sandbox.salesforce.access import readable
from portico_sandbox.salesforce.lookup import children_of, row_of
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.salesforce.soql_tree import ChildItem, FieldsItem, Query, Term, Wrong
from portico_sandbox.salesforce.soql_ways import Scope, Way
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_MOST_ROWS_OF_ALL_FIELDS = 200
_DEEPEST = 5
Select = Callable[[Scope, Query, list[Row]], list[Row]]
"""Filters, sorts and cuts rows as a query says."""


@dataclass(frozen=True)
class Selection:
    """A select list that was checked against the objects."""

    scope: Scope
    fields: tuple[Way, ...]
    children: tuple[tuple[str, str, Query, Selection], ...] = ()
    """Per child relationship: its name, the field that points back, its query, its own selection."""

    @property
    def long_texts(self) -> int:
        return sum(way.field.type == "textarea" and way.field.length > 255 for way in self.fields)


def scope_of(sandbox: Sandbox, query: Query) -> Scope:
    """Raises Wrong (INVALID_TYPE)."""
    entity = readable(sandbox, query.entity)
    if entity is None:
        raise Wrong("INVALID_TYPE", no_such_type(query.entity), query.at)
    return Scope(sandbox, entity, query.aliases)


def selection_of(scope: Scope, query: Query, depth: int = 1) -> Selection:
    """Raises Wrong where an item is unknown or doubled."""
    fields: list[Way] = []
    children: list[tuple[str, str, Query, Selection]] = []
    for item in query.items:
        if isinstance(item, ChildItem):
            children.append(_child(scope, item.query, depth))
        elif isinstance(item, FieldsItem):
            fields += (_once(fields, way, item.at) for way in _all_fields(scope, query, item))
        else:
            fields.append(_once(fields, _plain(scope, item), item.at))
    return Selection(scope, tuple(fields), tuple(children))


def record_of(selection: Selection, row: Row, version: str, select: Select) -> Row:
    """The row as the query wants to see it."""
    scope = selection.scope
    record: Row = {"attributes": attributes(scope.entity, row, version)}
    for way in selection.fields:
        _put(scope.sandbox, record, way, row, version)
    for name, field, query, inner in selection.children:
        rows = children_of(scope.sandbox.store, inner.scope.entity.name, field, row["Id"])
        found = [record_of(inner, each, version, select) for each in select(inner.scope, query, rows)]
        record[name] = {"totalSize": len(found), "done": True, "records": found} if found else None
    return record


def attributes(entity: Entity, row: Row, version: str) -> Row:
    return {"type": entity.name, "url": f"/services/data/v{version}/sobjects/{entity.name}/{row['Id']}"}


def no_such_type(name: str) -> str:
    return (
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the "
        "'__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
    )


def _plain(scope: Scope, term: Term) -> Way:
    if term.alias and not term.function:
        raise Wrong("MALFORMED_QUERY", "only aggregate expressions use field aliasing", term.at)
    if term.function and term.function not in ("TOLABEL", "FORMAT", "CONVERTCURRENCY"):
        raise Wrong("MALFORMED_QUERY", f"{term.function} needs GROUP BY", term.at)
    return scope.way(term.path, term.at)


def _once(known: list[Way], way: Way, at: int) -> Way:
    if way in known:
        raise Wrong("INVALID_FIELD", f"duplicate field selected: {way.field.name}", at)
    return way


def _all_fields(scope: Scope, query: Query, item: FieldsItem) -> list[Way]:
    if item.which != "STANDARD" and not (query.limit is not None and query.limit <= _MOST_ROWS_OF_ALL_FIELDS):
        message = f"The SOQL FIELDS function must have a LIMIT of at most {_MOST_ROWS_OF_ALL_FIELDS}"
        raise Wrong("MALFORMED_QUERY", message, item.at)
    wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[item.which]
    return [
        Way((), scope.entity, field) for field in scope.entity.fields if field.custom in wanted and not field.write_only
    ]


def _child(scope: Scope, query: Query, depth: int) -> tuple[str, str, Query, Selection]:
    child = scope.entity.child(query.entity.split(".")[-1])
    entity = readable(scope.sandbox, child.entity) if child else None
    if child is None or entity is None or entity.field(child.field) is None:
        message = (
            f"Didn't understand relationship '{query.entity}' in FROM part of query call. If you are attempting to "
            "use a custom relationship, be sure to append the '__r' after the custom relationship name. Please "
            "reference your WSDL or the describe call for the appropriate names."
        )
        raise Wrong("INVALID_TYPE", message, query.at)
    if depth >= _DEEPEST or query.counting or query.is_grouped:
        message = "SOQL queries with more than 5 levels of relationships are not supported"
        if depth < _DEEPEST:
            message = "Aggregate functions are not allowed in child relationship queries"
        raise Wrong("MALFORMED_QUERY", message, query.at)
    inner = Scope(scope.sandbox, entity, query.aliases)
    return child.relationship, child.field, query, selection_of(inner, query, depth + 1)


def _put(sandbox: Sandbox, record: Row, way: Way, row: Row, version: str) -> None:
    """Puts a field where its relationships lead: a parent that is not there is null."""
    here: Row | None = row
    for reference, target in way.hops:
        here = row_of(sandbox.store, target, (here or {}).get(reference.name), deleted=True)
        if here is None:
            record.setdefault(reference.relationship, None)
            return
        record = record.setdefault(reference.relationship, {"attributes": attributes(target, here, version)})
    record[way.field.name] = _shown(way, here, way.value(sandbox, row), version)


def _shown(way: Way, owner: Row | None, value: Any, version: str) -> Any:
    """Binary content is shown as the address that it is read at."""
    if way.field.type != "base64" or owner is None:
        return value
    return f"/services/data/v{version}/sobjects/{way.entity.name}/{owner['Id']}/{way.field.name}"
