"""Embedded Postgres and Redis, with settings for demo and tests: fast, and forgetful when the machine crashes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from portico.demo.binaries import Binaries
from portico.demo.ports import is_open
from portico.demo.processes import Child, Command

START_SECONDS = 30
POSTGRES_FLAGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "120",
    "log_min_messages": "warning",
}
INITDB_FLAGS = (
    "-U", "portico", "--auth=trust", "-E", "UTF8", "--no-sync", "--no-instructions",
    "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
)  # fmt: skip


class ServerFailed(Exception):
    """A server could not be started; the text holds the end of its log."""


class Postgres:
    """One server with its data in a folder of its own below `binaries.data`."""

    def __init__(self, binaries: Binaries, name: str, port: int, log: Path) -> None:
        self._binaries = binaries
        self._data = binaries.data / name
        self._port = port
        self._log = log

    @property
    def note(self) -> Path:
        """A file of ours beside the data, for what is known of it: gone when the data are."""
        return self._data / "portico.note"

    def url(self, database: str) -> str:
        return f"postgresql://portico@127.0.0.1:{self._port}/{database}"

    async def prepare(self, *, forget: bool = False) -> None:
        """Stops what an earlier run left, and makes the data folder where there is none (or `forget` says so)."""
        await self._stop_leftover()
        if forget:
            shutil.rmtree(self._data, ignore_errors=True)
        if (self._data / "PG_VERSION").exists():
            return
        # initdb that is killed half-way leaves a folder that looks complete: it works beside, then moves.
        draft = self._data.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        initdb = str(self._binaries.postgres.with_name("initdb"))
        child = Child(self._command("initdb", [initdb, "-D", str(draft), *INITDB_FLAGS], signal.SIGTERM))
        if await child.ended() != 0:
            raise ServerFailed(f"Postgres could not make its data folder:\n{child.last_lines()}")
        draft.rename(self._data)

    def start(self) -> Child:
        flags = [part for name, value in POSTGRES_FLAGS.items() for part in ("-c", f"{name}={value}")]
        argv = [str(self._binaries.postgres), "-D", str(self._data), "-c", f"port={self._port}", *flags]
        return Child(self._command("postgres", argv, signal.SIGINT))

    async def ready(self, child: Child, database: str) -> None:
        """Answers once the database can be used; makes it where it is missing. Raises ServerFailed."""
        await until_up(child, lambda: is_open(self._port))
        for _ in range(100):
            with contextlib.suppress(psycopg.OperationalError):  # "the database system is starting up"
                return await self._make_database(database)
            await asyncio.sleep(0.05)
        raise ServerFailed(f"Postgres does not answer:\n{child.last_lines()}")

    async def _make_database(self, name: str) -> None:
        connection = await psycopg.AsyncConnection.connect(self.url("postgres"), autocommit=True, connect_timeout=3)
        async with connection:
            found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if await found.fetchone() is None:
                await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    async def _stop_leftover(self) -> None:
        pid = _postmaster(self._data)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        for _ in range(100):
            if _postmaster(self._data) is None:
                return
            await asyncio.sleep(0.05)
        raise ServerFailed(f"An earlier Postgres (process {pid}) does not end. Stop it: kill -QUIT {pid}")

    def _command(self, name: str, argv: list[str], ends_with: signal.Signals) -> Command:
        # A foreign PG… variable of the caller's must not reach this server.
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
        return Command(name, argv, env, self._log, ends_with, self._binaries.user, Path("/"))


class Redis:
    """One server without persistence."""

    def __init__(self, binaries: Binaries, port: int, log: Path) -> None:
        assert binaries.redis is not None
        self._program = binaries.redis
        self._binaries = binaries
        self._port = port
        self._log = log

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> Child:
        flags = {
            "--bind": "127.0.0.1",
            "--port": str(self._port),
            "--save": "",
            "--appendonly": "no",
            "--maxmemory": "128mb",
            "--maxmemory-policy": "allkeys-lru",
            "--dir": str(self._binaries.data),
        }
        argv = [str(self._program), *(part for flag in flags.items() for part in flag)]
        return Child(Command("redis", argv, os.environ, self._log, user=self._binaries.user, folder=Path("/")))

    async def ready(self, child: Child) -> None:
        await until_up(child, lambda: is_open(self._port))


async def until_up(child: Child, is_up: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Waits for a child that has just been started. Raises ServerFailed when it ends or takes longer."""
    end = asyncio.get_running_loop().time() + seconds
    while not is_up():
        if (code := child.exit_code()) is not None:
            raise ServerFailed(f"{child.command.name} ended with {code} while starting:\n{child.last_lines()}")
        if asyncio.get_running_loop().time() > end:
            raise ServerFailed(f"{child.command.name} is not up after {seconds:.0f} s:\n{child.last_lines()}")
        await asyncio.sleep(0.05)


def _postmaster(data: Path) -> int | None:
    """The process id of a live Postgres on this folder."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, 0)
        # After a restart of the machine the number may be somebody else's.
        command = Path(f"/proc/{pid}/cmdline").read_text() if Path("/proc/self").exists() else str(data)
    except (OSError, ValueError, IndexError):
        return None
    return pid if str(data) in command else None
