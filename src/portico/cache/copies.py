"""Copies in Redis and the leases under which they are written. Knows no rules, and never waits long."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import redis.asyncio as redis
import structlog
from redis.asyncio.connection import AbstractConnection

log = structlog.get_logger()

LEASE_MS = 10_000
SCAN_COUNT = 1000

# A fill needs the lease that its read was given; a drop deletes the lease with the copies.
# ARGV: field, random token, lease in ms, SHA-1 of a copy that the caller can't use (or '').
FIND_OR_LEASE = """
local copy = redis.call('HGET', KEYS[1], ARGV[1])
if copy and redis.sha1hex(copy) ~= ARGV[4] then return {copy, false} end
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local lease = redis.call('HGET', KEYS[1], ARGV[1] .. '|lease')
if lease and tonumber(string.match(lease, '^%d+')) > ms then return {false, false} end
local mine = string.format('%.0f', ms + tonumber(ARGV[3])) .. ':' .. ARGV[2]
local is_new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('HSET', KEYS[1], ARGV[1] .. '|lease', mine)
if is_new then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return {false, mine}
"""
FILL = """
if redis.call('HGET', KEYS[1], ARGV[1] .. '|lease') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1] .. '|lease')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if tonumber(ARGV[4]) > 0 then redis.call('EXPIRE', KEYS[1], ARGV[4]) else redis.call('PERSIST', KEYS[1]) end
return 1
"""
GIVE_BACK = """
if redis.call('HGET', KEYS[1], ARGV[1] .. '|lease') ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1] .. '|lease')
"""


class CopiesAway(Exception):
    """Redis did not answer in time, or is another one than before."""


class Copies:
    """Every operation ends within twice `timeout` and raises CopiesAway, nothing else.

    Keys begin with the server's run id: what a Redis brings back from an old snapshot is never found.
    """

    def __init__(self, url: str, timeout: float) -> None:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            protocol=2,
            redis_connect_func=self._on_connect,
        )
        self._redis = redis.Redis.from_pool(pool)
        self._timeout = timeout
        self._run: str | None = None
        self._breaker = _Breaker()
        self._find_or_lease = self._redis.register_script(FIND_OR_LEASE)
        self._fill = self._redis.register_script(FILL)
        self._give_back = self._redis.register_script(GIVE_BACK)

    @property
    def is_up(self) -> bool:
        """False for two seconds after five failures in a row: slow is worse than down."""
        return not self._breaker.is_open()

    async def find_or_lease(self, key: str, field: str, unwanted: bytes | None) -> tuple[bytes | None, Lease | None]:
        """What is kept, or else the lease to fill it; neither while somebody else holds the lease.

        `unwanted`: the copy found before, which was too old or wrong; it counts as missing.
        """
        digest = hashlib.sha1(unwanted, usedforsecurity=False).hexdigest() if unwanted is not None else ""
        async with self._operation() as run:
            found, token = await self._find_or_lease([run + key], [field, secrets.token_hex(16), LEASE_MS, digest])
        return found, Lease(self, key, field, token) if token else None

    async def fill(self, lease: Lease, copy: bytes, seconds: int) -> None:
        async with self._operation() as run:
            await self._fill([run + lease.key], [lease.field, lease.token, copy, seconds])

    async def give_back(self, lease: Lease) -> None:
        async with self._operation() as run:
            await self._give_back([run + lease.key], [lease.field, lease.token])

    async def drop(self, keys: list[str]) -> None:
        async with self._operation() as run:
            await self._redis.delete(*[run + key for key in keys])

    async def drop_matching(self, prefix: str) -> None:
        """Everything whose key begins so."""
        cursor = 0
        while True:
            async with self._operation() as run:
                cursor, keys = await self._redis.scan(cursor, match=f"{run}{prefix}*", count=SCAN_COUNT)
                if keys:
                    await self._redis.unlink(*keys)
            if cursor == 0:
                return

    async def ping(self) -> None:
        async with self._operation():
            await self._redis.ping()

    async def aclose(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    @asynccontextmanager
    async def _operation(self) -> AsyncIterator[str]:
        """Gives the beginning of all keys."""
        try:
            async with asyncio.timeout(2 * self._timeout):
                if self._run is None:
                    await self._redis.ping()  # the first connection tells which Redis this is
                yield f"portico:{self._run}:"
        except (redis.RedisError, OSError, TimeoutError) as error:
            self._breaker.failed()
            if self._run is None:
                await self._redis.connection_pool.disconnect()
            raise CopiesAway(type(error).__name__) from error
        self._breaker.succeeded()

    async def _on_connect(self, connection: AbstractConnection) -> None:
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        found = re.search(rb"run_id:(\w+)", bytes(await connection.read_response()))
        run = found[1].decode() if found else "unknown"
        if self._run not in (None, run):
            # Restarted or failed over. The operation under way names keys of the old one: it must not go on.
            log.warning("cache.redis.another")
            self._run = None
            raise redis.ConnectionError("another Redis than before")
        self._run = run


@dataclass(frozen=True)
class Lease:
    """The right to write one copy, once; a drop voids it. Trouble with Redis is swallowed: then there is no copy."""

    copies: Copies
    key: str
    field: str
    token: bytes

    async def fill(self, copy: bytes, seconds: int) -> None:
        """Unless it was dropped meanwhile. `seconds` bounds memory; 0 = no expiry."""
        with suppress(CopiesAway):
            await self.copies.fill(self, copy, seconds)

    async def give_back(self) -> None:
        """The read failed or is not to be kept: the next one may try at once."""
        with suppress(CopiesAway):
            await self.copies.give_back(self)


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
