"""Buttons for what goes wrong on the event stream: gaps, overflow, lost positions, cut connections, limits."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.salesforce import event_faults, events
from portico_sandbox.salesforce.avro_schemas import CHANGE_TYPES
from portico_sandbox.salesforce.channels import selected_names
from portico_sandbox.salesforce.event_log import forget_before, state_of
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.objects import BY_PREFIX, ENTITIES, SELECTED
from portico_sandbox.salesforce.positions import replay_number, spoil, spoil_next
from portico_sandbox.salesforce.stream_ends import cut_streams, turn_fault
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_GAPS = tuple(each for each in CHANGE_TYPES if each.startswith("GAP_") and each != "GAP_OVERFLOW")
_SELECTED_NAMES = tuple(entity.name for entity in SELECTED)
_STATUSES = {"UNAVAILABLE": "service.unavailable", "UNAUTHENTICATED": "service.auth.error", "OK": "", "RST": "rst"}
YES_NO = ("yes", "no")


async def gap(sandbox: Sandbox, id: str, kind: str = "GAP_UPDATE") -> Row:  # noqa: A002
    """Tells subscribers that records changed, and not how; they stay as they are. `801*` stands for all of an object.

    Several ids, joined by commas, are merged into one event; they must be of one object.
    """
    names = [each.strip() for each in id.split(",")]
    entity = BY_PREFIX.get(names[0][:3])
    if entity is None or entity.name not in selected_names(sandbox.store):
        raise ButtonRefused(f"{id} is no record whose changes are published.")
    record_ids = [each if each == f"{entity.prefix}*" else normal(each) for each in names]
    if None in record_ids or {each[:3] for each in names} != {entity.prefix}:
        raise ButtonRefused(f"{id} is not a list of records of one object.")
    if kind not in _GAPS:
        raise ButtonRefused(f"{kind} is no kind of gap.")
    event = events.gap(sandbox, kind, entity.name, [each for each in record_ids if each])
    return {"entity": entity.name, "id": ",".join(names), "kind": kind, "event": event["id"]}


async def wildcard(sandbox: Sandbox, entity: str = "Order", kind: str = "UPDATE") -> Row:
    """A field type was converted: one event whose record id is a wildcard."""
    prefix = next(each.prefix for each in ENTITIES if each.name == entity)
    event = events.gap(sandbox, kind, entity, [f"{prefix}*"])
    return {"entity": entity, "id": f"{prefix}*", "kind": kind, "event": event["id"]}


async def overflow(sandbox: Sandbox, entity: str = "Product2") -> Row:
    """Too much changed in one transaction: only the object is named. `*` stands for every published object."""
    selected = selected_names(sandbox.store)
    names = [each.name for each in ENTITIES if each.name in selected] if entity == "*" else [entity]
    if not set(names) <= selected:
        raise ButtonRefused(f"Changes of {entity} are not published.")
    for name in names:
        events.gap(sandbox, "GAP_OVERFLOW", name, [events.WHOLE_ENTITY])
    return {"entities": names}


async def expire_replay(sandbox: Sandbox, now: str = "", position: str = "", everything: str = "") -> Row:
    """Positions that mean nothing any more; `now` cuts the open streams, so that it comes at once.

    `position`: one replay id as base64. `everything`: all events so far are gone. Neither: the next one to resume.
    """
    if position:
        spoil(sandbox, _replay(position))
    elif everything == "yes":
        forget_before(sandbox, state_of(sandbox.store)["last"] + 1)
    else:
        spoil_next(sandbox)
    if now == "yes":
        await disconnect(sandbox)
    return {"next_resume": "subscription.fetch.replayid.corrupted"}


async def disconnect(sandbox: Sandbox, status: str = "UNAVAILABLE") -> Row:
    """Cuts all open streams. UNAUTHENTICATED is what an expired token may look like; RST and OK say nothing."""
    code = _STATUSES.get(status)
    if code is None:
        raise ButtonRefused(f"Streams are not cut with {status}.")
    cut_streams(sandbox, status, code, "The stream was closed")
    return {"status": status}


async def break_streams(sandbox: Sandbox, every: str = "0", how: str = "reset") -> Row:
    """Every stream ends after so many events, again and again; 0: no longer."""
    return turn_fault(sandbox, **{f"{how}_every": whole(every)})


async def silence(sandbox: Sandbox, on: str = "yes") -> Row:
    """Streams stay open and say nothing: no events, no keepalives, no end."""
    return turn_fault(sandbox, silent=on == "yes")


async def repeat(sandbox: Sandbox, count: str = "1") -> Row:
    return {"events": event_faults.repeat(sandbox, whole(count))}


async def reorder(sandbox: Sandbox, count: str = "2") -> Row:
    return {"released": event_faults.hold_back(sandbox, whole(count)), "held": count}


async def lower_replay(sandbox: Sandbox, count: str = "1") -> Row:
    event_faults.number_downwards(sandbox, whole(count))
    return {"count": count}


def whole(text: str) -> int:
    if not text.isdecimal():
        raise ButtonRefused(f"{text} is no whole number.")
    return int(text)


def press_of(function: Callable[..., Awaitable[Row]]) -> Callable[[Sandbox, dict[str, str]], Awaitable[Row]]:
    """A button's press: fields left out take the function's defaults."""

    async def press(sandbox: Sandbox, fields: dict[str, str]) -> Row:
        return await function(sandbox, **{name: value for name, value in fields.items() if value})

    return press


def _replay(text: str) -> int:
    try:
        replay = replay_number(base64.b64decode(text, validate=True))
    except binascii.Error:
        replay = None
    if replay is None:
        raise ButtonRefused(f"{text} is no replay id in base64.")
    return replay


BUTTONS = [
    Button(
        "gap", "Emit a gap event", "salesforce",
        (Field("id", "Record ids, or 801* for all"), Field("kind", "Kind", False, "GAP_UPDATE", _GAPS)), press_of(gap),
        "Subscribers learn that the records changed, and not how.",
    ),
    Button(
        "overflow", "Emit an overflow event", "salesforce",
        (Field("entity", "Object", False, "Product2", ("*", *_SELECTED_NAMES)),), press_of(overflow),
    ),
    Button(
        "wildcard", "Emit an event of all records", "salesforce",
        (
            Field("entity", "Object", False, "Order", _SELECTED_NAMES),
            Field("kind", "Kind", False, "UPDATE", ("UPDATE", "GAP_UPDATE")),
        ),
        press_of(wildcard), "As a converted field does it: the record id ends in a star.",
    ),
    Button(
        "expire-replay", "Expire the replay position", "salesforce",
        (
            Field("now", "Cut open streams as well", False, "", ("", "yes")),
            Field("position", "Only this replay id (base64)", False),
            Field("everything", "All events so far", False, "", ("", "yes")),
        ),
        press_of(expire_replay), "Without a position, the next resume is refused.",
    ),
    Button(
        "disconnect", "Cut open streams", "salesforce",
        (Field("status", "Status", False, "UNAVAILABLE", tuple(_STATUSES)),), press_of(disconnect),
        "RST is a broken network, OK a clean end: neither has an error code.",
    ),
    Button(
        "break-streams", "Break streams every so many events", "salesforce",
        (Field("every", "Events (0: never)", False, "0"), Field("how", "How", False, "reset", ("reset", "close"))),
        press_of(break_streams),
    ),
    Button(
        "silence", "Silence the streams", "salesforce",
        (Field("on", "Silent", False, "yes", YES_NO),), press_of(silence),
        "They stay open without events, keepalives or an end.",
    ),
    Button(
        "repeat-events", "Repeat the newest events", "salesforce",
        (Field("count", "How many", False, "1"),), press_of(repeat), "Same event ids, new replay ids.",
    ),
    Button(
        "reorder-events", "Reverse the next events", "salesforce",
        (Field("count", "How many (0: release those held)", False, "2"),), press_of(reorder),
        "They are held until so many have come, then come in reverse order.",
    ),
    Button(
        "lower-replay", "Lower replay ids", "salesforce",
        (Field("count", "For how many of the next events", False, "1"),), press_of(lower_replay),
        "Replay ids that are lower than all before: clients must not compare them.",
    ),
]  # fmt: skip
