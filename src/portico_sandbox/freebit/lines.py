"""The lines (accounts of kind MVNO) as Freebit knows them. Their state follows from stored times: no timers run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from portico_sandbox.freebit.codes import Invented
from portico_sandbox.freebit.wire import Refused
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

State = Literal["waiting", "active", "obsolete"]
LINES = "freebit_lines"


def line_of(sandbox: Sandbox, account: str) -> Row:
    """Raises Refused where there is no such account."""
    row = sandbox.store.get(LINES, account)
    if row is None:
        raise Refused(Invented.ACCOUNT_UNKNOWN)
    return row


def state_of(sandbox: Sandbox, line: Row) -> State:
    now = sandbox.clock.now()
    if line["cancelled_at"] and datetime.fromisoformat(line["cancelled_at"]) <= now:
        return "obsolete"
    if line["fate"] == "stuck" or now < datetime.fromisoformat(line["settles_at"]):
        return "waiting"
    return "active" if line["fate"] == "well" else "obsolete"


def is_taken(sandbox: Sandbox, account: str) -> bool:
    row = sandbox.store.get(LINES, account)
    return row is not None and state_of(sandbox, row) != "obsolete"


def line_with_eid(sandbox: Sandbox, eid: str) -> Row | None:
    """The line that lives on this eUICC or is on its way there."""
    rows = sandbox.store.table(LINES).values()
    return next((r for r in rows if r["eid"] == eid and state_of(sandbox, r) != "obsolete"), None)


def settles_at(sandbox: Sandbox) -> str:
    return (sandbox.clock.now() + timedelta(seconds=sandbox.settings.freebit_activation_seconds)).isoformat()
