"""One listener leads: by an advisory lock, and by a beat that tells a leader that froze from one that works."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import structlog

from portico.db import LASTING

log = structlog.get_logger()

LEADER_LOCK = 7_061_002
LOOK_SECONDS = 1.0
"""Between two beats of the leader, and between two looks of who stands by."""
BEATS_MISSED = 5
"""So many looks without a beat, and the leader's connection is ended. Counted in looks: while the database itself
hangs, nobody looks."""

TRY_LOCK = "SELECT pg_try_advisory_lock(%s)"
BEAT = "INSERT INTO change_leader VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beat = change_leader.beat + 1"
LAST_BEAT = "SELECT beat FROM change_leader"
# A key of 64 bits stands in two columns; ours fits the lower one. A process may also freeze amid a statement that is
# longer than one packet: its transaction then counts as active for ever, beyond the reach of every time limit of
# Postgres, and keeps the position's row.
END_HOLDER = """
    SELECT pg_terminate_backend(pid) FROM (
        SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE granted AND pid <> pg_backend_pid()
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (locktype = 'advisory' AND classid = 0 AND objid = %s AND objsubid = 1
               OR relation = 'change_position'::regclass AND mode = 'RowExclusiveLock'
                  AND xact_start < clock_timestamp() - interval '3 seconds')
    ) AS frozen
"""

Connection = psycopg.AsyncConnection[Any]


@contextlib.asynccontextmanager
async def leadership(url: str, stopping: asyncio.Event) -> AsyncIterator[Connection | None]:
    """The connection that holds the lock, or None when told to stop before it was free. Raises psycopg.Error."""
    async with await psycopg.AsyncConnection.connect(url, **LASTING) as connection:
        watch = _Watch(connection)
        while not stopping.is_set():
            if await _one(connection, TRY_LOCK, (LEADER_LOCK,)):
                await connection.execute(BEAT)
                yield connection
                return
            if await watch.ends_a_frozen_one():
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
        yield None


async def beat(lock: Connection) -> None:
    """Goes on for ever; raises as soon as the connection that holds the lock is gone."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        await asyncio.wait_for(lock.execute(BEAT), 3)


class _Watch:
    """A frozen process keeps its connections, and with them the lock: only that it does nothing gives it away.

    Should it thaw, its connection is gone, and the position is fenced by another epoch.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last: int | None = None
        self._missed = 0

    async def ends_a_frozen_one(self) -> bool:
        """Looks once; True where the lock should be free now."""
        now = await _one(self._connection, LAST_BEAT)
        self._missed = self._missed + 1 if now == self._last else 0
        self._last = now
        if self._missed < BEATS_MISSED:
            return False
        self._missed = 0
        log.error("listener.leader.frozen")
        try:
            await self._connection.execute(END_HOLDER, (LEADER_LOCK,))
        except psycopg.errors.InsufficientPrivilege:
            log.error("listener.leader.not_ended", hint="listeners must share a database role")
            return False
        return True


async def _one(connection: Connection, query: str, values: tuple[int, ...] = ()) -> Any:
    row = await (await connection.execute(query, values)).fetchone()
    return row[0] if row else None
