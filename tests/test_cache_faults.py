"""Redis dead, frozen, slow, or back with old news; LISTEN lost: reads go live, soon, and nothing stale survives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

import psycopg
import pytest
import pytest_asyncio
from pytest import TempPathFactory
from redis.asyncio import Redis

from portico.cache.reads import READS
from portico.freshness import ORDERS
from tests.caching import Process, process, somebody
from tests.fixtures.servers import Servers
from tests.fixtures.until import until
from tests.own_servers import OwnRedis, own_database, own_redis

OPERATION = 0.1
"""Seconds: twice what is set in production, since this machine is shared."""
HURRY = 1.0
"""What nobody may wait longer than: an operation ends after twice its deadline, and a read has two of them."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(servers: Servers) -> str:
    return await own_database(servers, "faults")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_redis(servers: Servers, tmp_path_factory: TempPathFactory) -> AsyncIterator[OwnRedis]:
    if not servers.redis_url:
        pytest.skip("no Redis on this machine")
    async with own_redis(tmp_path_factory.mktemp("own")) as redis:
        yield redis


@pytest_asyncio.fixture(loop_scope="session")
async def redis(running_redis: OwnRedis) -> AsyncIterator[OwnRedis]:
    """Up, thawed and empty before each test."""
    await running_redis.revive()
    async with Redis.from_url(running_redis.url) as raw:
        await raw.flushall()
    yield running_redis


@pytest_asyncio.fixture(loop_scope="session")
async def one(database: str, redis: OwnRedis) -> AsyncIterator[Process]:
    async with process(database, redis.url, patience=OPERATION) as made:
        await made.heard()
        await until(made.cache.ping)
        yield made


async def test_redis_dies_and_nobody_notices(one: Process, redis: OwnRedis) -> None:
    ann = somebody()
    assert await one.kept_price(ann) == 1
    await redis.kill()
    one.origin.price = 2
    for _ in range(20):
        assert await _soon(one.kept_price(ann)) == 2
    assert not await one.cache.ping()
    await redis.start()
    await until(lambda: _is_copied(one))


async def test_redis_freezes(one: Process, redis: OwnRedis) -> None:
    ann = somebody()
    await one.kept_price(ann)
    redis.freeze()
    one.origin.price = 2
    started = perf_counter()
    for _ in range(40):
        assert await _soon(one.kept_price(ann)) == 2
    assert perf_counter() - started < 40 * OPERATION, "after some failures it is left alone for a while"
    assert set(await asyncio.gather(*(_soon(one.kept_price(somebody())) for _ in range(100)))) == {2}
    redis.thaw()
    await until(lambda: _is_copied(one))


@pytest.mark.parametrize("how", ["one owner", "whole kind"])
async def test_what_could_not_be_dropped_is_never_read_again(one: Process, redis: OwnRedis, how: str) -> None:
    """It froze with the copy in it, and thaws with the copy in it."""
    ann = somebody()
    await one.kept_price(ann)
    redis.freeze()
    one.origin.price = 2
    if how == "one owner":
        await one.cache.drop(ORDERS, ann.sf_account_id)
    else:
        await one.cache.drop_kind(ORDERS)
    redis.thaw()
    await until(one.cache.ping)
    for _ in range(3):
        assert await one.kept_price(ann) == 2


async def test_another_process_does_not_read_it_either(database: str, one: Process, redis: OwnRedis) -> None:
    """Redis was away for us only: the others are told by way of our own database."""
    async with process(database, redis.url, origin=one.origin) as other:
        await other.heard()
        ann = somebody()
        await one.kept_price(ann)
        assert await other.kept_price(ann) == 1 and one.origin.reads == 1
        redis.freeze()
        one.origin.price = 2
        epoch = await other.cache._known_epoch()
        await one.cache.drop(ORDERS, ann.sf_account_id)
        redis.thaw()
        await until(lambda: other.cache._epoch != epoch)
        assert await other.kept_price(ann) == 2


async def test_a_redis_that_comes_back_with_old_copies_is_not_believed(one: Process, redis: OwnRedis) -> None:
    ann = somebody()
    await one.kept_price(ann)
    async with Redis.from_url(redis.url) as raw:
        await raw.save()
        [key] = await raw.keys("portico:*:orders:*")
    one.origin.price = 2
    await one.cache.drop(ORDERS, ann.sf_account_id)
    await redis.kill()
    await redis.start()
    async with Redis.from_url(redis.url) as raw:
        assert await raw.exists(key), "the old copy is there again"
    for _ in range(10):
        assert await one.kept_price(ann) == 2
    await until(lambda: _is_copied(one))


async def test_redis_full_is_as_good_as_none(one: Process, redis: OwnRedis) -> None:
    async with Redis.from_url(redis.url) as raw:
        await raw.config_set("maxmemory-policy", "noeviction")
        await raw.config_set("maxmemory", "1")
        ann = somebody()
        assert await one.kept_price(ann) == 1
        one.origin.price = 2
        assert await one.kept_price(ann) == 2
        await raw.config_set("maxmemory", "128mb")
        await raw.config_set("maxmemory-policy", "allkeys-lru")


async def test_who_does_not_hear_of_new_epochs_trusts_no_copy(database: str, one: Process) -> None:
    ann = somebody()
    await one.kept_price(ann)
    bypassed = _bypassed()
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = 'faults'"
        )
    await until(lambda: not one.notices.healthy)
    await one.kept_price(ann)
    assert one.origin.reads == 2 and _bypassed() == bypassed + 1
    await until(lambda: one.notices.healthy)
    await one.kept_price(ann)
    assert one.origin.reads == 2, "the copy of before: nothing was retired meanwhile"


async def test_an_epoch_that_began_while_nobody_listened_is_seen_afterwards(database: str, one: Process) -> None:
    ann = somebody()
    await one.kept_price(ann)
    await one.notices.aclose()
    assert not one.notices.healthy
    one.origin.price = 2
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute("UPDATE cache_epoch SET epoch = epoch + 1")
    await one.notices.start()
    assert await one.kept_price(ann) == 2


async def _soon(reading: asyncio.Future[int] | object) -> int:
    async with asyncio.timeout(HURRY):
        price: int = await reading  # type: ignore[misc]
        return price


async def _is_copied(one: Process) -> bool:
    """Whether a second read of something is served by Redis."""
    ann = somebody()
    await one.kept_price(ann)
    reads = one.origin.reads
    await one.kept_price(ann)
    return one.origin.reads == reads


def _bypassed() -> float:
    bypassed: float = READS.labels("orders", "bypassed")._value.get()
    return bypassed
