"""The topics that can be subscribed to, and what an event of the log looks like on each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from portico_sandbox.salesforce.avro_schemas import bitmap, encoded, schema_of
from portico_sandbox.salesforce.events import entity_of
from portico_sandbox.salesforce.lookup import row_of
from portico_sandbox.salesforce.objects import SELECTED
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

PORTAL_CHANNEL = "/data/Portico__chn"


@dataclass(frozen=True)
class Topic:
    name: str
    entities: tuple[Entity, ...]
    enriched: bool = False

    @property
    def schema_id(self) -> str:
        """Of a topic that carries several objects there is none: every event names its own."""
        return schema_of(self.entities[0]).id if len(self.entities) == 1 else ""


@dataclass(frozen=True)
class Delivery:
    """One event as one subscriber gets it."""

    event_id: str
    schema_id: str
    payload: bytes
    replay: int


def topic_named(name: str) -> Topic | None:
    """Names are case-sensitive here."""
    return _TOPICS.get(name)


def deliveries(sandbox: Sandbox, topic: Topic, event: Row) -> list[Delivery]:
    """None where the topic does not carry the object; several where enrichment takes a merged event apart."""
    entity = entity_of(event)
    if entity not in topic.entities:
        return []
    ids = event["header"]["recordIds"]
    if not (topic.enriched and entity.enriched and event["enriched"]):
        return [_delivery(entity, event, event["id"], ids, event["values"])]
    return [
        _delivery(entity, event, _part_id(event, each), [each], _enriched(sandbox, entity, event, each)) for each in ids
    ]


def _delivery(entity: Entity, event: Row, event_id: str, record_ids: list[str], values: Row) -> Delivery:
    header = event["header"] | {
        "recordIds": record_ids,
        "nulledFields": bitmap(entity, event["nulled"]),
        "diffFields": [],
        "changedFields": bitmap(entity, event["changed"]),
    }
    return Delivery(event_id, schema_of(entity).id, encoded(entity, header, values), event["replay"])


def _enriched(sandbox: Sandbox, entity: Entity, event: Row, record_id: str) -> Row:
    """Unchanged fields beside the changed ones: of the row as it is now, else as it was when it went."""
    row = row_of(sandbox.store, entity, record_id, deleted=True) or event["enriched"].get(record_id, {})
    values: Row = event["values"]
    return {name: row.get(name) for name in entity.enriched} | values


def _part_id(event: Row, record_id: str) -> str:
    """Parts of a merged event share its replay id, not its id: who drops doubles by id must not lose one."""
    if len(event["header"]["recordIds"]) == 1:
        return str(event["id"])
    return str(uuid.uuid5(uuid.UUID(event["id"]), record_id))


_TOPICS = {
    f"/data/{entity.name}ChangeEvent": Topic(f"/data/{entity.name}ChangeEvent", (entity,)) for entity in SELECTED
}
_TOPICS["/data/ChangeEvents"] = Topic("/data/ChangeEvents", SELECTED)
_TOPICS[PORTAL_CHANNEL] = Topic(PORTAL_CHANNEL, SELECTED, enriched=True)
