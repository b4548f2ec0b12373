"""The listener before the sandbox's Pub/Sub service: nothing lost, nothing twice, one leader."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from portico.demo.processes import Child, Command
from portico.events.leadership import LEADER_LOCK
from portico.events.listener import listen
from portico.events.received import Deposed, Term, heard_at, store
from portico.systems.salesforce.change_events import Ourselves, event_of
from portico.systems.salesforce.changes import Batch
from portico_sandbox.salesforce import wire
from tests.caching import Origin, kept_thing, somebody
from tests.events.office import Office
from tests.fixtures.until import until

HOUR = timedelta(hours=1)


async def test_the_first_start_retires_what_nobody_vouches_for(office: Office) -> None:
    before = await office.cache_epoch()
    async with office.listening():
        assert await office.cache_epoch() > before
        jobs = await office.rows("SELECT task_name FROM procrastinate_jobs")
        assert {"task_name": "poll_once"} in jobs, "orders that were approved before"
        assert (await office.position())["problem"] is None


async def test_an_event_and_its_position_are_one_transaction(office: Office) -> None:
    async with office.listening():
        epoch = await office.cache_epoch()
        await office.change_prices(1)
        await until(lambda: office.has(1))
        [row] = await office.rows("""
            SELECT kind, body, source, inbox.xmin::text = change_position.xmin::text AS same
            FROM inbox, change_position
        """)
        assert (row["source"], row["body"]["change"], row["body"]["own"]) == ("salesforce", "UPDATE", False)
        assert len(row["body"]["record_ids"]) == 1 and row["same"]
        assert await office.rows("SELECT 1 FROM procrastinate_jobs WHERE task_name = 'drain_inbox'")
        assert await office.cache_epoch() == epoch


async def test_the_next_read_is_fresh_without_any_worker(office: Office, world: dict[str, Any], redis_url: str) -> None:
    account = world["customers"]["ready"][0]["sf_account_id"]
    reader = dataclasses.make_dataclass("Reader", ["cache", "origin"])(office.portal.cache, Origin())
    ann, bob = somebody(account=account), somebody()
    settings = office.portal.settings.salesforce
    order = {
        "AccountId": account,
        "Pricebook2Id": settings.pricebook_id,
        "EffectiveDate": "2026-11-23",
        "Status": settings.order_status_pending,
    }
    async with office.listening():
        for customer in (ann, bob):
            await kept_thing(reader, customer)
        await office.portal.salesforce.create("Order", order, name="create Order")
        await until(lambda: office.has(1, "Order"))

        async def is_dropped() -> bool:
            await kept_thing(reader, ann)
            return bool(reader.origin.reads == 3)

        await until(is_dropped)
        await kept_thing(reader, bob)
        assert reader.origin.reads == (3 if redis_url else 4), "the copy of somebody else stays"


async def test_a_restart_resumes_where_it_stopped(office: Office) -> None:
    async with office.listening():
        await office.change_prices(1)
        await until(lambda: office.has(1))
        epoch = await office.cache_epoch()
    await office.change_prices(5, first=600)
    async with office.listening():
        await until(lambda: office.has(6))
    ids = [row["external_id"] for row in await office.events()]
    assert len(set(ids)) == 6 and await office.cache_epoch() == epoch


@pytest.mark.parametrize("status", ["UNAVAILABLE", "UNAUTHENTICATED"])
async def test_a_cut_stream_goes_on(office: Office, status: str) -> None:
    async with office.listening():
        for count in (1, 2):
            await office.change_prices(1, first=500 + count)
            await office.sandbox.press("salesforce", "disconnect", status=status)
            await until(partial(office.has, count))


async def test_a_lost_position_is_made_good(office: Office) -> None:
    """From the earliest event on, everything copied retired, orders polled; never from the latest alone."""
    async with office.listening():
        await office.change_prices(2)
        await until(lambda: office.has(2))
        epoch = await office.cache_epoch()
        await office.do("DELETE FROM procrastinate_jobs")
    await office.change_prices(2, first=600)
    await office.sandbox.press("salesforce", "expire-replay")
    async with office.listening():
        await until(lambda: office.has(4))
        await until(lambda: office.rows("SELECT 1 FROM procrastinate_jobs WHERE task_name = 'poll_once'"))
        assert await office.cache_epoch() > epoch
        await office.change_prices(1, first=700)
        await until(lambda: office.has(5))


async def test_who_dies_before_the_first_position_begins_anew(office: Office) -> None:
    """Copies are retired before a position is ours: else the next start would resume, and never retire them."""
    retire, dying = office.portal.cache.retire, asyncio.Event()
    calls = 0

    async def die_at_the_second() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            dying.set()
            await asyncio.Event().wait()
        await retire()

    office.portal.cache.retire = die_at_the_second  # type: ignore[method-assign]
    victim = asyncio.create_task(listen(office.portal, asyncio.Event()))
    await asyncio.wait_for(dying.wait(), 10)
    victim.cancel()
    await asyncio.gather(victim, return_exceptions=True)
    assert not await office.is_heard()
    del office.portal.cache.retire
    epoch = await office.cache_epoch()
    async with office.listening():
        assert await office.cache_epoch() > epoch


async def test_a_dropped_event_is_not_missed_by_the_stream(office: Office) -> None:
    async with office.listening():
        await office.sandbox.dial("pubsub", "drop_events", call="PricebookEntry", times=1)
        await office.sandbox.dial("pubsub", "duplicate_events", call="PricebookEntry", times=1)
        await office.change_prices(1, first=500)
        await office.change_prices(2, first=600)
        await until(lambda: office.has(2))
        position = (await office.position())["replay_id"]
        await office.change_prices(1, first=700)
        await until(lambda: office.has(3))
        assert (await office.position())["replay_id"] > position, "a duplicate has a place of its own"


async def test_gaps_and_overflows_are_taken_at_their_word(office: Office, world: dict[str, Any]) -> None:
    account = world["customers"]["ready"][0]["sf_account_id"]
    async with office.listening():
        await office.sandbox.press("salesforce", "gap", id=account)
        await office.sandbox.press("salesforce", "overflow", entity="Order")
        await until(lambda: office.has(1, "Account"))
        await until(lambda: office.has(1, "Order"))
    [gap], [overflow] = await office.events("Account"), await office.events("Order")
    assert (gap["body"]["change"], gap["body"]["account_ids"]) == ("GAP_UPDATE", [account])
    assert overflow["body"]["change"] == "GAP_OVERFLOW"
    assert (overflow["body"]["order_ids"], overflow["body"]["account_ids"]) == ([], [])


async def test_what_can_not_be_decoded_is_parked_and_passed(office: Office) -> None:
    message = wire.ConsumerEvent(
        event=wire.ProducerEvent(id="broken", schema_id="s", payload=b"\xff\x00junk"), replay_id=b"0000000009"
    )
    async with office.listening():
        pass
    term = Term(office.portal.settings.salesforce.topics[0], (await office.position())["epoch"], None)
    event = event_of(message, None, Ourselves("portico", "005"))
    await store(office.portal, term, Batch((event,), message.replay_id))
    [row] = await office.events("unreadable")
    assert row["body"]["problem"] == "unknown schema" and "raw" not in row["body"]
    [letter] = await office.rows("SELECT * FROM dead_letters")
    assert (letter["external_id"], letter["payload"], letter["schema_id"]) == ("broken", b"\xff\x00junk", "s")
    assert (await office.position())["replay_id"] == b"0000000009"


def test_with_a_backlog_we_know_what_happened_until_its_last_event() -> None:
    message = wire.ConsumerEvent(event=wire.ProducerEvent(id="e", schema_id="s", payload=b""), replay_id=b"1")
    event = event_of(message, None, Ourselves("portico", "005"))
    now = datetime(2026, 11, 23, tzinfo=UTC)
    for commit_at, expected in ((now - HOUR, now - HOUR), (now + HOUR, now), (None, now)):
        batch = Batch((dataclasses.replace(event, commit_at=commit_at),), b"1")
        assert heard_at(batch, now) == expected
    assert heard_at(Batch((), b"1"), now) == now


async def test_an_old_leader_writes_nothing(office: Office) -> None:
    async with office.listening():
        await office.change_prices(1)
        await until(lambda: office.has(1))
    [stored] = await office.events()
    before = await office.position()
    old = Term(before["topic"], before["epoch"] - 1, None)
    message = wire.ConsumerEvent(event=wire.ProducerEvent(id="late", schema_id="s", payload=b""), replay_id=b"1")
    event = event_of(message, None, Ourselves("portico", "005"))
    with pytest.raises(Deposed):
        await store(office.portal, old, Batch((event,), b"1"))
    assert await office.rows("SELECT external_id FROM inbox") == [{"external_id": stored["external_id"]}]
    assert await office.position() == before


async def test_a_leader_that_is_deposed_steps_back_and_leads_anew(office: Office) -> None:
    async with office.listening():
        await office.do("UPDATE change_position SET epoch = epoch + 10")
        epoch = (await office.position())["epoch"]
        await office.change_prices(3)
        await until(lambda: office.has(3))
        assert (await office.position())["epoch"] == epoch + 1


async def test_a_cut_database_connection_ends_no_listener(office: Office) -> None:
    """Neither that of the lock nor those of the pool, in whatever they were doing."""
    async with office.listening():
        epoch = (await office.position())["epoch"]
        url = office.portal.settings.database.direct
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await office.change_prices(2)
        await until(lambda: office.has(2))
        await until(lambda: _leads_after(office, epoch))
        await office.change_prices(1, first=700)
        await until(lambda: office.has(3))


async def test_a_database_error_while_storing_ends_no_listener(office: Office) -> None:
    async with office.listening():
        epoch = (await office.position())["epoch"]
        await office.do("ALTER TABLE inbox RENAME TO away")
        await office.change_prices(2)
        await until(lambda: _leads_after(office, epoch))
        await office.do("ALTER TABLE away RENAME TO inbox")
        await until(lambda: office.has(2))


async def test_another_takes_over_when_the_leader_is_killed(
    office: Office, environment: dict[str, str], tmp_path: Path
) -> None:
    env = {**os.environ, **environment}
    leader = Child(Command("listener", [sys.executable, "-m", "portico", "listen"], env, tmp_path / "listener.log"))
    stopping = asyncio.Event()
    try:
        await until(office.is_heard)
        first = (await office.position())["epoch"]
        standby = asyncio.create_task(listen(office.portal, stopping))
        await office.change_prices(1)
        await until(lambda: office.has(1))
        assert (await office.position())["epoch"] == first, "one leads, the other stands by"
        os.kill(leader.pid, 9)
        await office.change_prices(2, first=600)
        await until(lambda: office.has(3))
        assert (await office.position())["epoch"] == first + 1
    finally:
        stopping.set()
        await standby
        await leader.stop()


async def _leads_after(office: Office, epoch: int) -> bool:
    return bool((await office.position())["epoch"] > epoch)


async def test_a_leader_that_froze_amid_a_statement_is_overtaken(office: Office) -> None:
    """Half a message has arrived: Postgres waits for the rest with the position's row locked, and no time limit ends
    that."""
    url = office.portal.settings.database.direct
    await office.do("INSERT INTO change_position (topic) VALUES ('/data/Portico__chn')")
    frozen, amid = [await psycopg.AsyncConnection.connect(url) for _ in range(2)]
    try:
        await frozen.set_autocommit(True)
        await frozen.execute("SELECT pg_advisory_lock(%s)", (LEADER_LOCK,))
        await amid.execute("UPDATE change_position SET problem = 'frozen'")
        half_a_message = b"Q" + (1000).to_bytes(4, "big") + b"SELECT"
        assert os.write(amid.fileno(), half_a_message) == len(half_a_message)
        async with office.listening():
            await until(office.is_heard, 60)
    finally:
        await asyncio.gather(frozen.close(), amid.close())
