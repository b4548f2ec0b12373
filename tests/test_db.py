"""Transactions and notices of our own database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from portico.db import LASTING, Database, Notices, end_tasks, migrate, notify
from portico.errors import Busy
from portico.systems.http import Door, Limits, in_transaction
from tests.fixtures.servers import Servers
from tests.fixtures.until import until
from tests.own_servers import own_database
from tests.systems.free_port import free_port

LIMITS = Limits(connect_seconds=1, read_seconds=1, write_seconds=1, concurrency=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url(servers: Servers) -> str:
    return await own_database(servers, "transactions")


@pytest_asyncio.fixture(loop_scope="session")
async def db(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2)
    yield database
    await database.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def notices(url: str) -> AsyncIterator[Notices]:
    made = Notices(url)
    yield made
    await made.aclose()


async def test_all_or_nothing(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as tx:
            await tx.execute(text("INSERT INTO clock_offset VALUES (1, 5)"))
            raise ZeroDivisionError
    async with db.begin() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM clock_offset"))).scalar_one() == 0


async def test_no_transaction_inside_a_transaction(db: Database) -> None:
    async with db.begin():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            async with db.begin():
                pass
    async with db.begin():
        assert in_transaction.get()
    assert not in_transaction.get()


async def test_no_remote_call_inside_a_transaction(db: Database) -> None:
    door = Door("whmcs", f"http://127.0.0.1:{free_port()}", LIMITS)
    async with db.begin():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await door.call("GET", "/", name="any", repeatable=True)
    await door.aclose()


async def test_a_failed_transaction_leaves_the_door_open(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.begin():
            raise ZeroDivisionError
    assert not in_transaction.get()


async def test_transactions_beside_each_other_do_not_mix(db: Database) -> None:
    open_, close = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        async with db.begin():
            open_.set()
            await close.wait()

    beside = asyncio.create_task(long())
    await open_.wait()
    async with db.begin():
        pass
    close.set()
    await beside


async def test_nothing_holds_locks_for_long(db: Database) -> None:
    """Neither a slow statement nor a process that froze in the middle."""
    async with db.begin() as tx:
        limits = {
            name: (await tx.execute(text(f"SHOW {name}"))).scalar_one()
            for name in ("statement_timeout", "idle_in_transaction_session_timeout")
        }
    assert limits == {"statement_timeout": "5s", "idle_in_transaction_session_timeout": "15s"}


async def test_a_pooler_is_sent_no_options(url: str) -> None:
    """PgBouncer refuses them."""
    database = Database(url, pooler=True)
    async with database.begin() as tx:
        assert (await tx.execute(text("SHOW statement_timeout"))).scalar_one() == "0"
    await database.aclose()


async def test_an_exhausted_pool_says_so_soon(db: Database) -> None:
    close = asyncio.Event()

    async def occupy(taken: asyncio.Event) -> None:
        async with db.begin():
            taken.set()
            await close.wait()

    places = [asyncio.Event(), asyncio.Event()]
    occupied = [asyncio.create_task(occupy(taken)) for taken in places]
    for taken in places:
        await taken.wait()
    started = perf_counter()
    with pytest.raises(Busy):
        async with db.begin():
            pass
    assert perf_counter() - started < 10
    close.set()
    await asyncio.gather(*occupied)
    async with db.begin():
        pass


async def test_a_cut_connection_is_replaced_unseen(db: Database, url: str) -> None:
    async with db.begin() as tx:
        pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    await _end(url, f"pid = {pid}")
    async with db.begin() as tx:
        assert (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one() != pid


async def test_a_connection_cut_within_a_transaction_is_an_error(db: Database, url: str) -> None:
    with pytest.raises(OperationalError):
        async with db.begin() as tx:
            pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            await _end(url, f"pid = {pid}")
            await tx.execute(text("SELECT 1"))
    assert not in_transaction.get()


async def test_notices_come_with_the_commit(db: Database, notices: Notices) -> None:
    heard: list[str] = []
    notices.on("spring", heard.append)
    await notices.start()
    assert notices.healthy and heard == [""], "at the start: something may have been missed"
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as tx:
            await notify(tx, "spring", "never")
            raise ZeroDivisionError
    async with db.begin() as tx:
        await notify(tx, "spring", "1")
        await notify(tx, "autumn", "other channel")
        await asyncio.sleep(0.02)
        assert heard == [""]
    await until(lambda: heard == ["", "1"])


async def test_lost_notices_are_noticed_and_begin_again(notices: Notices, url: str) -> None:
    heard: list[str] = []
    lost: list[bool] = []
    notices.on("spring", heard.append)
    notices.on_lost(lambda: lost.append(notices.healthy))
    await notices.start()
    await _end(url, "query LIKE 'LISTEN%'")
    await until(lambda: lost == [False])
    await until(lambda: notices.healthy)
    assert heard == ["", ""]


async def test_a_listener_that_crashes_does_not_leave_us_deaf(db: Database, notices: Notices) -> None:
    heard: list[str] = []
    lost: list[bool] = []

    def crash(payload: str) -> None:
        if payload:
            raise ZeroDivisionError

    notices.on("crash", crash)
    notices.on("spring", heard.append)
    notices.on_lost(lambda: lost.append(notices.healthy))
    await notices.start()
    async with db.begin() as tx:
        await notify(tx, "crash", "now")
    await until(lambda: lost == [False])
    await until(lambda: notices.healthy)
    async with db.begin() as tx:
        await notify(tx, "spring", "again")
    await until(lambda: heard[-1:] == ["again"])


async def test_notices_without_a_database_go_on_trying() -> None:
    notices = Notices(f"postgresql://portico@127.0.0.1:{free_port()}/none")
    await notices.start()
    assert not notices.healthy
    await notices.aclose()


async def test_a_task_that_swallows_a_cancellation_ends_all_the_same() -> None:
    """As asyncio.wait_for can in Python 3.11: the listener once hung for good in its own end."""
    swallowed = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.Event().wait()

    task, done = asyncio.create_task(stubborn()), asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end_tasks([task, done])
    assert swallowed.is_set() and task.cancelled()


async def test_lasting_connections_are_watched_from_both_ends(notices: Notices, url: str) -> None:
    """The server has to notice that we are gone, or a lock would outlive its machine for hours."""
    await notices.start()
    async with await psycopg.AsyncConnection.connect(url, **LASTING) as connection:
        shown = await (await connection.execute("SHOW tcp_keepalives_idle")).fetchone()
    assert shown == ("3",)


async def test_migrating_again_does_nothing(url: str) -> None:
    await asyncio.to_thread(migrate, url)


async def _end(url: str, which: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND {which}"
        await connection.execute(f"{query} AND pid <> pg_backend_pid()".encode())
