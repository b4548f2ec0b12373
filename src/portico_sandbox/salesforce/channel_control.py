"""Buttons for what an admin sets up: who publishes, channels with filters, fields, platform events, subscriptions."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import get_args

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.salesforce.avro_schemas import Edit
from portico_sandbox.salesforce.changes import Caller, Changes, changing
from portico_sandbox.salesforce.channels import Member, members_of, put_members, select, selected_names
from portico_sandbox.salesforce.errors import Refusal
from portico_sandbox.salesforce.event_filter import FilterWrong
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import row_of, rows_of
from portico_sandbox.salesforce.managed import Subscription, put_subscription
from portico_sandbox.salesforce.objects import BY_PREFIX, ENTITIES, entity_named
from portico_sandbox.salesforce.platform_events import PlatformEvent, define, platform_event
from portico_sandbox.salesforce.platform_resource import publish_row
from portico_sandbox.salesforce.schema import COMPOUNDS, Entity, FieldType
from portico_sandbox.salesforce.schema_versions import edit_schema
from portico_sandbox.salesforce.sessions import STAFF_USER_ID
from portico_sandbox.salesforce.stream_control import YES_NO, press_of
from portico_sandbox.salesforce.topics import PORTAL_CHANNEL, topic_named
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

MOST_ENRICHED = 10
# Objects whose changes Salesforce can publish at all; a case comment is not among them.
_SUPPORTED = (
    "Account", "Contact", "Case", "Order", "OrderItem", "Product2", "Pricebook2", "PricebookEntry", "EmailMessage",
    "User",
)  # fmt: skip
_KINDS: dict[str, FieldType] = {each: each for each in get_args(FieldType) if each not in COMPOUNDS}
_STAFF = Caller(STAFF_USER_ID, through_api=False)


async def select_object(sandbox: Sandbox, entity: str, on: str = "yes") -> Row:
    """Publishes an object's changes, or stops that. More than the knob `selected_objects` allows are refused."""
    found = _supported(entity)
    _check_cap(sandbox, found, on == "yes")
    with sandbox.store.begin() as tx:
        select(tx, found.name, on=on == "yes")
    return {"selected": sorted(selected_names(sandbox.store))}


async def channel_member(
    sandbox: Sandbox,
    entity: str,
    channel: str = PORTAL_CHANNEL,
    enriched: str = "",
    filter: str = "",  # noqa: A002
    on: str = "yes",
) -> Row:
    """An object on a channel as it is from now on; the channel is made where there is none yet."""
    member = Member(entity, tuple(each.strip() for each in enriched.split(",") if each.strip()), filter)
    set_member(sandbox, channel, member, on=on == "yes")
    return {"channel": channel, "members": [vars(each) for each in members_of(sandbox.store, channel)]}


def set_member(sandbox: Sandbox, channel: str, member: Member, *, on: bool = True) -> None:
    """Raises ButtonRefused where no channel takes such a member."""
    if not re.fullmatch(r"/data/[A-Za-z]\w*__chn", channel):
        raise ButtonRefused(f"{channel} is no name of a channel: /data/Name__chn.")
    found = _supported(member.entity)
    _check_member(found, member)
    others = tuple(each for each in members_of(sandbox.store, channel) if each.entity != found.name)
    _check_cap(sandbox, found, on)
    with sandbox.store.begin() as tx:
        put_members(tx, channel, (*others, replace(member, entity=found.name)) if on else others)


async def allow_topic(sandbox: Sandbox, topic: str, can_subscribe: str = "yes") -> Row:
    if topic_named(sandbox, topic) is None:
        raise ButtonRefused(f"There is no topic {topic}.")
    with sandbox.store.begin() as tx:
        tx.put("sf_topics", topic, {"can_subscribe": can_subscribe == "yes"})
    return {"topic": topic, "can_subscribe": can_subscribe}


async def change_schema(
    sandbox: Sandbox,
    entity: str,
    field: str,
    type: str = "string",  # noqa: A002
    before: str = "",
    removes: str = "",
) -> Row:
    """Adds a field to an object's events or takes one away; rows and describe stay as they are."""
    found = _entity(entity)
    with sandbox.store.begin() as tx:
        schema = edit_schema(sandbox, tx, found, Edit(field, _KINDS[type], before, removes == "yes"))
    return {"entity": found.name, "schema": schema.id}


async def undelete(sandbox: Sandbox, id: str) -> Row:  # noqa: A002
    """Takes a record, and what went with it, out of the recycle bin."""
    record_id = normal(id)
    entity = BY_PREFIX.get((record_id or "")[:3])
    row = row_of(sandbox.store, entity, record_id, deleted=True) if entity else None
    if entity is None or row is None or not row["IsDeleted"]:
        raise ButtonRefused(f"{id} does not lie in the recycle bin.")
    with changing(sandbox, _STAFF) as changes:
        _unearth(changes, entity, row)
    return {"entity": entity.name, "id": record_id}


async def define_platform_event(sandbox: Sandbox, name: str, fields: str) -> Row:
    """`fields`: `Name__c:type` joined by commas. A known event gets another shape, and so a new schema."""
    pairs = [each.strip().partition(":") for each in fields.split(",") if each.strip()]
    typed = tuple((field, _KINDS.get(kind or "string")) for field, _, kind in pairs)
    fields_of = tuple((field, kind) for field, kind in typed if kind)
    if not re.fullmatch(r"[A-Za-z]\w*__e", name) or len(fields_of) < len(typed):
        raise ButtonRefused("A name like Name__e and fields like Name__c:string are wanted.")
    event = PlatformEvent(name, fields_of)
    with sandbox.store.begin() as tx:
        define(tx, event)
    return {"topic": event.topic, "schema": event.schema.id}


async def publish_event(sandbox: Sandbox, name: str = "OrderProvisionRequested__e", values: str = "{}") -> Row:
    """A platform event of the org itself; `values` is a JSON object by field name."""
    event = platform_event(sandbox.store, name)
    if event is None:
        raise ButtonRefused(f"There is no platform event {name}.")
    try:
        receipt = publish_row(sandbox, event, STAFF_USER_ID, dict(json.loads(values)))
    except (ValueError, TypeError, Refusal) as wrong:
        raise ButtonRefused(f"These are no values of {name}: {wrong}") from wrong
    return {"topic": event.topic, "event": receipt["errors"][0]["message"]}


async def managed_subscription(
    sandbox: Sandbox,
    name: str,
    topic: str = PORTAL_CHANNEL,
    default_replay: str = "LATEST",
    error_recovery_replay: str = "LATEST",
    state: str = "RUN",
) -> Row:
    wanted = Subscription(name, topic, default_replay, error_recovery_replay, state)
    with sandbox.store.begin() as tx:
        row = put_subscription(sandbox, tx, wanted)
    return {**vars(wanted), "id": row["id"]}


def _unearth(changes: Changes, entity: Entity, row: Row) -> None:
    changes.unearth(entity, row)
    for child in entity.children:
        target = entity_named(child.entity)
        for each in list(rows_of(changes.sandbox.store, target, deleted=True)) if target and child.cascade else ():
            if each[child.field] == row["Id"] and each["IsDeleted"] and each["SystemModstamp"] == row["SystemModstamp"]:
                _unearth(changes, target or entity, each)


def _entity(name: str) -> Entity:
    found = entity_named(name)
    if found is None:
        raise ButtonRefused(f"There is no object {name}.")
    return found


def _supported(name: str) -> Entity:
    found = _entity(name)
    if found.name not in _SUPPORTED and not found.name.endswith("__c"):
        raise ButtonRefused(f"Salesforce does not publish changes of {found.name}.")
    return found


def _check_cap(sandbox: Sandbox, entity: Entity, on: bool) -> None:
    cap, names = int(knob(sandbox, "selected_objects")), selected_names(sandbox.store) | {entity.name}
    if on and cap and len(names) > cap:
        raise ButtonRefused(f"The org's edition lets {cap} objects publish their changes, and these would be more.")


def _check_member(entity: Entity, member: Member) -> None:
    try:
        names = member.all_enriched
    except FilterWrong as wrong:
        raise ButtonRefused(str(wrong)) from wrong
    if len(member.enriched) > MOST_ENRICHED:
        raise ButtonRefused(f"A member is enriched with at most {MOST_ENRICHED} fields.")
    for name in names:
        field = entity.field(name)
        if field is None or field.name != name or not field.in_events:
            raise ButtonRefused(f"Events of {entity.name} have no field {name}.")
        if field.type in COMPOUNDS or (field.type == "textarea" and not field.part_of):
            raise ButtonRefused(f"{name} is of a type that neither enriches nor filters.")


_ENTITY = Field("entity", "Object", choices=tuple(each.name for each in ENTITIES))
_REPLAYS = ("LATEST", "EARLIEST")

BUTTONS = [
    Button(
        "select-object", "Publish an object's changes", "salesforce",
        (_ENTITY, Field("on", "Published", False, "yes", YES_NO)), press_of(select_object),
        "At most as many objects as the knob selected_objects says.",
    ),
    Button(
        "channel-member", "Put an object on a channel", "salesforce",
        (
            _ENTITY,
            Field("channel", "Channel", False, PORTAL_CHANNEL),
            Field("enriched", "Added fields, joined by commas", False),
            Field("filter", "Filter expression", False),
            Field("on", "Member", False, "yes", YES_NO),
        ),
        press_of(channel_member), "The channel is made where there is none of that name.",
    ),
    Button(
        "allow-topic", "Allow or forbid a topic", "salesforce",
        (Field("topic", "Topic"), Field("can_subscribe", "May be subscribed to", False, "yes", YES_NO)),
        press_of(allow_topic),
    ),
    Button(
        "change-schema", "Change an event schema", "salesforce",
        (
            _ENTITY,
            Field("field", "Field, such as New__c"),
            Field("type", "Type", False, "string", tuple(_KINDS)),
            Field("before", "Before this field (empty: last)", False),
            Field("removes", "Take it away instead", False, "", ("", "yes")),
        ),
        press_of(change_schema), "New events name a new schema, those in the log keep theirs.",
    ),
    Button(
        "undelete", "Restore a deleted record", "salesforce", (Field("id", "Record id"),), press_of(undelete),
        "With all that went into the recycle bin with it.",
    ),
    Button(
        "define-platform-event", "Define a platform event", "salesforce",
        (Field("name", "Name, such as Something__e"), Field("fields", "Fields: Name__c:type, …")),
        press_of(define_platform_event),
    ),
    Button(
        "publish-platform-event", "Publish a platform event", "salesforce",
        (
            Field("name", "Name", False, "OrderProvisionRequested__e"),
            Field("values", "Values as JSON", False, "{}"),
        ),
        press_of(publish_event),
    ),
    Button(
        "managed-subscription", "Set up a managed subscription", "salesforce",
        (
            Field("name", "Developer name"),
            Field("topic", "Topic", False, PORTAL_CHANNEL),
            Field("default_replay", "Begins at", False, "LATEST", _REPLAYS),
            Field("error_recovery_replay", "Begins at after a lost position", False, "LATEST", _REPLAYS),
            Field("state", "State", False, "RUN", ("RUN", "STOP")),
        ),
        press_of(managed_subscription),
    ),
]  # fmt: skip
