"""Event schemas through time: an admin adds, removes or hides a field; old events keep their schema."""

from __future__ import annotations

from portico_sandbox.salesforce.access import hidden_fields
from portico_sandbox.salesforce.avro_schemas import Edit, EventSchema, schema_by_id, schema_of
from portico_sandbox.salesforce.objects import ENTITIES, entity_named
from portico_sandbox.salesforce.platform_events import remember_schemas
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Store, Transaction

_EDITS = "sf_schema_edits"
_VERSIONS = "sf_schema_versions"


def current_schema(sandbox: Sandbox, entity: Entity) -> EventSchema:
    """What events of the object are written with now: without the fields that the subscriber may not read."""
    return schema_of(entity, _current_edits(sandbox, entity))


def logged_schema(sandbox: Sandbox, tx: Transaction, entity: Entity) -> EventSchema:
    """The same for an event that is about to be logged: it can be read for as long as the log is kept."""
    edits = _current_edits(sandbox, entity)
    schema = schema_of(entity, edits)
    if edits and not sandbox.store.get(_VERSIONS, schema.id):
        tx.put(_VERSIONS, schema.id, {"entity": entity.name, "edits": [vars(each) for each in edits]})
    return schema


def edit_schema(sandbox: Sandbox, tx: Transaction, entity: Entity, edit: Edit) -> EventSchema:
    """From now on events of the object are written with another schema."""
    edits = [vars(each) for each in (*_edits(sandbox.store.get(_EDITS, entity.name)), edit)]
    tx.put(_EDITS, entity.name, {"edits": edits})
    return current_schema(sandbox, entity)


def schema_with(sandbox: Sandbox, schema_id: str) -> EventSchema | None:
    """Any schema that an event may name, those of before a restart too."""
    found = schema_by_id(schema_id)
    if found is None:
        _remember_all(sandbox)
        found = schema_by_id(schema_id)
    return found


def _remember_all(sandbox: Sandbox) -> None:
    remember_schemas(sandbox.store)
    for entity in ENTITIES:
        current_schema(sandbox, entity)
    for row in _versions(sandbox.store):
        entity_then = entity_named(row["entity"])
        if entity_then:
            schema_of(entity_then, _edits(row))


def _versions(store: Store) -> list[Row]:
    return list(store.table(_VERSIONS).values())


def _current_edits(sandbox: Sandbox, entity: Entity) -> tuple[Edit, ...]:
    hidden = (Edit(name, removes=True) for name in sorted(hidden_fields(sandbox, entity)))
    return (*_edits(sandbox.store.get(_EDITS, entity.name)), *hidden)


def _edits(row: Row | None) -> tuple[Edit, ...]:
    return tuple(Edit(**each) for each in row["edits"]) if row else ()
