"""Buttons around the log of events: bursts, what was emitted, objects and channels that publish, changes of schemas."""

from __future__ import annotations

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.salesforce.bursts import Burst, burst, emitted
from portico_sandbox.salesforce.channel_control import BUTTONS as CHANNEL_BUTTONS
from portico_sandbox.salesforce.channels import selected_names
from portico_sandbox.salesforce.event_faults import lost_events
from portico_sandbox.salesforce.event_log import listed, state_of
from portico_sandbox.salesforce.objects import SELECTED, entity_named
from portico_sandbox.salesforce.schema import NUMBERS, TEXTS
from portico_sandbox.salesforce.stream_control import press_of, whole
from portico_sandbox.salesforce.stream_ends import delivered_today
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

MOST_EVENTS = 100_000
_MOST_LISTED = 100_000
_FIELDS = {
    "PricebookEntry": "UnitPrice", "Order": "Description", "Product2": "Description", "Account": "Phone",
    "OrderItem": "Description",
}  # fmt: skip
_SELECTED_NAMES = tuple(entity.name for entity in SELECTED)


async def burst_events(
    sandbox: Sandbox,
    count: str,
    entity: str = "PricebookEntry",
    field: str = "",
    records: str = "0",
    per_transaction: str = "200",
) -> Row:
    """Up to 100,000 UPDATE events at once. The answer names the burst: `emitted-events` lists its event ids."""
    found = entity_named(entity)
    if found is None or found.name not in selected_names(sandbox.store):
        raise ButtonRefused(f"Changes of {entity} are not published.")
    changed = found.field(field or _FIELDS.get(found.name, "Description"))
    if changed is None or changed.has_index or not changed.updateable or changed.type not in TEXTS | NUMBERS:
        raise ButtonRefused(f"{field} is no field for bursts: a plain text or number is wanted.")
    if not 1 <= whole(count) <= MOST_EVENTS or not whole(per_transaction) >= 1:
        raise ButtonRefused(f"A burst has 1 to {MOST_EVENTS} events, a transaction at least one.")
    return await burst(sandbox, Burst(found, changed, whole(count), whole(records), whole(per_transaction)))


async def emitted_events(sandbox: Sandbox, burst: str = "", after: str = "0", limit: str = "10000") -> Row:
    """Event ids of a burst, or of the log after a number; the events that were lost on purpose are listed apart."""
    if burst:
        try:
            return {"ids": emitted(sandbox, burst)}
        except KeyError as error:
            raise ButtonRefused(f"There was no burst {burst}.") from error
    first = whole(after) + 1
    rows = listed(sandbox.store, first, first - 1 + min(whole(limit), _MOST_LISTED))
    return {
        "events": [{"number": number, "id": event_id, "object": name} for number, _, event_id, name in rows],
        "last": state_of(sandbox.store)["last"],
        "lost": lost_events(sandbox),
        "delivered_in_24_hours": delivered_today(sandbox),
    }


BUTTONS = [
    *CHANNEL_BUTTONS,
    Button(
        "burst-events", "Emit very many events", "salesforce",
        (
            Field("count", "How many (at most 100000)"),
            Field("entity", "Object", False, "PricebookEntry", _SELECTED_NAMES),
            Field("field", "Changed field", False),
            Field("records", "Different records (0: all there are)", False, "0"),
            Field("per_transaction", "Events of one transaction", False, "200"),
        ),
        press_of(burst_events),
        "Updates of one field, in turn over the records; where these do not suffice, ids are invented.",
    ),
    Button(
        "emitted-events", "List emitted events", "salesforce",
        (
            Field("burst", "Of this burst", False),
            Field("after", "After this number of the log", False, "0"),
            Field("limit", "At most", False, "10000"),
        ),
        press_of(emitted_events), "The ids of all events in the log, and of those that were lost on purpose.",
    ),
]  # fmt: skip
