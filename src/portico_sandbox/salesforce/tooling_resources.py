"""What little of the Tooling API the event side needs: channels, their members and managed subscriptions."""

from __future__ import annotations

import re
from collections.abc import Callable

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.salesforce.channel_control import set_member
from portico_sandbox.salesforce.channels import Member, channel_names, members_of, put_members
from portico_sandbox.salesforce.errors import Fault, Refusal, not_found
from portico_sandbox.salesforce.managed import Subscription, put_subscription, subscriptions
from portico_sandbox.salesforce.rest import Answer, Call
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_QUERY = re.compile(
    r"\s*SELECT\s+(?P<fields>[\w\s,.]+?)\s+FROM\s+(?P<object>\w+)"
    r"(?:\s+WHERE\s+(?P<field>\w+)\s*=\s*'(?P<value>[^'\\]*)')?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE,
)


def query(call: Call) -> Answer:
    """One object, at most one condition: what clients ask to find a subscription or a channel."""
    asked = _QUERY.fullmatch(call.query.get("q", ""))
    if asked is None:
        raise Refusal(Fault("MALFORMED_QUERY", "The tooling query is not understood", ()))
    rows = _rows_of(call.sandbox, asked["object"])
    if asked["field"]:
        rows = [row for row in rows if _is(row.get(asked["field"]), asked["value"])]
    rows = rows[: int(asked["limit"] or len(rows))]
    names = [name.strip() for name in asked["fields"].split(",")]
    records = [{"attributes": {"type": asked["object"]}, **{name: row.get(name) for name in names}} for row in rows]
    return Answer(200, {"size": len(records), "totalSize": len(records), "done": True, "records": records})


def create(call: Call) -> Answer:
    """A row with FullName and Metadata, as the real ones are created."""
    body = call.json_object()
    name, metadata = str(body.get("FullName", "")), body.get("Metadata")
    make = _MAKERS.get(call.path[2])
    if make is None:
        raise not_found()
    if not name or not isinstance(metadata, dict):
        raise Refusal(Fault("REQUIRED_FIELD_MISSING", "Required fields are missing: [FullName, Metadata]"))
    try:
        record_id = make(call.sandbox, name, metadata)
    except ButtonRefused as wrong:
        raise Refusal(Fault("FIELD_INTEGRITY_EXCEPTION", str(wrong), ())) from wrong
    return Answer(201, {"id": record_id, "success": True, "errors": []})


def _make_channel(sandbox: Sandbox, name: str, metadata: Row) -> str:
    topic = f"/data/{name}"
    if not re.fullmatch(r"[A-Za-z]\w*__chn", name) or metadata.get("channelType") != "data":
        raise ButtonRefused("A channel is named Name__chn and is of the type data.")
    with sandbox.store.begin() as tx:
        put_members(tx, topic, members_of(sandbox.store, topic))
    return name


def _make_member(sandbox: Sandbox, name: str, metadata: Row) -> str:
    enriched = tuple(str(each["name"]) for each in metadata.get("enrichedFields") or ())
    entity = str(metadata.get("selectedEntity", "")).removesuffix("ChangeEvent")
    entity = f"{entity.removesuffix('__')}__c" if entity.endswith("__") else entity
    member = Member(entity, enriched, metadata.get("filterExpression") or "")
    set_member(sandbox, f"/data/{metadata.get('eventChannel')}", member)
    return name


def _make_subscription(sandbox: Sandbox, name: str, metadata: Row) -> str:
    wanted = Subscription(
        name,
        str(metadata.get("topicName", "")),
        str(metadata.get("defaultReplay", "LATEST")),
        str(metadata.get("errorRecoveryReplay", "LATEST")),
        str(metadata.get("state", "RUN")),
    )
    with sandbox.store.begin() as tx:
        return str(put_subscription(sandbox, tx, wanted)["id"])


_MAKERS: dict[str, Callable[[Sandbox, str, Row], str]] = {
    "PlatformEventChannel": _make_channel,
    "PlatformEventChannelMember": _make_member,
    "ManagedEventSubscription": _make_subscription,
}


def _rows_of(sandbox: Sandbox, name: str) -> list[Row]:
    if name == "ManagedEventSubscription":
        return [_subscription(row) for row in subscriptions(sandbox)]
    channels = [each.removeprefix("/data/") for each in channel_names(sandbox.store)]
    if name == "PlatformEventChannel":
        return [{"Id": each, "DeveloperName": each.removesuffix("__chn"), "ChannelType": "data"} for each in channels]
    if name == "PlatformEventChannelMember":
        return [_member(each, one) for each in channels for one in members_of(sandbox.store, f"/data/{each}")]
    raise Refusal(Fault("INVALID_TYPE", f"sObject type '{name}' is not supported.", ()))


def _subscription(row: Row) -> Row:
    metadata = {
        "topicName": row["topic"],
        "defaultReplay": row["default_replay"],
        "errorRecoveryReplay": row["error_recovery_replay"],
        "state": row["state"],
        "label": row["name"],
    }
    return {"Id": row["id"], "DeveloperName": row["name"], "Metadata": metadata}


def _member(channel: str, member: Member) -> Row:
    entity = f"{member.entity.removesuffix('__c')}{'__' if member.entity.endswith('__c') else ''}ChangeEvent"
    return {
        "Id": f"{channel.replace('__', '_')}_{entity}",
        "DeveloperName": f"{channel.replace('__', '_')}_{entity}",
        "EventChannel": channel,
        "SelectedEntity": entity,
        "EnrichedFields": [{"name": name} for name in member.enriched],
        "FilterExpression": member.filter or None,
    }


def _is(value: object, wanted: str) -> bool:
    """Ids are given with 15 or 18 characters."""
    return value == wanted or (isinstance(value, str) and len(wanted) == 15 and value[:15] == wanted)
