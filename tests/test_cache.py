"""Reading through the cache: whose copy, for how long, how often the system behind is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from sqlalchemy import text

from portico.cache import cached, drop_for
from portico.cache import reads as cache_reads
from portico.cache.cached import _place
from portico.cache.reads import Place
from portico.errors import NotFound, SystemDown
from portico.freshness import INVOICE, INVOICES, ORDERS, RULES, Rule
from portico.inbox import NewEvent, receive
from tests.caching import (
    Process,
    Thing,
    alarms,
    kept_thing,
    maybe_thing,
    missing_thing,
    price_in,
    process,
    somebody,
    thing_by_number,
    thing_for,
    things_of,
)
from tests.fixtures.servers import Servers
from tests.own_servers import own_database


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(servers: Servers) -> str:
    return await own_database(servers, "copies")


@pytest_asyncio.fixture(loop_scope="session")
async def one(database: str, redis_url: str) -> AsyncIterator[Process]:
    if not redis_url:
        pytest.skip("no Redis on this machine")
    async with process(database, redis_url) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def raw(redis_url: str) -> AsyncIterator[Redis]:
    """Redis itself, to look into and to spoil."""
    async with Redis.from_url(redis_url) as client:
        yield client


async def test_the_second_read_is_the_copy(one: Process) -> None:
    ann = somebody()
    first = await thing_for(one, ann, "a")
    assert await thing_for(one, ann, "a") == first
    assert isinstance(first.value, Thing) and one.origin.reads == 1
    await thing_for(one, ann, "b")
    await things_of(one, ann)
    assert one.origin.reads == 3


async def test_no_two_customers_share_a_copy(one: Process) -> None:
    await one.price(somebody())
    one.origin.price = 2
    assert await one.price(somebody()) == 2


async def test_a_customers_own_things_want_the_customer(one: Process) -> None:
    with pytest.raises(TypeError, match="must be the Customer"):
        await things_of(one, "not a customer")  # type: ignore[arg-type]


ARGUMENT = st.one_of(
    st.none(), st.booleans(), st.integers(), st.uuids(), st.text("aZ09_.@+-", max_size=4), st.just("lease")
)
ARGUMENTS = st.lists(ARGUMENT, max_size=3)
CUSTOMERS = st.sampled_from([somebody(UUID(int=number), number) for number in (1, 11, 111)])


@given(st.sampled_from(RULES), CUSTOMERS, ARGUMENTS, st.data())
def test_two_different_reads_never_have_one_place(rule: Rule, customer: Any, arguments: list[Any], data: Any) -> None:
    """Each part of the second read is drawn to be the first one's half of the time, or nearly."""
    as_text = [str(argument) if isinstance(argument, (int, UUID)) else argument for argument in arguments]
    other_rule = data.draw(st.just(rule) | st.sampled_from(RULES))
    other_customer = data.draw(st.just(customer) | CUSTOMERS)
    others = data.draw(st.just(arguments) | st.just(as_text) | st.just(arguments[:-1]) | ARGUMENTS)
    same_reader = customer == other_customer or rule.scope in ("shared", "number")
    is_same = rule is other_rule and same_reader and list(map(_typed, arguments)) == list(map(_typed, others))
    one, other = _where(rule, customer, arguments), _where(other_rule, other_customer, others)
    assert (one == other) == is_same
    assert f"{one[1]}|lease" != other[1]


def _typed(value: Any) -> tuple[type, Any]:
    return type(value), value


def _where(rule: Rule, customer: Any, arguments: list[Any]) -> tuple[str, str]:
    scope = {"shared": [], "number": ["CN-1"]}.get(rule.scope, [customer])
    place: Place = _place(rule, "things_of", *scope, *arguments)
    return cache_reads._key(1, place.kind, place.scope, place.scope_id), place.field


@pytest.mark.parametrize("thing_id", ["a:b", "a|b", "a b", "a\n", "é", "*", "x" * 81])
async def test_an_id_that_can_be_none_is_asked_nowhere(one: Process, thing_id: str) -> None:
    with pytest.raises(NotFound):
        await thing_for(one, somebody(), thing_id)
    assert one.origin.reads == 0


async def test_functions_that_share_a_rule_share_no_copy(one: Process) -> None:
    """`order_for(customer, "-")` once met what `orders_of(customer)` had left."""

    @cached(INVOICE)
    async def other_thing(process: Process, customer: Any, thing_id: str) -> str:
        return "another shape"

    before, ann = alarms(), somebody()
    await thing_for(one, ann, "a")
    assert (await other_thing(one, ann, "a")).value == "another shape"
    assert alarms() == before


async def test_a_mapping_that_moved_finds_nothing_of_before(one: Process) -> None:
    user_id, before = uuid4(), alarms()
    await one.price(somebody(user_id, client_id=1))
    one.origin.price = 2
    moved = somebody(user_id, client_id=2)
    assert await one.price(moved) == 2
    assert alarms() == before + 1
    assert await one.price(moved) == 2 and one.origin.reads == 2


async def test_a_mapping_that_moves_meanwhile_joins_nobody(one: Process) -> None:
    user_id, release = uuid4(), one.origin.hold()
    old = asyncio.create_task(one.price(somebody(user_id, client_id=1)))
    await one.origin.under_way.wait()
    one.origin.held, one.origin.price = None, 2
    assert await one.price(somebody(user_id, client_id=2)) == 2
    release.set()
    assert await old == 1


@pytest.mark.parametrize("spoiled", [b"", b"junk", b"\x81\xa5owner\xa11", "cut off", "another schema"])
async def test_a_copy_that_is_not_what_it_should_be_is_a_miss(one: Process, raw: Redis, spoiled: Any) -> None:
    ann, before = somebody(), alarms()
    await one.price(ann)
    [key] = await raw.keys("portico:*:invoice:*")
    copies: dict[Any, Any] = await raw.hgetall(key)
    [(name, kept)] = copies.items()
    other_schema = kept.replace(b"\xa6schema\x01", b"\xa6schema\x02")
    assert other_schema != kept
    await raw.hset(key, name, {"cut off": kept[:-9], "another schema": other_schema}.get(spoiled, spoiled))
    one.origin.price = 2
    assert await one.price(ann) == 2
    assert alarms() == before + 1
    assert await one.price(ann) == 2 and one.origin.reads == 2


async def test_lifetimes_go_by_our_clock(one: Process) -> None:
    ann = somebody()
    await things_of(one, ann)
    one.clock.move_to(88)
    await things_of(one, ann)
    assert one.origin.reads == 1
    one.clock.move_to(90)
    copy = await things_of(one, ann)
    assert one.origin.reads == 2 and (one.clock.now() - copy.as_of).total_seconds() < 5
    await things_of(one, ann)
    assert one.origin.reads == 2
    one.clock.move_to(0)
    await things_of(one, ann)
    assert one.origin.reads == 3, "a copy from the future"


async def test_what_has_run_out_takes_nothing_else_along(one: Process) -> None:
    ann = somebody()
    await thing_for(one, ann, "old")
    one.clock.move_to(200)
    await thing_for(one, ann, "young")
    one.clock.move_to(400)
    await thing_for(one, ann, "old")
    await thing_for(one, ann, "young")
    assert one.origin.reads == 3


async def test_event_kept_copies_live_while_the_stream_is_heard(one: Process) -> None:
    ann, hour = somebody(), 3600
    await one.heard()
    await kept_thing(one, ann)
    one.clock.move_to(12 * hour - 5)
    await one.heard()
    await kept_thing(one, ann)
    assert one.origin.reads == 1
    one.clock.move_to(12 * hour)
    await one.heard()
    await kept_thing(one, ann)
    assert one.origin.reads == 2, "the safety net"


async def test_without_the_stream_event_kept_copies_live_a_minute(one: Process) -> None:
    ann = somebody()
    await one.heard()
    await kept_thing(one, ann)
    one.clock.move_to(325)
    await kept_thing(one, ann)
    assert one.origin.reads == 1, "the service speaks every 270 s"
    one.clock.move_to(335)
    await kept_thing(one, ann)
    one.clock.move_to(390)
    await kept_thing(one, ann)
    assert one.origin.reads == 2
    one.clock.move_to(400)
    await kept_thing(one, ann)
    assert one.origin.reads == 3
    await one.heard()
    one.clock.move_to(600)
    await kept_thing(one, ann)
    assert one.origin.reads == 3, "it has caught up"


async def test_events_that_nobody_takes_up_are_as_bad_as_silence(one: Process) -> None:
    """One that was tried has made its drops, whatever its reaction says."""
    ann, query = somebody(), text("UPDATE inbox SET tries = :tries")
    await kept_thing(one, ann)
    async with one.db.begin() as tx:
        await receive(tx, one.clock.now(), [NewEvent("salesforce", "e1", "Order", {})])
    one.clock.move_to(335)
    for tries, reads in ((0, 2), (1, 2)):
        async with one.db.begin() as tx:
            await tx.execute(query, {"tries": tries})
        await one.heard()
        await kept_thing(one, ann)
        assert one.origin.reads == reads
        one.clock.move_to(400)
    async with one.db.begin() as tx:
        await tx.execute(query, {"tries": 0})
    await one.heard()
    await kept_thing(one, ann)
    assert one.origin.reads == 3
    async with one.db.begin() as tx:
        await tx.execute(text("TRUNCATE inbox"))


async def test_not_found_is_not_kept_but_for_the_sign_up(one: Process) -> None:
    ann = somebody()
    for _ in range(2):
        with pytest.raises(NotFound):
            await missing_thing(one, ann)
        assert (await maybe_thing(one, ann)).value is None
    assert one.origin.reads == 4
    for _ in range(2):
        assert (await thing_by_number(one, "CN-1")).value is None
    assert one.origin.reads == 5


async def test_trouble_is_not_kept_and_leaves_no_lease(one: Process, raw: Redis) -> None:
    ann, one.origin.trouble = somebody(), SystemDown("whmcs")
    with pytest.raises(SystemDown):
        await one.price(ann)
    assert await raw.keys("portico:*") == []
    one.origin.trouble = None
    await one.price(ann)
    await one.price(ann)
    assert one.origin.reads == 2


async def test_a_reader_that_died_does_not_leave_its_lease_for_ever(one: Process, raw: Redis) -> None:
    one.origin.hold()
    dying = asyncio.create_task(one.kept_price(somebody()))
    await one.origin.under_way.wait()
    [key] = await raw.keys("portico:*")
    assert 0 < await raw.pttl(key) <= 10_000
    await one.cache.aclose()
    with contextlib.suppress(asyncio.CancelledError):
        await dying


async def test_what_is_too_large_is_read_live(one: Process, raw: Redis) -> None:
    @cached(INVOICE)
    async def large(process: Process, customer: Any) -> str:
        return "x" * 600_000

    assert len((await large(one, somebody())).value) == 600_000
    assert await raw.keys("portico:*") == []


async def test_five_hundred_at_once_ask_once(one: Process) -> None:
    ann, release = somebody(), one.origin.hold()
    readers = [asyncio.create_task(one.price(ann)) for _ in range(500)]
    await one.origin.under_way.wait()
    release.set()
    assert set(await asyncio.gather(*readers)) == {1}
    assert one.origin.reads == 1


async def test_five_hundred_at_once_ask_once_without_redis(database: str) -> None:
    async with process(database, "") as one:
        ann, release = somebody(), one.origin.hold()
        readers = [asyncio.create_task(one.price(ann)) for _ in range(500)]
        await one.origin.under_way.wait()
        release.set()
        assert set(await asyncio.gather(*readers)) == {1}
        assert one.origin.reads == 1


async def test_five_hundred_different_reads_after_a_new_epoch(one: Process) -> None:
    """The epoch is asked for once: the pool of our own database has eight places."""
    await one.cache.retire()
    asked, read_epoch = 0, one.cache._read_epoch

    async def counted() -> int:
        nonlocal asked
        asked += 1
        return await read_epoch()

    one.cache._read_epoch = counted  # type: ignore[method-assign]
    await asyncio.gather(*(one.price(somebody()) for _ in range(500)))
    assert one.origin.reads == 500 and asked <= 2  # its own notice may come in between


async def test_who_leaves_takes_nobody_along(one: Process) -> None:
    ann, release = somebody(), one.origin.hold()
    first = asyncio.create_task(one.price(ann))
    await one.origin.under_way.wait()
    second = asyncio.create_task(one.price(ann))
    await asyncio.sleep(0)
    first.cancel()
    release.set()
    assert await second == 1 and one.origin.reads == 1


async def test_nothing_is_read_within_a_transaction(one: Process) -> None:
    """Not even what is there: else it would fail only on the day when it is not."""
    ann = somebody()
    await one.price(ann)
    async with one.db.begin():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await one.price(ann)


async def test_a_happening_drops_what_the_table_says_and_no_more(one: Process) -> None:
    ann, bob = somebody(), somebody()
    await one.heard()
    for customer in (ann, bob):
        await asyncio.gather(one.price(customer), things_of(one, customer), kept_thing(one, customer))
    one.origin.price = 2
    await drop_for(one, ann, "own:billing")
    assert await one.price(ann) == 2
    assert (await things_of(one, ann)).value[0].price.amount == 2
    assert await one.kept_price(ann) == 1 and await one.price(bob) == 1


async def test_a_whole_kind_is_dropped_for_everybody(one: Process) -> None:
    customers = [somebody() for _ in range(30)]
    await asyncio.gather(*(one.price(customer) for customer in customers))
    bystander = await things_of(one, customers[0])
    one.origin.price = 2
    await one.cache.drop_kind(INVOICE)
    assert {await one.price(customer) for customer in customers} == {2}
    assert await things_of(one, customers[0]) == bystander


async def test_dropping_under_an_impossible_id_is_no_trouble(one: Process) -> None:
    await one.cache.drop_all([(INVOICES, "no:such|id"), (ORDERS, "")])


async def test_hits_are_told_from_misses(one: Process) -> None:
    ann = somebody()
    copy = await thing_for(one, ann, "a")
    one.clock.move_to(10)
    again = await thing_for(one, ann, "a")
    assert again.as_of == copy.as_of and price_in(again) == 1
