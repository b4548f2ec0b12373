"""Reading rows of the org: by id, by an indexed field, and the value of any field, derived ones included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.schema import Entity, Field
from portico_sandbox.store import Row, Store


def row_of(store: Store, entity: Entity, record_id: str | None, *, deleted: bool = False) -> Row | None:
    """The row with this 18-character id; soft-deleted ones only where asked for."""
    row = store.get(entity.table, record_id) if record_id else None
    return row if row and (deleted or not row["IsDeleted"]) else None


def rows_of(store: Store, entity: Entity, *, deleted: bool = False) -> Iterator[Row]:
    return (row for row in store.table(entity.table).values() if deleted or not row["IsDeleted"])


def ids_by(store: Store, entity: Entity, field: Field, value: Any) -> list[str]:
    """Ids of the rows that hold this value, by index; text compares without case."""
    entry = store.get(index_table(entity, field), index_key(value))
    return list(entry["ids"]) if entry else []


def children_of(store: Store, entity_name: str, field_name: str, parent_id: str) -> list[Row]:
    entity = entity_named(entity_name)
    assert entity
    field = entity.field(field_name)
    assert field
    if field.has_index:
        found = (row_of(store, entity, record_id) for record_id in ids_by(store, entity, field, parent_id))
        return [row for row in found if row]
    return [row for row in rows_of(store, entity) if row.get(field.name) == parent_id]


def index_table(entity: Entity, field: Field) -> str:
    return f"sf_index:{entity.name}.{field.name}"


def index_key(value: Any) -> str:
    return str(value).casefold()


def value_of(store: Store, entity: Entity, row: Row, field: Field) -> Any:
    """What a reader sees in a field: stored, mirrored from a parent, or put together from parts."""
    if field.mirrors:
        return _mirrored(store, entity, row, field)
    if field.type == "name":
        words = (row.get(part) for name, part in field.parts if name != "Salutation")
        return " ".join(sorted_name(word for word in words if word)) or None
    if field.type == "address":
        return _address(row, field)
    return row.get(field.name)


def sorted_name(words: Iterator[str]) -> list[str]:
    """Given name first, family name first where it is not Latin: as the org's locale shows names."""
    given_first = list(words)
    return given_first if all(word.isascii() for word in given_first) else given_first[::-1]


def _mirrored(store: Store, entity: Entity, row: Row, field: Field) -> Any:
    relationship, name = field.mirrors.split(".")
    way = entity.parent(relationship)
    parent = entity_named(way.refers_to) if way else None
    assert way
    assert parent
    parent_row = row_of(store, parent, row.get(way.name), deleted=True)
    return parent_row.get(name) if parent_row else None


def _address(row: Row, field: Field) -> dict[str, Any] | None:
    values = {name[0].lower() + name[1:]: row.get(part) for name, part in field.parts}
    return values if any(value is not None for value in values.values()) else None
