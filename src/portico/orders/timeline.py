"""The fulfillment journal: its rows, who may write them, and how they read as a timeline.

The row is the truth, the job disposable. A run begins with `claim`; every write names its claim and raises LostClaim
where another run has begun since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.db import notify

RunState = Literal[
    "running", "waiting_customer", "waiting_staff", "waiting_freebit", "waiting_system", "parked", "done"
]
StepState = Literal["running", "waiting", "done", "stopped"]

BEGIN = text("""
    INSERT INTO fulfillments (order_id, sf_account_id, state, wake_at, approved_at, updated_at)
    VALUES (:order_id, :account_id, 'running', :now, :now, :now) ON CONFLICT (order_id) DO NOTHING
""")
DUE = """(
    CASE WHEN state IN ('parked', 'done') THEN told_salesforce IS NULL AND coalesce(wake_at, :now) <= :now
    ELSE wake_at <= :now OR (told_salesforce IS NULL AND updated_at <= CAST(:now AS timestamptz) - interval '1 minute')
    END)"""
"""Something is left to do now. A row that rests and of which Salesforce was not told lost its process in between."""
CLAIM = text(f"""
    UPDATE fulfillments SET claim = claim + 1, updated_at = :now WHERE order_id = :order_id AND {DUE} RETURNING *
""")  # noqa: S608 - a constant
HOLD = text("SELECT 1 FROM fulfillments WHERE order_id = :order_id AND claim = :claim FOR UPDATE")
RUN = text("SELECT * FROM fulfillments WHERE order_id = :order_id")
RUNS = text("SELECT * FROM fulfillments WHERE order_id = ANY(:order_ids)")
NOTE = text("""
    INSERT INTO journal (order_id, step, state, attempt, actor, digest, remote_id, facts, reason_code,
                         started_at, updated_at)
    VALUES (:order_id, :step, :state, 1, :actor, :digest, :remote_id, CAST(:facts AS jsonb), :reason_code, :now, :now)
    ON CONFLICT (order_id, step) DO UPDATE SET
        change = nextval('journal_changes'),
        state = excluded.state,
        attempt = journal.attempt + CASE WHEN excluded.state = 'running' THEN 1 ELSE 0 END,
        digest = coalesce(excluded.digest, journal.digest),
        remote_id = coalesce(excluded.remote_id, journal.remote_id),
        facts = journal.facts || excluded.facts,
        reason_code = excluded.reason_code,
        updated_at = excluded.updated_at
""")
NOTE_ONCE = text("""
    INSERT INTO journal (order_id, step, state, actor, started_at, updated_at)
    VALUES (:order_id, :step, :state, :actor, :now, :now) ON CONFLICT (order_id, step) DO NOTHING
""")
CHANGES = text("SELECT * FROM journal WHERE order_id = :order_id AND change > :after ORDER BY change")
FORGET = text("""
    DELETE FROM journal WHERE order_id = :order_id AND step = :step AND updated_at <= coalesce(:before, updated_at)
""")
# What is gone has no line to be sent to those who watch: the one before it is.
STIR = text("""
    UPDATE journal SET change = nextval('journal_changes') WHERE order_id = :order_id AND step = 'approval'
""")
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:order_id, 7307002))")
STEPS = text("SELECT * FROM journal WHERE order_id = :order_id ORDER BY id")
REST = text("""
    UPDATE fulfillments SET state = :state, reason_code = :reason_code, detail = :detail, wake_at = :wake_at,
        tries = :tries, updated_at = :now,
        told_salesforce = CASE WHEN state = :state AND reason_code IS NOT DISTINCT FROM :reason_code
                          THEN told_salesforce END
    WHERE order_id = :order_id AND claim = :claim
""")
TOLD = text("""
    UPDATE fulfillments SET told_salesforce = :told, updated_at = :now
    WHERE order_id = :order_id AND claim = :claim
""")
TELL_LATER = text("""
    UPDATE fulfillments SET tries = tries + 1,
        wake_at = CASE WHEN state IN ('parked', 'done') THEN :at ELSE least(wake_at, :at) END
    WHERE order_id = :order_id AND claim = :claim
""")
# Pending means "try again" only once Salesforce has been told that the order failed.
UNPARK = text("""
    UPDATE fulfillments SET state = 'running', reason_code = NULL, detail = '', tries = 0, wake_at = :now,
        claim = claim + 1, updated_at = :now
    WHERE order_id = :order_id AND state = 'parked' AND told_salesforce IS NOT NULL
""")
WAKE = text("""
    UPDATE fulfillments SET wake_at = :now WHERE sf_account_id = :account_id AND state = ANY(:states) RETURNING order_id
""")
WAKE_ONE = text("UPDATE fulfillments SET wake_at = :now WHERE order_id = :order_id AND state = ANY(:states)")
WAKE_ALL = text("UPDATE fulfillments SET wake_at = :now WHERE state = ANY(:states)")
IDLE = text(f"""
    SELECT order_id FROM fulfillments
    WHERE {DUE} AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = 'order:' || order_id
                                AND status IN ('todo', 'doing'))
    ORDER BY wake_at NULLS FIRST LIMIT 200
""")  # noqa: S608 - a constant


CANCELLED = "cancelled"
"""The line of a cancellation: `running` while the customer's is under way, `done` by its actor."""
CHANGES_CHANNEL = "portico_journal"
"""NOTIFY channel; the payload is the order id."""


class LostClaim(Exception):
    """Another run of this order has begun: this one stops without a further word."""


@dataclass(frozen=True)
class Step:
    step: str
    state: StepState
    attempt: int
    actor: str
    digest: str | None
    remote_id: str | None
    facts: Mapping[str, Any]
    reason_code: str | None
    started_at: datetime
    updated_at: datetime
    change: int
    """Raised at every write; of one order in the order of its writes."""


@dataclass(frozen=True)
class Journal:
    """What is known of one order's fulfillment. `run` None: not approved yet."""

    order_id: str
    state: RunState | None
    reason_code: str | None
    updated_at: datetime | None
    steps: Mapping[str, Step] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """The right to write this order's journal until somebody else claims it."""

    order_id: str
    account_id: str
    claim: int
    state: RunState
    reason_code: str | None
    detail: str
    told_salesforce: str | None
    tries: int


async def lock(tx: AsyncConnection, order_id: str) -> None:
    """Until the commit nobody else begins with this order or asks to cancel it: one of the two comes first."""
    await tx.execute(LOCK, {"order_id": order_id})


async def begin(tx: AsyncConnection, order_id: str, account_id: str, now: datetime) -> bool:
    """Makes the row of an approved order; False where it is there already."""
    await lock(tx, order_id)
    result = await tx.execute(BEGIN, {"order_id": order_id, "account_id": account_id, "now": now})
    return result.rowcount == 1


async def claim(tx: AsyncConnection, order_id: str, now: datetime) -> Claim | None:
    """Takes the row over for a new run; None where nothing is left to do, or not yet."""
    row = (await tx.execute(CLAIM, {"order_id": order_id, "now": now})).mappings().first()
    if row is None:
        return None
    return _claim(row)


async def held(tx: AsyncConnection, mine: Claim) -> Claim:
    """The row as it stands, for its holder. Raises LostClaim."""
    row = (await tx.execute(RUN, {"order_id": mine.order_id})).mappings().one()
    if row["claim"] != mine.claim:
        raise LostClaim(mine.order_id)
    return _claim(row)


async def note(
    tx: AsyncConnection,
    mine: Claim,
    step: str,
    state: StepState,
    now: datetime,
    *,
    actor: str,
    digest: str | None = None,
    remote_id: str | None = None,
    reason_code: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Writes one step's line. Raises LostClaim."""
    if (await tx.execute(HOLD, {"order_id": mine.order_id, "claim": mine.claim})).first() is None:
        raise LostClaim(mine.order_id)
    values = {"step": step, "state": state, "actor": actor, "digest": digest, "remote_id": remote_id}
    await _write(tx, mine.order_id, values, reason_code, facts, now)


async def note_once(
    tx: AsyncConnection, order_id: str, step: str, state: StepState, now: datetime, *, actor: str
) -> None:
    """Lines that no run writes: the order was placed, it waits for staff, its install code was shown. An order that was
    adopted late may be approved, and a run further, by now: what stands there stays.
    """
    values = {"order_id": order_id, "step": step, "state": state, "actor": actor, "now": now}
    await tx.execute(NOTE_ONCE, values)
    await notify(tx, CHANGES_CHANNEL, order_id)


async def note_cancellation(
    tx: AsyncConnection, order_id: str, state: StepState, now: datetime, *, actor: Literal["customer", "salesforce"]
) -> None:
    """Begins the line anew: an order may be cancelled, reinstated and cancelled by somebody else."""
    await tx.execute(FORGET, {"order_id": order_id, "step": CANCELLED, "before": None})
    values = {"step": CANCELLED, "state": state, "actor": actor, "digest": None, "remote_id": None}
    await _write(tx, order_id, values, None, None, now)


async def forget_cancellation(tx: AsyncConnection, order_id: str, *, before: datetime | None = None) -> bool:
    """The order is not cancelled (any more): removes the line, where it is not younger than `before`."""
    values = {"order_id": order_id, "step": CANCELLED, "before": before}
    if (await tx.execute(FORGET, values)).rowcount == 0:
        return False
    await tx.execute(STIR, {"order_id": order_id})
    await notify(tx, CHANGES_CHANNEL, order_id)
    return True


async def rest(
    tx: AsyncConnection,
    mine: Claim,
    state: RunState,
    now: datetime,
    *,
    reason_code: str | None = None,
    detail: str = "",
    wake_at: datetime | None = None,
    tries: int = 0,
) -> None:
    """Ends a run: where it stands, why, and when to look again. Raises LostClaim."""
    values = {"state": state, "reason_code": reason_code, "detail": detail, "wake_at": wake_at, "tries": tries}
    values["now"] = now
    result = await tx.execute(REST, {**values, "order_id": mine.order_id, "claim": mine.claim})
    if result.rowcount == 0:
        raise LostClaim(mine.order_id)


async def told(tx: AsyncConnection, mine: Claim, what: str, now: datetime) -> None:
    """Remembers what Salesforce has acknowledged. Raises LostClaim."""
    values = {"order_id": mine.order_id, "claim": mine.claim, "told": what, "now": now}
    if (await tx.execute(TOLD, values)).rowcount == 0:
        raise LostClaim(mine.order_id)


async def tell_later(tx: AsyncConnection, mine: Claim, at: datetime) -> None:
    """Salesforce could not be told: the sweep comes back for it."""
    await tx.execute(TELL_LATER, {"order_id": mine.order_id, "claim": mine.claim, "at": at})


async def wake(tx: AsyncConnection, account_id: str, states: list[RunState], now: datetime) -> list[str]:
    """Makes the account's waiting rows due at once; answers their order ids."""
    values = {"account_id": account_id, "states": states, "now": now}
    return list((await tx.execute(WAKE, values)).scalars())


async def wake_one(tx: AsyncConnection, order_id: str, states: list[RunState], now: datetime) -> bool:
    """Makes one waiting row due at once; False where it does not wait."""
    return (await tx.execute(WAKE_ONE, {"order_id": order_id, "states": states, "now": now})).rowcount == 1


async def wake_all(tx: AsyncConnection, states: list[RunState], now: datetime) -> None:
    """Makes every waiting row due at once: the sweep finds them."""
    await tx.execute(WAKE_ALL, {"states": states, "now": now})


async def unpark(tx: AsyncConnection, order_id: str, now: datetime) -> bool:
    """Lets a parked order run again; False where it is not parked, or Salesforce does not know yet that it is."""
    return (await tx.execute(UNPARK, {"order_id": order_id, "now": now})).rowcount == 1


async def idle(tx: AsyncConnection, now: datetime) -> list[str]:
    """Rows with something left to do and no job to do it."""
    return list((await tx.execute(IDLE, {"now": now})).scalars())


async def journal_of(tx: AsyncConnection, order_id: str) -> Journal:
    """The journal of one order; the caller has checked whose it is."""
    row = (await tx.execute(RUN, {"order_id": order_id})).mappings().first()
    steps = (await tx.execute(STEPS, {"order_id": order_id})).mappings()
    read = {line["step"]: Step(**{name: line[name] for name in Step.__dataclass_fields__}) for line in steps}
    if row is None:
        return Journal(order_id, None, None, None, read)
    return Journal(order_id, row["state"], row["reason_code"], row["updated_at"], read)


async def journals_of(tx: AsyncConnection, order_ids: list[str]) -> dict[str, Journal]:
    """The journals of several orders of one customer, without their steps: what a list shows."""
    rows = (await tx.execute(RUNS, {"order_ids": order_ids})).mappings()
    known = {row["order_id"]: row for row in rows}
    return {
        order_id: Journal(order_id, row["state"], row["reason_code"], row["updated_at"])
        if (row := known.get(order_id))
        else Journal(order_id, None, None, None)
        for order_id in order_ids
    }


def is_being_cancelled(steps: Mapping[str, Step]) -> bool:
    """By the customer, and nobody knows yet whether it has succeeded."""
    line = steps.get(CANCELLED)
    return line is not None and line.state == "running"


def is_cancelled_by_customer(steps: Mapping[str, Step]) -> bool:
    line = steps.get(CANCELLED)
    return line is not None and line.state == "done" and line.actor == "customer"


async def changes_after(tx: AsyncConnection, order_id: str, after: int) -> list[Step]:
    """The lines written since a change number, each as it stands now, oldest change first."""
    rows = (await tx.execute(CHANGES, {"order_id": order_id, "after": after})).mappings()
    return [Step(**{name: row[name] for name in Step.__dataclass_fields__}) for row in rows]


async def _write(
    tx: AsyncConnection,
    order_id: str,
    values: Mapping[str, Any],
    reason_code: str | None,
    facts: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    row = {"order_id": order_id, "reason_code": reason_code, "facts": json.dumps(dict(facts or {})), "now": now}
    await tx.execute(NOTE, {**values, **row})
    await notify(tx, CHANGES_CHANNEL, order_id)


def _claim(row: Mapping[Any, Any]) -> Claim:
    own_names = {name: row[name] for name in Claim.__dataclass_fields__ if name != "account_id"}
    return Claim(account_id=row["sf_account_id"], **own_names)
