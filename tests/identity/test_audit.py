"""The audit log can only grow, and shows where it was tampered with."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portico.identity.audit import first_broken, record
from tests.identity.conftest import Process


async def test_many_at_once_make_one_chain(process: Process) -> None:
    await asyncio.gather(*(_record(process, n) for n in range(8)))
    rows = await process.rows("SELECT * FROM audit ORDER BY id")
    assert [row["previous_hash"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]
    async with process.portal.db.begin() as tx:
        assert await first_broken(tx) is None


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
async def test_rows_are_never_changed(process: Process, change: str) -> None:
    await _record(process, 1)
    with pytest.raises(DBAPIError, match="never changed"):
        async with process.portal.db.begin() as tx:
            await tx.execute(text(change))


@pytest.mark.parametrize("change", ["UPDATE audit SET facts = '{}' WHERE id = 2", "DELETE FROM audit WHERE id = 2"])
async def test_tampering_past_the_trigger_shows(process: Process, change: str) -> None:
    for n in range(3):
        await _record(process, n)
    async with process.portal.db.begin() as tx:
        await tx.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_append_only"))
        await tx.execute(text(change))
        assert await first_broken(tx) in (2, 3)


async def _record(process: Process, n: int) -> None:
    async with process.portal.db.begin() as tx:
        await record(
            tx, process.portal.clock.now(), actor="tester", action="test.done", object=str(n), name="佐藤", n=n
        )
