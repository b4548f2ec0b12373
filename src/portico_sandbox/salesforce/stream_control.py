"""Buttons for what goes wrong on the event stream: gaps, overflow, a lost position, a cut connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.salesforce import events
from portico_sandbox.salesforce.avro_schemas import CHANGE_TYPES
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.objects import BY_PREFIX, SELECTED
from portico_sandbox.salesforce.stream import Ended, cut_streams, spoil_next_replay
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_GAPS = tuple(each for each in CHANGE_TYPES if each.startswith("GAP_") and each != "GAP_OVERFLOW")
_SELECTED_NAMES = tuple(entity.name for entity in SELECTED)


async def gap(sandbox: Sandbox, id: str, kind: str = "GAP_UPDATE") -> Row:  # noqa: A002
    """Tells subscribers that a record changed, and not how. The record itself stays as it is."""
    record_id = normal(id)
    entity = BY_PREFIX.get((record_id or "")[:3])
    if record_id is None or entity is None or not entity.selected:
        raise ButtonRefused(f"{id} is no record whose changes are published.")
    if kind not in _GAPS:
        raise ButtonRefused(f"{kind} is no kind of gap.")
    events.gap(sandbox, kind, entity.name, [record_id])
    return {"entity": entity.name, "id": record_id, "kind": kind}


async def overflow(sandbox: Sandbox, entity: str = "Product2") -> Row:
    """Too much changed in one transaction: only the object is named. `*` stands for every published object."""
    names = _SELECTED_NAMES if entity == "*" else (entity,)
    if not set(names) <= set(_SELECTED_NAMES):
        raise ButtonRefused(f"Changes of {entity} are not published.")
    for name in names:
        events.gap(sandbox, "GAP_OVERFLOW", name, [events.WHOLE_ENTITY])
    return {"entities": list(names)}


async def expire_replay(sandbox: Sandbox, now: str = "") -> Row:
    """The next resume from a stored position is refused; `now` cuts the open streams, so that it comes at once."""
    spoil_next_replay(sandbox)
    if now:
        await disconnect(sandbox)
    return {"next_resume": "subscription.fetch.replayid.corrupted"}


async def disconnect(sandbox: Sandbox, status: str = "UNAVAILABLE") -> Row:
    """Cuts all open streams. UNAUTHENTICATED is what an expired token may look like on a stream."""
    code = {"UNAVAILABLE": "service.unavailable", "UNAUTHENTICATED": "service.auth.error"}.get(status)
    if code is None:
        raise ButtonRefused(f"Streams are not cut with {status}.")
    cut_streams(sandbox, Ended(status, code, "The stream was closed"))
    return {"status": status}


def press_of(function: Callable[..., Awaitable[Row]]) -> Callable[[Sandbox, dict[str, str]], Awaitable[Row]]:
    """A button's press: fields left out take the function's defaults."""

    async def press(sandbox: Sandbox, fields: dict[str, str]) -> Row:
        return await function(sandbox, **{name: value for name, value in fields.items() if value})

    return press


BUTTONS = [
    Button(
        "gap", "Emit a gap event", "salesforce",
        (Field("id", "Record id"), Field("kind", "Kind", False, "GAP_UPDATE", _GAPS)), press_of(gap),
        "Subscribers learn that the record changed, and not how.",
    ),
    Button(
        "overflow", "Emit an overflow event", "salesforce",
        (Field("entity", "Object", False, "Product2", ("*", *_SELECTED_NAMES)),), press_of(overflow),
    ),
    Button(
        "expire-replay", "Expire the replay position", "salesforce",
        (Field("now", "Cut open streams as well", False, "", ("", "yes")),), press_of(expire_replay),
    ),
    Button(
        "disconnect", "Cut open streams", "salesforce",
        (Field("status", "Status", False, "UNAVAILABLE", ("UNAVAILABLE", "UNAUTHENTICATED")),), press_of(disconnect),
    ),
]  # fmt: skip
