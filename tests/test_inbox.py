"""The inbox by its rows: once by the outside id, in stages, with what failed kept for later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text

from portico import inbox
from portico.db import Database
from portico.inbox import DONE, NewEvent
from tests.fixtures.servers import Servers
from tests.own_servers import own_database

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = timedelta(seconds=60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(servers: Servers) -> AsyncIterator[Database]:
    made = Database(await own_database(servers, "inboxes"))
    yield made
    await made.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def db(database: Database) -> Database:
    async with database.begin() as tx:
        await tx.execute(text("TRUNCATE inbox"))
    return database


def event(number: int, source: str = "whmcs") -> NewEvent:
    return NewEvent(source, f"e{number}", "InvoicePaid", {"ids": {"invoice": number}, "名": "é"})


async def due_ids(db: Database, at: datetime, **options: int) -> list[str]:
    async with db.begin() as tx:
        return [each.external_id for each in await inbox.due(tx, at, **options)]


async def test_an_outside_id_is_stored_once_per_source(db: Database) -> None:
    async with db.begin() as tx:
        assert await inbox.receive(tx, NOW, [event(1), event(2), event(1)]) == 2
    async with db.begin() as tx:
        assert await inbox.receive(tx, NOW + LATER, [event(2), event(1, "salesforce")]) == 1
        [first, *_] = await inbox.due(tx, NOW + LATER)
    assert first.body == {"ids": {"invoice": 1}, "名": "é"} and first.received_at == NOW


async def test_what_is_rolled_back_was_never_there(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as tx:
            await inbox.receive(tx, NOW, [event(1)])
            raise ZeroDivisionError
    async with db.begin() as tx:
        assert await inbox.receive(tx, NOW, [event(1)]) == 1


async def test_events_come_oldest_first_and_in_portions(db: Database) -> None:
    async with db.begin() as tx:
        await inbox.receive(tx, NOW, [event(number) for number in range(5)])
    assert await due_ids(db, NOW, limit=3) == ["e0", "e1", "e2"]


async def test_stages_end(db: Database) -> None:
    async with db.begin() as tx:
        await inbox.receive(tx, NOW, [event(1)])
        at = NOW
        for stage, wait in enumerate((2, 13, None)):
            [found] = await inbox.due(tx, at)
            assert found.stage == stage
            await inbox.handled(tx, at, stage, [found.id])
            if wait is not None:
                assert await inbox.due(tx, at + timedelta(seconds=wait - 0.1)) == []
                at += timedelta(seconds=wait)
        assert await inbox.due(tx, at + timedelta(days=1)) == []
        row = (await tx.execute(text("SELECT stage, handled_at FROM inbox"))).one()
    assert tuple(row) == (DONE, NOW), "it counts as handled since its first stage"


async def test_who_comes_late_moves_nothing_twice(db: Database) -> None:
    """Two drains at once have handled the same event."""
    async with db.begin() as tx:
        await inbox.receive(tx, NOW, [event(1)])
        [found] = await inbox.due(tx, NOW)
        for _ in range(2):
            await inbox.handled(tx, NOW, 0, [found.id])
        [found] = await inbox.due(tx, NOW + LATER)
    assert found.stage == 1


@pytest.mark.parametrize(("tries", "seconds"), [(0, 1), (1, 2), (5, 32), (9, 300), (5000, 300)])
async def test_what_failed_waits_longer_each_time(db: Database, tries: int, seconds: int) -> None:
    async with db.begin() as tx:
        await inbox.receive(tx, NOW, [event(1), event(2)])
        [first, _] = await inbox.due(tx, NOW)
        await inbox.failed(tx, NOW, tries, [first.id], "why " * 1000)
    assert await due_ids(db, NOW) == ["e2"]
    assert await due_ids(db, NOW + timedelta(seconds=seconds - 0.1)) == ["e2"]
    assert await due_ids(db, NOW + timedelta(seconds=seconds)) == ["e1", "e2"]


async def test_later_stages_can_be_asked_for_alone(db: Database) -> None:
    async with db.begin() as tx:
        await inbox.receive(tx, NOW, [event(1), event(2)])
        [first, _] = await inbox.due(tx, NOW)
        await inbox.handled(tx, NOW, 0, [first.id])
    assert await due_ids(db, NOW + LATER, least_stage=1) == ["e1"]


async def test_only_what_is_done_is_forgotten(db: Database) -> None:
    async with db.begin() as tx:
        await inbox.receive(tx, NOW, [event(1), event(2)])
        await tx.execute(text("UPDATE inbox SET stage = :done WHERE external_id = 'e1'"), {"done": DONE})
        await inbox.forget(tx, NOW)
        assert len((await tx.execute(text("SELECT 1 FROM inbox"))).all()) == 2
        await inbox.forget(tx, NOW + LATER)
        assert (await tx.execute(text("SELECT external_id FROM inbox"))).scalars().all() == ["e2"]
