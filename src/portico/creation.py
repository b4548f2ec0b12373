"""Creating something remote, once: intent, marked call, outcome; never a blind second call (design §4, faults.md b.3).

intended → attempted → done | refused | unknown → (look-up by marker) → done | attempted again | parked

Exactly one effect holds where a system's look-up sees its own writes, and where it cannot execute a call later than
the quiet period after we gave up on it.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.clock import Clock
from portico.db import Database
from portico.errors import NotFound, PorticoError, Refusal, SystemDown, SystemRefused, SystemSurprised
from portico.settings import Settings

log = structlog.get_logger()

State = Literal["intended", "attempted", "unknown", "done", "refused", "parked"]
LOOK_UPS_BEFORE_REPEAT = 2

INSERT = text("""
    INSERT INTO creations (id, kind, business_key, marker, owner_id, request, state, created_at, updated_at)
    VALUES (:id, :kind, :business_key, :marker, :owner_id, CAST(:request AS jsonb), 'intended', :now, :now)
    ON CONFLICT (kind, business_key) DO NOTHING
""")
SELECT = text("SELECT * FROM creations WHERE id = :id")
SELECT_BY_KEY = text("SELECT * FROM creations WHERE kind = :kind AND business_key = :business_key")
REOPEN = text("""
    UPDATE creations SET
        request = CASE WHEN state = 'parked' THEN request ELSE CAST(:request AS jsonb) END,
        state = CASE WHEN state = 'intended' THEN 'intended' ELSE 'unknown' END,
        misses = CASE WHEN state = 'intended' THEN misses ELSE :misses END
    WHERE id = :id AND (state IN ('refused', 'parked') OR state = 'intended' AND claimed_until IS NULL)
    RETURNING *
""")
CLAIM = text("""
    UPDATE creations SET claim = claim + 1, claimed_until = :until
    WHERE id = :id AND state IN ('intended', 'attempted', 'unknown')
      AND (claimed_until IS NULL OR claimed_until <= :now) AND (wake_at IS NULL OR wake_at <= :now)
    RETURNING *
""")
RECORD = text("""
    UPDATE creations SET state = :state, attempt = :attempt, misses = :misses, remote_id = :remote_id, code = :code,
        wake_at = :wake_at, claimed_until = :claimed_until, updated_at = :now
    WHERE id = :id AND claim = :claim
""")


class HasStores(Protocol):
    @property
    def db(self) -> Database: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def settings(self) -> Settings: ...


@dataclass(frozen=True)
class Creation:
    id: UUID
    kind: str
    business_key: str
    marker: str
    owner_id: UUID | None
    request: dict[str, Any]
    state: State
    attempt: int
    """How many calls may have reached the system."""
    misses: int
    remote_id: str | None
    code: str | None
    claim: int
    wake_at: datetime | None

    @property
    def is_settled(self) -> bool:
        return self.state in ("done", "refused", "parked")


@dataclass(frozen=True)
class Recipe:
    """How one kind of thing is made and found again.

    `create(marker)` makes the marked call and answers the remote id. `look_up(marker)` answers the ids of all things
    that carry the marker. `repeat_is_refused`: the system itself refuses a second thing with the same marker, so
    that no quiet period is needed.
    """

    create: Callable[[str], Awaitable[str]]
    look_up: Callable[[str], Awaitable[list[str]]]
    repeat_is_refused: bool = False


class LostClaim(Exception):
    """Somebody else carries this creation on; nothing was recorded."""


async def intend(
    tx: AsyncConnection,
    clock: Clock,
    kind: str,
    business_key: str,
    request: dict[str, Any],
    *,
    owner_id: UUID | None = None,
) -> Creation:
    """Writes the intent in the caller's transaction; answers the one that is there where there is one already."""
    values = {
        "id": uuid4(),
        "kind": kind,
        "business_key": business_key,
        "marker": new_marker(),
        "owner_id": owner_id,
        "request": json.dumps(request, ensure_ascii=False),
        "now": clock.now(),
    }
    await tx.execute(INSERT, values)
    row = (await tx.execute(SELECT_BY_KEY, {"kind": kind, "business_key": business_key})).mappings().one()
    return _creation(row)


async def reopen(tx: AsyncConnection, creation: Creation, request: dict[str, Any]) -> Creation:
    """Lets a refused or parked creation be tried again, once what it was stopped for is mended; it is looked up first.

    `request` replaces what is to be sent, but only where nothing has come of the earlier one: a creation under way,
    of unknown outcome, or found more than once goes on being looked for as it was sent.
    """
    values = {"id": creation.id, "request": json.dumps(request, ensure_ascii=False)}
    row = (await tx.execute(REOPEN, {**values, "misses": LOOK_UPS_BEFORE_REPEAT - 1})).mappings().first()
    return _creation(row) if row else creation


async def forget(tx: AsyncConnection, creation_id: UUID) -> None:
    """Removes a refused intent whole: nothing was made, so that nothing is to be remembered."""
    await tx.execute(text("DELETE FROM creations WHERE id = :id AND state = 'refused'"), {"id": creation_id})


async def withdraw(tx: AsyncConnection, creation_id: UUID) -> bool:
    """Removes an intent of which nothing was ever sent. False where somebody carries it out just now, or has."""
    query = text(
        "DELETE FROM creations WHERE id = :id AND state = 'intended' AND attempt = 0 AND claimed_until IS NULL"
    )
    return (await tx.execute(query, {"id": creation_id})).rowcount > 0


async def creation_of(tx: AsyncConnection, creation_id: UUID) -> Creation:
    return _creation((await tx.execute(SELECT, {"id": creation_id})).mappings().one())


async def carry_out(portal: HasStores, creation_id: UUID, recipe: Recipe) -> Creation:
    """Carries a creation one stretch further and answers where it stands.

    Settled, claimed by another or not due yet: answers it as it is. Raises SystemDown: with `sent` False where
    certainly nothing was ever sent for it, else where a look-up could not be made: call again later. A business
    refusal is recorded and raised. Raises LostClaim.
    """
    now = portal.clock.now()
    until = now + timedelta(seconds=portal.settings.creation.lease_seconds)
    async with portal.db.begin() as tx:
        row = (await tx.execute(CLAIM, {"id": creation_id, "now": now, "until": until})).mappings().first()
        if row is None:
            return await creation_of(tx, creation_id)
    creation = _creation(row)
    if creation.state == "intended":
        return await _attempt(portal, creation, recipe)
    return await _settle(portal, creation, recipe)


async def _settle(portal: HasStores, creation: Creation, recipe: Recipe) -> Creation:
    """The outcome of an earlier attempt is not known (or its process died): look before anything else."""
    if creation.state == "attempted" and not recipe.repeat_is_refused:
        # The process died after sending. The lease has run out; the system may still be executing.
        return await _record(portal, creation, "unknown", code="process_died", wake_in=_quiet(portal))
    try:
        found = await recipe.look_up(creation.marker)
    except PorticoError as error:
        await _record(portal, creation, "unknown", code=creation.code, misses=creation.misses)
        if isinstance(error, SystemDown):
            error.sent = True  # the look-up may not have been; the call that it asks about was
        raise
    if len(found) == 1:
        log.info("creation.adopted", kind=creation.kind, creation=str(creation.id))
        return await _record(portal, creation, "done", remote_id=found[0])
    if len(found) > 1:
        log.error("creation.parked", kind=creation.kind, creation=str(creation.id), hits=len(found))
        return await _record(portal, creation, "parked", code="marker_found_more_than_once")
    if creation.misses + 1 < LOOK_UPS_BEFORE_REPEAT and not recipe.repeat_is_refused:
        wait = _quiet(portal)
        return await _record(portal, creation, "unknown", code=creation.code, misses=creation.misses + 1, wake_in=wait)
    return await _attempt(portal, creation, recipe)


async def _attempt(portal: HasStores, creation: Creation, recipe: Recipe) -> Creation:
    creation = await _record(portal, creation, "attempted", attempt=creation.attempt + 1, keep_claim=True)
    try:
        remote_id = await recipe.create(creation.marker)
    except SystemDown as error:
        if not error.sent:
            await _record(portal, creation, "intended", code="not_sent", attempt=creation.attempt - 1)
            error.sent = creation.attempt > 1
            raise
        return await _unknown(portal, creation, recipe, error)
    except SystemSurprised as error:
        return await _unknown(portal, creation, recipe, error)
    except (SystemRefused, Refusal, NotFound) as error:
        code = error.vendor_code if isinstance(error, SystemRefused) else error.code
        await _record(portal, creation, "refused", code=code)
        raise
    return await _record(portal, creation, "done", remote_id=remote_id)


async def _unknown(portal: HasStores, creation: Creation, recipe: Recipe, error: PorticoError) -> Creation:
    log.warning("creation.unknown", kind=creation.kind, creation=str(creation.id), error=error.code)
    wait = timedelta(seconds=1) if recipe.repeat_is_refused else _quiet(portal)
    return await _record(portal, creation, "unknown", code=error.code, wake_in=wait)


async def _record(
    portal: HasStores,
    creation: Creation,
    state: State,
    *,
    remote_id: str | None = None,
    code: str | None = None,
    attempt: int | None = None,
    misses: int = 0,
    wake_in: timedelta | None = None,
    keep_claim: bool = False,
) -> Creation:
    now = portal.clock.now()
    lease = now + timedelta(seconds=portal.settings.creation.lease_seconds)
    values = {
        "id": creation.id,
        "claim": creation.claim,
        "state": state,
        "attempt": creation.attempt if attempt is None else attempt,
        "misses": misses,
        "remote_id": remote_id,
        "code": code,
        "wake_at": now + wake_in if wake_in else None,
        "claimed_until": lease if keep_claim else None,
        "now": now,
    }
    async with portal.db.begin() as tx:
        if (await tx.execute(RECORD, values)).rowcount == 0:
            raise LostClaim(str(creation.id))
        return await creation_of(tx, creation.id)


def new_marker() -> str:
    """`PTC-` and 22 letters and digits: 131 random bits, short enough for any text field."""
    letters = string.ascii_letters + string.digits
    return "PTC-" + "".join(secrets.choice(letters) for _ in range(22))


def _quiet(portal: HasStores) -> timedelta:
    return timedelta(seconds=portal.settings.creation.quiet_seconds)


def _creation(row: Any) -> Creation:
    return Creation(**{name: row[name] for name in Creation.__dataclass_fields__})
