"""How the table in freshness.py is obeyed: reads through Redis, live when Redis is away.

One Redis hash holds all copies of a kind for one owner: fields are the arguments, so one DEL drops them all and
voids the leases of fills under way with them. Cache trouble is never a customer's error.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import structlog
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portico.cache.copies import Copies, CopiesAway, Lease
from portico.cache.stream_health import StreamHealth
from portico.clock import Clock
from portico.db import Database, Notices, notify
from portico.errors import Busy
from portico.freshness import Rule
from portico.systems.http import in_transaction

log = structlog.get_logger()

T = TypeVar("T")

EPOCH_CHANNEL = "portico_cache_epoch"
SAFETY_NET = timedelta(hours=12)
"""Event-kept copies are read again after this time, in case an event was lost."""
WITHOUT_EVENTS = timedelta(seconds=60)
"""What event-kept copies live while the stream of events is not healthy."""
MAX_BYTES = 512_000
JOIN_SECONDS = 0.5
"""Who comes later reads anew: another process may have dropped what an older fetch will bring."""
WAIT_SECONDS = 0.03
WAITS = 10
"""How often the copy of another process that fills it just now is looked for."""
SAFE = re.compile(r"[A-Za-z0-9_.@+-]{0,80}")
"""No id has other characters, so that a key's separator can't come in through one."""

READS = Counter("portico_cache_reads_total", "Reads through the cache", ["kind", "result"])
ALARMS = Counter("portico_cache_alarms_total", "Copies that were not what their key says", ["kind"])


@dataclass(frozen=True, slots=True)
class Copy(Generic[T]):
    """A value and when it was read from its system of record."""

    value: T
    as_of: datetime


class Envelope(msgspec.Struct, frozen=True):
    owner: str
    schema: int
    as_of: datetime
    body: msgspec.Raw


class Place(NamedTuple):
    """Where one copy stands. `field` names the reading function and its arguments."""

    kind: str
    scope: str
    scope_id: str
    owner: str
    field: str


@dataclass(frozen=True)
class Wanted(Generic[T]):
    """One read: of what, in which shape, and how it is made live."""

    rule: Rule
    place: Place
    shape: Any
    live: Callable[[], Awaitable[T]]


@dataclass(frozen=True)
class _Flight:
    task: asyncio.Task[Any]
    began: float


class Cache:
    def __init__(self, url: str, timeout: float, db: Database, clock: Clock, notices: Notices | None) -> None:
        """`notices` None: no cache at all, every read is live."""
        self._copies = Copies(url, timeout) if url and notices else None
        self._db = db
        self._clock = clock
        self._notices = notices
        self._stream = StreamHealth(db, clock)
        self._epoch: int | None = None
        self._turn = 0
        self._asking_epoch = asyncio.Lock()
        self._flights: dict[Place, _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()  # also of flights that nobody may join any more
        if notices:
            notices.on(EPOCH_CHANNEL, self._forget_epoch)
            notices.on_lost(self._forget_epoch)

    async def read(self, wanted: Wanted[T]) -> Copy[T]:
        """The copy where it is fresh and the owner's, else a live read, kept where the rule allows it.

        One fetch per place and process; who comes while it is young waits for it. Raises what the live read raises.
        """
        if in_transaction.get():
            raise RuntimeError(f"no read of {wanted.rule.kind} inside a transaction: it may have to ask a system")
        now = asyncio.get_running_loop().time()
        flight = self._flights.get(wanted.place)
        if flight is None or now - flight.began > JOIN_SECONDS:
            flight = _Flight(asyncio.create_task(self._fetch(wanted)), now)
            self._flights[wanted.place] = flight
            self._tasks.add(flight.task)
            flight.task.add_done_callback(functools.partial(self._landed, wanted.place, flight))
        else:
            READS.labels(wanted.rule.kind, "joined").inc()
        result: Copy[T] = await asyncio.shield(flight.task)
        return result

    async def drop(self, rule: Rule, scope_id: str) -> None:
        """Drops all copies of a kind for one owner. Where Redis can't be told, all copies of all kinds are retired."""
        await self.drop_all([(rule, scope_id)])

    async def drop_all(self, drops: list[tuple[Rule, str]]) -> None:
        """The same for several. Raises SQLAlchemyError where our own database is away: then call it again."""
        dropped = {(rule.kind, rule.scope, scope_id) for rule, scope_id in drops if SAFE.fullmatch(scope_id)}
        self._abandon(lambda place: place[:3] in dropped)
        if self._copies is None or not dropped:
            return
        # Asked anew each time: with the epoch of a moment ago the drop could miss what others have just filled.
        epoch = await self._read_epoch()
        try:
            await self._copies.drop([_key(epoch, *one) for one in dropped])
        except CopiesAway as error:
            log.warning("cache.drop.failed", error=str(error))
            await self.retire()

    async def drop_kind(self, rule: Rule) -> None:
        """Drops the copies of a kind for every owner (an event that does not say whose)."""
        self._abandon(lambda place: place.kind == rule.kind)
        if self._copies is None:
            return
        epoch = await self._read_epoch()
        try:
            await self._copies.drop_matching(_key(epoch, rule.kind, rule.scope, ""))
        except CopiesAway as error:
            log.warning("cache.drop.failed", error=str(error))
            await self.retire()

    async def retire(self) -> None:
        """Begins a new epoch: no copy made before is ever read again, in any process."""
        async with self._db.begin() as tx:
            await tx.execute(text("UPDATE cache_epoch SET epoch = epoch + 1"))
            await notify(tx, EPOCH_CHANNEL)
        self._forget_epoch()

    async def ping(self) -> bool:
        """Whether Redis answers."""
        if self._copies is None:
            return False
        try:
            await self._copies.ping()
        except CopiesAway:
            return False
        return True

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._copies:
            await self._copies.aclose()

    async def _fetch(self, wanted: Wanted[T]) -> Copy[T]:
        rule = wanted.rule
        key = await self._trusted_key(wanted.place)
        copy, lease = await self._look(key, wanted) if key is not None else (None, None)
        if copy is not None:
            READS.labels(rule.kind, "hit").inc()
            return copy
        READS.labels(rule.kind, "bypassed" if key is None else "miss").inc()
        as_of = self._clock.now()  # before the read: what changes meanwhile makes the copy older, never newer
        if lease is None:
            return Copy(await wanted.live(), as_of)
        try:
            value = await wanted.live()
            kept = _enveloped(rule, wanted.place.owner, as_of, value)
        except BaseException:
            await lease.give_back()
            raise
        if kept is None:
            await lease.give_back()
        else:
            # An expiry in Redis only bounds memory; what is too old is decided by our own clock.
            await lease.fill(kept, (rule.seconds or 0) * 2)
        return Copy(value, as_of)

    async def _look(self, key: str, wanted: Wanted[T]) -> tuple[Copy[T] | None, Lease | None]:
        """A usable copy, or else the lease to make one; neither while Redis is away or another process fills it."""
        assert self._copies is not None
        unwanted: bytes | None = None
        with suppress(CopiesAway):
            for _ in range(WAITS):
                found, lease = await self._copies.find_or_lease(key, wanted.place.field, unwanted)
                copy = await self._opened(wanted, found) if found is not None else None
                if copy is not None or lease is not None:
                    return copy, lease
                if found is None:
                    await asyncio.sleep(WAIT_SECONDS)
                else:
                    unwanted = found
        return None, None

    async def _opened(self, wanted: Wanted[T], found: bytes) -> Copy[T] | None:
        """None where the copy is too old or not what its key says."""
        rule = wanted.rule
        try:
            envelope = msgspec.msgpack.decode(found, type=Envelope)
            if envelope.owner != wanted.place.owner or envelope.schema != rule.schema:
                raise msgspec.ValidationError("another owner or schema")
            value = msgspec.msgpack.decode(envelope.body, type=wanted.shape)
        except msgspec.DecodeError:
            ALARMS.labels(rule.kind).inc()
            log.error("cache.copy.wrong", kind=rule.kind)
            return None
        age = self._clock.now() - envelope.as_of
        return Copy(value, envelope.as_of) if timedelta(0) <= age < await self._lifetime(rule) else None

    async def _lifetime(self, rule: Rule) -> timedelta:
        if rule.seconds is not None:
            return timedelta(seconds=rule.seconds)
        try:
            return SAFETY_NET if await self._stream.is_healthy() else WITHOUT_EVENTS
        except (SQLAlchemyError, Busy, OSError):
            return WITHOUT_EVENTS

    async def _trusted_key(self, place: Place) -> str | None:
        """None where copies can't be trusted just now."""
        if self._copies is None or not self._copies.is_up or self._notices is None or not self._notices.healthy:
            return None
        try:
            return _key(await self._known_epoch(), place.kind, place.scope, place.scope_id)
        except (SQLAlchemyError, Busy, OSError):
            return None

    async def _known_epoch(self) -> int:
        async with self._asking_epoch:
            while self._epoch is None:
                turn = self._turn
                epoch = await self._read_epoch()
                if turn == self._turn:  # else it changed while we asked
                    self._epoch = epoch
            return self._epoch

    async def _read_epoch(self) -> int:
        async with self._db.begin() as tx:
            epoch: int = (await tx.execute(text("SELECT epoch FROM cache_epoch"))).scalar_one()
            return epoch

    def _forget_epoch(self, _: str = "") -> None:
        self._epoch = None
        self._turn += 1
        self._flights.clear()  # who comes now must not join a fetch of the old epoch

    def _abandon(self, is_dropped: Callable[[Place], bool]) -> None:
        """Who comes after a drop must not join a fetch that began before it."""
        for place in [place for place in self._flights if is_dropped(place)]:
            del self._flights[place]

    def _landed(self, place: Place, flight: _Flight, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self._flights.get(place) is flight:
            del self._flights[place]
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may be left to


def _key(epoch: int, kind: str, scope: str, scope_id: str) -> str:
    return f"{epoch}:{kind}:{scope}:{scope_id}"


def _enveloped(rule: Rule, owner: str, as_of: datetime, value: Any) -> bytes | None:
    """None where it is not to be kept: "not found" by most rules, and what is too large by all."""
    body = msgspec.msgpack.encode(value, enc_hook=_encode)
    if len(body) > MAX_BYTES or (value is None and not rule.keeps_not_found):
        return None
    return msgspec.msgpack.encode(Envelope(owner, rule.schema, as_of, msgspec.Raw(body)))


def _encode(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} can't be copied")
