"""The portal's own database: short transactions, notices between processes, migrations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from portico.errors import Busy
from portico.systems.http import in_transaction

log = structlog.get_logger()

MIGRATIONS = Path(__file__).parent / "migrations"

# A process that froze within a transaction must not hold its locks for ever.
LIMITS = {"statement_timeout": 5000, "idle_in_transaction_session_timeout": 15000}

_ALIVE = {"tcp_keepalives_idle": 3, "tcp_keepalives_interval": 1, "tcp_keepalives_count": 3, "tcp_user_timeout": 5000}
LASTING: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 3,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "options": " ".join(f"-c {name}={value}" for name, value in _ALIVE.items()),
}
"""Of a connection that is kept for what it holds (LISTEN, a lock): either end notices within seconds that the other
is gone, also when nobody said goodbye."""


class Database:
    """A pool. `begin()` is the only way in."""

    def __init__(self, url: str, *, pool_size: int = 8, pooler: bool = False) -> None:
        """`pooler`: a transaction-mode pooler stands before `url`. It takes no options; set LIMITS on the role."""
        options = {} if pooler else {"options": " ".join(f"-c {name}={value}" for name, value in LIMITS.items())}
        self._engine = create_async_engine(
            _driver_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=1,  # an exhausted pool is our overload: say so soon
            pool_pre_ping=True,
            connect_args={"prepare_threshold": None, "connect_timeout": 3, **options},
        )

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A short transaction: committed at the end, rolled back on any error. No remote call happens inside.

        Raises Busy where no connection was free in time: nothing was done.
        """
        if in_transaction.get():
            raise RuntimeError("a transaction inside a transaction: hand the open one on")
        try:
            tx = await self._engine.connect()
        except PoolTimeout:
            raise Busy("no database connection was free") from None
        try:
            async with tx.begin():
                token = in_transaction.set(True)
                try:
                    yield tx
                finally:
                    in_transaction.reset(token)
        finally:
            await tx.close()

    async def aclose(self) -> None:
        await self._engine.dispose()


async def notify(tx: AsyncConnection, channel: str, payload: str = "") -> None:
    """Tells every process, at the commit of this transaction."""
    await tx.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload})


async def raw_connection(tx: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The psycopg connection below, so that a job can be deferred in the same transaction."""
    connection = (await tx.get_raw_connection()).driver_connection
    assert isinstance(connection, psycopg.AsyncConnection)
    return connection


class Notices:
    """One LISTEN connection of a process. While it is down, `healthy` is False and copies must not be trusted."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._heard: dict[str, list[Callable[[str], None]]] = {}
        self._lost: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.healthy = False

    def on(self, channel: str, heard: Callable[[str], None]) -> None:
        """Call before `start`. `heard` gets the payload; after a lost connection it gets an empty one."""
        self._heard.setdefault(channel, []).append(heard)

    def on_lost(self, lost: Callable[[], None]) -> None:
        self._lost.append(lost)

    async def start(self) -> None:
        """Answers once listening (or after the first failure: it goes on trying)."""
        first = asyncio.Event()
        self._task = asyncio.create_task(self._run(first), name="notices")
        await first.wait()

    async def aclose(self) -> None:
        if self._task:
            await end_tasks([self._task])

    async def _run(self, first: asyncio.Event) -> None:
        while True:
            try:
                await self._listen(first)
            except (psycopg.Error, OSError) as error:
                log.warning("db.notices.lost", error=type(error).__name__)
            except Exception:
                # Whatever it was: a process that no longer listens and does not know it would show old copies.
                log.exception("db.notices.crashed")
            finally:
                self.healthy = False
                for lost in self._lost:
                    lost()
            first.set()
            await asyncio.sleep(0.5)

    async def _listen(self, first: asyncio.Event) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, **LASTING) as connection:
            for channel in self._heard:
                await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
            self.healthy = True
            for heard in (h for listeners in self._heard.values() for h in listeners):
                heard("")  # what was missed while nobody listened
            first.set()
            async for notice in connection.notifies():
                for heard in self._heard.get(notice.channel, []):
                    heard(notice.payload)


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels tasks and waits for their end.

    Told again each second: asyncio.wait_for, which redis-py sends with, can in Python 3.11 swallow a cancellation
    that comes together with the answer (seen in the listener); such a task would go on for ever.
    """
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=1)


def migrate(url: str) -> None:
    """Brings the schema to the newest version; does nothing where it is there. Waits for a migration under way."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = _driver_url(url)
    command.upgrade(config, "head")


def _driver_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
