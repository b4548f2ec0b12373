"""Fills, drops and flushes that get in each other's way: nothing old is left, whatever the order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import combinations_with_replacement

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from portico.cache.copies import Copies, Lease
from portico.customer import Customer
from portico.freshness import INVOICE, ORDERS
from tests.caching import PATIENT, Process, process, somebody
from tests.fixtures.servers import Servers
from tests.fixtures.until import until
from tests.own_servers import own_database

Act = Callable[[], Awaitable[None]]

STEPS = ("before the lease", "after the lease", "while it is read", "before the fill", "after the fill")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(servers: Servers) -> str:
    return await own_database(servers, "races")


@pytest_asyncio.fixture(loop_scope="session")
async def two(database: str, redis_url: str) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes before one system of record."""
    if not redis_url:
        pytest.skip("no Redis on this machine")
    async with process(database, redis_url) as one, process(database, redis_url, origin=one.origin) as other:
        await one.heard()
        await other.heard()
        yield one, other


class Stepped(Copies):
    """The real thing, stopped at every await of a fill to let something else happen first."""

    def __init__(self, url: str, reached: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(url, PATIENT)
        self._reached = reached

    async def find_or_lease(self, key: str, field: str, unwanted: bytes | None) -> tuple[bytes | None, Lease | None]:
        await self._reached("before the lease")
        answer = await super().find_or_lease(key, field, unwanted)
        await self._reached("after the lease")
        return answer

    async def fill(self, lease: Lease, copy: bytes, seconds: int) -> None:
        await self._reached("before the fill")
        await super().fill(lease, copy, seconds)
        await self._reached("after the fill")


class Script:
    """What happens at which step of the next fill."""

    def __init__(self) -> None:
        self.acts: dict[str, list[Act]] = {}

    async def reached(self, step: str) -> None:
        for act in self.acts.pop(step, []):
            await act()

    def at(self, step: str, act: Act) -> None:
        self.acts.setdefault(step, []).append(act)


async def stepped(one: Process, redis_url: str) -> Script:
    script = Script()
    assert one.cache._copies is not None
    await one.cache._copies.aclose()
    one.cache._copies = Stepped(redis_url, script.reached)
    get = one.origin.get

    async def slow_get() -> int:
        price = await get()
        await script.reached("while it is read")
        return price

    one.origin.get = slow_get  # type: ignore[method-assign]
    return script


@pytest.mark.parametrize("who", [0, 1], ids=["the same process", "another process"])
async def test_a_change_at_any_moment_of_a_fill_is_seen_by_the_next_read(
    two: tuple[Process, Process], redis_url: str, who: int
) -> None:
    """Change and drop at every pair of moments, with a flush of Redis at every third."""
    reader, dropper = two[0], two[who]
    script = await stepped(reader, redis_url)
    async with Redis.from_url(redis_url) as raw:

        async def flush() -> None:
            await raw.flushall()

        for change, drop in combinations_with_replacement(STEPS, 2):
            for flushed in ("", *STEPS):
                await _one_interleaving(reader, dropper, script, change, drop, flushed, flush)


async def _one_interleaving(
    reader: Process, dropper: Process, script: Script, change: str, drop: str, flushed: str, flush: Act
) -> None:
    ann, new = somebody(), reader.origin.price + 1

    async def changes() -> None:
        reader.origin.price = new

    async def drops() -> None:
        await dropper.cache.drop(ORDERS, ann.sf_account_id)

    script.at(change, changes)
    script.at(drop, drops)
    if flushed:
        script.at(flushed, flush)
    await reader.kept_price(ann)
    assert script.acts == {}
    for process_ in (reader, dropper):
        assert await process_.kept_price(ann) == new, (change, drop, flushed)


async def test_who_comes_after_a_drop_does_not_join_who_came_before(two: tuple[Process, Process]) -> None:
    one, _ = two
    ann, release = somebody(), one.origin.hold()
    before = asyncio.create_task(one.kept_price(ann))
    await one.origin.under_way.wait()
    one.origin.price, one.origin.held = 2, None
    await one.cache.drop(ORDERS, ann.sf_account_id)
    assert await one.kept_price(ann) == 2
    release.set()
    assert await before == 1
    assert await one.kept_price(ann) == 2, "the late fill was refused"


@pytest.mark.parametrize("kind", ["whole kind", "epoch"])
async def test_nor_after_larger_drops(two: tuple[Process, Process], kind: str) -> None:
    one, _ = two
    ann, release = somebody(), one.origin.hold()
    before = asyncio.create_task(one.kept_price(ann))
    await one.origin.under_way.wait()
    one.origin.price, one.origin.held = 2, None
    await (one.cache.drop_kind(ORDERS) if kind == "whole kind" else one.cache.retire())
    assert await one.kept_price(ann) == 2
    release.set()
    await before
    assert await one.kept_price(ann) == 2


async def test_nor_a_fetch_that_another_process_may_have_outdated(two: tuple[Process, Process]) -> None:
    """The other's drop is not told to us: who comes half a second later asks anew."""
    one, other = two
    ann, release = somebody(), one.origin.hold()
    before = asyncio.create_task(one.kept_price(ann))
    await one.origin.under_way.wait()
    one.origin.price, one.origin.held = 2, None
    await other.cache.drop(ORDERS, ann.sf_account_id)
    place, flight = next(iter(one.cache._flights.items()))
    one.cache._flights[place] = type(flight)(flight.task, flight.began - 0.6)
    assert await one.kept_price(ann) == 2
    release.set()
    await before


async def test_two_processes_ask_once_each_at_most(two: tuple[Process, Process]) -> None:
    """The second one waits for the first one's copy for a moment."""
    one, other = two
    ann, release = somebody(), one.origin.hold()
    first = asyncio.create_task(one.kept_price(ann))
    await one.origin.under_way.wait()
    second = asyncio.create_task(other.kept_price(ann))
    await asyncio.sleep(0.05)
    release.set()
    assert (await first, await second) == (1, 1)
    assert one.origin.reads == 1


async def test_who_waits_for_a_process_that_died_reads_live(two: tuple[Process, Process]) -> None:
    one, other = two
    ann = somebody()
    one.origin.hold()
    dying = asyncio.create_task(one.kept_price(ann))
    await one.origin.under_way.wait()
    one.origin.held, started = None, asyncio.get_running_loop().time()
    assert await other.kept_price(ann) == 1
    assert asyncio.get_running_loop().time() - started < 4.5
    dying.cancel()


async def test_a_new_epoch_is_seen_by_every_process(two: tuple[Process, Process]) -> None:
    one, other = two
    ann = somebody()
    assert [await each.kept_price(ann) for each in two] == [1, 1]
    one.origin.price = 2
    await one.cache.retire()
    assert await one.kept_price(ann) == 2
    await until(lambda: _is(other.kept_price, ann, 2), 4)


async def test_an_epoch_that_ends_while_it_is_asked_for(two: tuple[Process, Process]) -> None:
    """The notice came between the answer and its use; the old epoch would have been kept for good."""
    one, other = two
    ann = somebody()
    await other.kept_price(ann)
    read_epoch, has_read, go_on = one.cache._read_epoch, asyncio.Event(), asyncio.Event()

    async def slow_read_epoch() -> int:
        epoch = await read_epoch()
        has_read.set()
        await go_on.wait()
        return epoch

    one.cache._forget_epoch()
    one.cache._read_epoch = slow_read_epoch  # type: ignore[method-assign]
    reading = asyncio.create_task(one.kept_price(ann))
    await has_read.wait()
    turn, one.origin.price = one.cache._turn, 2
    await other.cache.retire()
    await until(lambda: one.cache._turn > turn)
    go_on.set()
    assert await reading == 2
    assert await one.kept_price(ann) == 2


async def test_a_drop_goes_to_the_newest_epoch(two: tuple[Process, Process]) -> None:
    """Also by a process to which the notice of it is still on its way."""
    one, deaf = two
    ann = somebody()
    old = await deaf.cache._known_epoch()
    await one.cache.retire()
    await one.kept_price(ann)
    deaf.cache._epoch, one.origin.price = old, 2
    await deaf.cache.drop(ORDERS, ann.sf_account_id)
    assert await one.kept_price(ann) == 2


async def test_a_drop_of_one_owner_voids_no_others_fill(two: tuple[Process, Process]) -> None:
    one, _ = two
    ann, bob, release = somebody(), somebody(), one.origin.hold()
    filling = asyncio.create_task(one.price(ann))
    await one.origin.under_way.wait()
    await one.cache.drop(INVOICE, str(bob.user_id))
    release.set()
    await filling
    await one.price(ann)
    assert one.origin.reads == 1


async def test_a_flush_in_the_middle_of_a_fill_makes_no_stampede(two: tuple[Process, Process], redis_url: str) -> None:
    one, _ = two
    ann, release = somebody(), one.origin.hold()
    readers = [asyncio.create_task(one.kept_price(ann)) for _ in range(100)]
    await one.origin.under_way.wait()
    async with Redis.from_url(redis_url) as raw:
        await raw.flushall()
    readers += [asyncio.create_task(one.kept_price(ann)) for _ in range(100)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*readers)
    assert one.origin.reads <= 2, "the second where this machine stuttered for longer than a fetch may be joined"


async def _is(price: Callable[[Customer], Awaitable[int]], customer: Customer, wanted: int) -> bool:
    return await price(customer) == wanted
