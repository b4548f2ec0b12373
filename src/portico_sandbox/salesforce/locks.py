"""Rows that somebody else seems to hold: writes to them, or to their children, fail until the time is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

if TYPE_CHECKING:
    from portico_sandbox.salesforce.changes import Changes

_TABLE = "sf_locks"


def lock(sandbox: Sandbox, record_id: str, seconds: float) -> None:
    """Holds a row (18-character id) for so long by the sandbox's clock; 0 lets go of it."""
    with sandbox.store.begin() as tx:
        if seconds > 0:
            until = sandbox.clock.now() + timedelta(seconds=seconds)
            tx.put(_TABLE, record_id, {"until": until.isoformat()})
        else:
            tx.delete(_TABLE, record_id)


def check_unlocked(changes: Changes, entity: Entity, row: Row) -> None:
    """Raises Refusal (UNABLE_TO_LOCK_ROW) where the row or a row that it hangs on is held."""
    table = changes.sandbox.store.table(_TABLE)
    if not table:
        return
    own = (row.get(each.name) for each in entity.fields if each.type in ("id", "reference"))
    held = [each for each in own if isinstance(each, str) and each in table and _is_held(changes, table[each])]
    if held:
        message = f"unable to obtain exclusive access to this record or {len(held)} records: {','.join(held)}"
        status = int(knob(changes.sandbox, "locked_row_status"))
        raise Refusal(Fault("UNABLE_TO_LOCK_ROW", message, ()), status=status)


def _is_held(changes: Changes, held: Row) -> bool:
    return changes.at < datetime.fromisoformat(held["until"])
