"""Platform events over REST: a row is created on the event's object, and what is answered is a receipt."""

from __future__ import annotations

from portico_sandbox.salesforce.avro_schemas import epoch_ms
from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.event_log import ring
from portico_sandbox.salesforce.ids import with_suffix
from portico_sandbox.salesforce.platform_events import PayloadWrong, PlatformEvent, payload_of, publish
from portico_sandbox.salesforce.values import parse_moment
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row


def publish_row(sandbox: Sandbox, event: PlatformEvent, user_id: str, body: Row) -> Row:
    """The answer to a create. Raises Refusal where the values are none of this event."""
    values = {name: value for name, value in body.items() if name != "attributes"}
    try:
        payload = payload_of(event, _on_the_wire(event, values), user_id, sandbox.clock.now())
    except PayloadWrong as wrong:
        raise Refusal(Fault("INVALID_FIELD", str(wrong))) from wrong
    with sandbox.store.begin() as tx:
        number = tx.next("sf_platform_rows")
        event_id, _ = publish(sandbox, tx, event, payload)
    ring(sandbox)
    receipt = {"statusCode": "OPERATION_ENQUEUED", "message": event_id, "fields": []}
    return {"id": with_suffix(f"e015g1{number:09d}"), "success": True, "errors": [receipt]}


def _on_the_wire(event: PlatformEvent, values: Row) -> Row:
    """Moments of JSON as milliseconds, whole numbers as the floats that they stand for."""
    kinds = dict(event.fields)
    told: Row = {}
    for name, value in values.items():
        kind = kinds.get(name)
        if kind == "datetime" and isinstance(value, str) and parse_moment(value):
            told[name] = epoch_ms(kind, parse_moment(value) or "")
        elif kind in ("double", "currency") and isinstance(value, int) and not isinstance(value, bool):
            told[name] = float(value)
        else:
            told[name] = value
    return told
