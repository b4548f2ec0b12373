"""Event schemas through time: an admin adds or removes a field, new events name a new schema, old ones keep theirs."""

from __future__ import annotations

from portico_sandbox.salesforce.avro_schemas import Edit, EventSchema, schema_by_id, schema_of
from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.platform_events import remember_schemas
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.store import Store, Transaction

_TABLE = "sf_schema_edits"


def current_schema(store: Store, entity: Entity) -> EventSchema:
    return schema_of(entity, _edits(store, entity.name))


def edit_schema(store: Store, tx: Transaction, entity: Entity, edit: Edit) -> EventSchema:
    """From now on events of the object are written with another schema."""
    edits = [vars(each) for each in (*_edits(store, entity.name), edit)]
    tx.put(_TABLE, entity.name, {"edits": edits})
    return current_schema(store, entity)


def schema_with(store: Store, schema_id: str) -> EventSchema | None:
    """Any schema that an event may name, those of before a restart too."""
    remember_schemas(store)
    found = schema_by_id(schema_id)
    return found or next((each for each in _all_versions(store) if each.id == schema_id), None)


def _all_versions(store: Store) -> list[EventSchema]:
    versions = []
    for name in store.table(_TABLE):
        entity, edits = entity_named(name), _edits(store, name)
        versions += [schema_of(entity, edits[:count]) for count in range(1, len(edits) + 1)] if entity else []
    return versions


def _edits(store: Store, name: str) -> tuple[Edit, ...]:
    row = store.get(_TABLE, name)
    return tuple(Edit(**each) for each in row["edits"]) if row else ()
