"""How the table in freshness.py is obeyed: reads through Redis, live when Redis is away.

One Redis hash holds all copies of a kind for one owner: fields are the arguments, so one DEL drops them all and
voids the leases of fills under way with them. Cache trouble is never a customer's error.
"""

from __future__ import annotations

import asyncio
import functools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, get_type_hints

import msgspec
import redis.asyncio as redis
import structlog
from prometheus_client import Counter
from sqlalchemy import text

from portico.clock import Clock
from portico.customer import Customer
from portico.db import Database, Notices, notify
from portico.errors import NotFound
from portico.freshness import Rule, dropped_by

log = structlog.get_logger()

T = TypeVar("T")
P = ParamSpec("P")

EPOCH_CHANNEL = "portico_cache_epoch"
LEASE_MS = 10_000
SAFETY_NET = timedelta(hours=12)
"""Event-kept copies are read again after this time, in case an event was lost."""
MAX_BYTES = 512_000
_SAFE = re.compile(r"[A-Za-z0-9_.@+-]{0,80}")

READS = Counter("portico_cache_reads_total", "Reads through the cache", ["kind", "result"])
ALARMS = Counter("portico_cache_alarms_total", "Copies that were not what their key says", ["kind"])

# A fill needs the lease that its read was given; a drop deletes the lease with the copies.
READ_OR_LEASE = """
local copy = redis.call('HGET', KEYS[1], ARGV[1])
if copy then return {copy, false} end
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local lease = redis.call('HGET', KEYS[1], ARGV[1] .. '|lease')
if lease and tonumber(string.match(lease, '^%d+')) > ms then return {false, false} end
local mine = string.format('%.0f', ms + tonumber(ARGV[3])) .. ':' .. ARGV[2]
redis.call('HSET', KEYS[1], ARGV[1] .. '|lease', mine)
return {false, mine}
"""
FILL = """
if redis.call('HGET', KEYS[1], ARGV[1] .. '|lease') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1] .. '|lease')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if tonumber(ARGV[4]) > 0 then redis.call('EXPIRE', KEYS[1], ARGV[4]) else redis.call('PERSIST', KEYS[1]) end
return 1
"""


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


class HasCache(Protocol):
    @property
    def cache(self) -> Cache: ...


class Cache:
    def __init__(self, url: str, timeout: float, db: Database, clock: Clock, notices: Notices | None) -> None:
        """`notices` None: no cache at all, every read is live."""
        self._redis = _connect(url, timeout) if url and notices else None
        self._db = db
        self._clock = clock
        self._notices = notices
        self._epoch: int | None = None
        self._flights: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._breaker = _Breaker()
        if self._redis:
            self._read_or_lease = self._redis.register_script(READ_OR_LEASE)
            self._fill = self._redis.register_script(FILL)
        if notices:
            notices.on(EPOCH_CHANNEL, self._forget_epoch)
            notices.on_lost(lambda: self._forget_epoch(""))

    async def read(
        self, rule: Rule, scope_id: str, owner: str, arguments: str, shape: Any, live: Callable[[], Awaitable[T]]
    ) -> Copy[T]:
        """The copy where it is fresh and the owner's, else a live read, kept where the rule allows it."""
        key = await self._key(rule, scope_id)
        if key is None:
            READS.labels(rule.kind, "bypassed").inc()
            return Copy(await live(), self._clock.now())
        copy, lease = await self._look(key, rule, owner, arguments, shape)
        if copy is not None:
            READS.labels(rule.kind, "hit").inc()
            return copy
        READS.labels(rule.kind, "miss").inc()
        return await self._fly(key, arguments, lambda: self._fetch(key, rule, owner, arguments, lease, live))

    async def drop(self, rule: Rule, scope_id: str) -> None:
        """Drops all copies of a kind for one owner. Where Redis can't be told, all copies of all kinds are retired."""
        await self.drop_all([(rule, scope_id)])

    async def drop_all(self, drops: list[tuple[Rule, str]]) -> None:
        if self._redis is None or not drops:
            return
        keys = [await self._key(rule, scope_id, even_unhealthy=True) for rule, scope_id in drops]
        for key in keys:
            self._abandon(key)
        try:
            await self._redis.delete(*[key for key in keys if key])
            self._breaker.succeeded()
        except (redis.RedisError, OSError, TimeoutError) as error:
            log.warning("cache.drop.failed", error=type(error).__name__)
            await self.retire()

    async def drop_kind(self, rule: Rule) -> None:
        """Drops the copies of a kind for every owner (an event that does not say whose)."""
        if self._redis is None:
            return
        try:
            prefix = await self._key(rule, "", even_unhealthy=True)
            keys = [key async for key in self._redis.scan_iter(match=f"{prefix}*", count=1000)]
            for key in keys:
                self._abandon(key.decode())
            if keys:
                await self._redis.delete(*keys)
        except (redis.RedisError, OSError, TimeoutError):
            await self.retire()

    async def retire(self) -> None:
        """Begins a new epoch: no copy made before is ever read again, in any process."""
        async with self._db.begin() as tx:
            await tx.execute(text("UPDATE cache_epoch SET epoch = epoch + 1"))
            await notify(tx, EPOCH_CHANNEL)
        self._forget_epoch("")

    async def ping(self) -> bool:
        """Whether Redis answers."""
        try:
            return self._redis is not None and bool(await self._redis.ping())
        except (redis.RedisError, OSError, TimeoutError):
            return False

    async def aclose(self) -> None:
        if self._redis:
            await self._redis.aclose()

    async def _key(self, rule: Rule, scope_id: str, *, even_unhealthy: bool = False) -> str | None:
        """None where copies can't be trusted just now."""
        if not even_unhealthy and (self._redis is None or not self._notices or not self._notices.healthy):
            return None
        if not even_unhealthy and self._breaker.is_open():
            return None
        if self._epoch is None:
            async with self._db.begin() as tx:
                self._epoch = (await tx.execute(text("SELECT epoch FROM cache_epoch"))).scalar_one()
        return f"portico:{self._epoch}:{rule.kind}:{rule.scope}:{_checked(scope_id)}"

    def _forget_epoch(self, _: str) -> None:
        self._epoch = None
        self._flights.clear()  # who comes now must not join a fetch of the old epoch

    async def _look(
        self, key: str, rule: Rule, owner: str, arguments: str, shape: Any
    ) -> tuple[Copy[Any] | None, bytes | None]:
        found, lease = await self._ask(key, arguments)
        if not found:
            return None, lease
        copy = self._opened(rule, owner, found, shape)
        if copy is not None:
            return copy, None
        await self.drop_all([(rule, key.rsplit(":", 1)[1])])
        return None, (await self._ask(key, arguments))[1]

    async def _ask(self, key: str, arguments: str) -> tuple[bytes | None, bytes | None]:
        """What is kept, or else the lease to fill it; neither while another holds the lease or Redis is away."""
        try:
            found, lease = await self._read_or_lease([key], [arguments, secrets.token_hex(16), LEASE_MS])
        except (redis.RedisError, OSError, TimeoutError):
            self._breaker.failed()
            return None, None
        self._breaker.succeeded()
        return found, lease

    def _opened(self, rule: Rule, owner: str, found: bytes, shape: Any) -> Copy[Any] | None:
        """None where the copy is too old or not what its key says."""
        try:
            envelope = msgspec.msgpack.decode(found, type=Envelope)
            if envelope.owner != owner or envelope.schema != rule.schema:
                raise msgspec.ValidationError("another owner or schema")
            value = msgspec.msgpack.decode(envelope.body, type=shape)
        except msgspec.DecodeError:
            ALARMS.labels(rule.kind).inc()
            log.error("cache.copy.wrong", kind=rule.kind)
            return None
        lifetime = timedelta(seconds=rule.seconds) if rule.seconds else SAFETY_NET
        age = self._clock.now() - envelope.as_of
        return Copy(value, envelope.as_of) if timedelta(0) <= age < lifetime else None

    async def _fly(self, key: str, arguments: str, fetch: Callable[[], Coroutine[Any, Any, Copy[T]]]) -> Copy[T]:
        """One fetch per key and process; who comes while it is under way waits for it."""
        flight = self._flights.get((key, arguments))
        if flight is None:
            flight = asyncio.create_task(fetch())
            self._flights[key, arguments] = flight
            flight.add_done_callback(lambda done: self._landed(key, arguments, done))
        result: Copy[T] = await asyncio.shield(flight)
        return result

    def _landed(self, key: str, arguments: str, flight: asyncio.Task[Any]) -> None:
        if self._flights.get((key, arguments)) is flight:
            del self._flights[key, arguments]
        if not flight.cancelled():
            flight.exception()  # whoever waited has it; nobody may be left to

    def _abandon(self, key: str | None) -> None:
        """Who comes after a drop must not join a fetch that began before it."""
        for flight in [flight for flight in self._flights if flight[0] == key]:
            del self._flights[flight]

    async def _fetch(
        self, key: str, rule: Rule, owner: str, arguments: str, lease: bytes | None, live: Callable[[], Awaitable[T]]
    ) -> Copy[T]:
        as_of = self._clock.now()  # before the read: what changes meanwhile makes the copy older, never newer
        value = await live()
        body = msgspec.msgpack.encode(value, enc_hook=_encode)
        if lease and len(body) <= MAX_BYTES:
            envelope = msgspec.msgpack.encode(Envelope(owner, rule.schema, as_of, msgspec.Raw(body)))
            # An expiry in Redis only bounds memory; what is too old is decided by our own clock.
            seconds = rule.seconds * 2 if rule.seconds else 0
            try:
                await self._fill([key], [arguments, lease, envelope, seconds])
            except (redis.RedisError, OSError, TimeoutError):
                self._breaker.failed()
        return Copy(value, as_of)


class _Breaker:
    """After five failures in a row Redis is left alone for two seconds, then tried by whoever comes."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def is_open(self) -> bool:
        return time.monotonic() < self._until

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= 5:
            self._until = time.monotonic() + 2

    def succeeded(self) -> None:
        self._failures = 0


def cached(
    rule: Rule,
) -> Callable[[Callable[Concatenate[Any, P], Awaitable[T]]], Callable[Concatenate[Any, P], Awaitable[Copy[T]]]]:
    """Put above a reading function `f(portal, customer, …)` (`f(portal, …)` for shared and number scope).

    The scope comes from the customer and cannot be forgotten; further arguments become part of the key.
    The function then answers a Copy. NotFound is never kept (a rule that keeps it has the function answer None).
    """

    def decorate(
        function: Callable[Concatenate[Any, P], Awaitable[T]],
    ) -> Callable[Concatenate[Any, P], Awaitable[Copy[T]]]:
        @functools.wraps(function)
        async def read(portal: HasCache, /, *args: P.args, **kwargs: P.kwargs) -> Copy[T]:
            scope_id, owner, rest = _scope(rule, args)
            arguments = "|".join(_checked(str(value)) for value in (*rest, *kwargs.values()))
            shape = _shape(function)
            return await portal.cache.read(
                rule, scope_id, owner, arguments or "-", shape, lambda: function(portal, *args, **kwargs)
            )

        return read

    return decorate


async def drop_for(portal: HasCache, customer: Customer, happening: str) -> None:
    """Drops the customer's copies that a happening (freshness.py names them) makes stale."""
    rules = [rule for rule in dropped_by(happening) if rule.scope in ("account", "user")]
    await portal.cache.drop_all([(rule, scope_of(rule, customer)) for rule in rules])


def scope_of(rule: Rule, customer: Customer) -> str:
    """The id under which a customer's copies of this kind stand."""
    return customer.sf_account_id if rule.scope == "account" else str(customer.user_id)


def _scope(rule: Rule, args: tuple[Any, ...]) -> tuple[str, str, tuple[Any, ...]]:
    if rule.scope == "shared":
        return "all", "all", args
    if rule.scope == "number":
        number = str(args[0])
        return number, number, args[1:]
    customer = args[0]
    if not isinstance(customer, Customer):
        raise TypeError(f"{rule.kind} is a customer's own: the second argument must be the Customer")
    owner = customer.sf_account_id if rule.scope == "account" else str(customer.whmcs_client_id)
    return scope_of(rule, customer), owner, args[1:]


@functools.cache
def _shape(function: Callable[..., Any]) -> Any:
    return get_type_hints(function)["return"]


def _checked(part: str) -> str:
    """A key's separator can't come in through an id; two different ids never give one key."""
    if not _SAFE.fullmatch(part):
        raise NotFound("an id with characters that no id has")
    return part


def _encode(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} can't be copied")


def _connect(url: str, timeout: float) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=None,
        protocol=2,
        max_connections=64,
    )
