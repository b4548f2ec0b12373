"""Databases and servers that a test may break: nobody else's run stands on them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg

from portico.demo.binaries import Binaries, find_binaries
from portico.demo.processes import Child, Guard
from portico.demo.servers import Postgres, Redis
from tests.fixtures.servers import TEMPLATE, Servers, free_ports


async def own_database(servers: Servers, name: str) -> str:
    """An empty database of this version's schema in the common server; answers its address."""
    async with await psycopg.AsyncConnection.connect(servers.postgres.url("postgres"), autocommit=True) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}".encode())
    return servers.postgres.url(name)


class OwnRedis:
    """A Redis that can be killed, frozen, and brought back with what it last saved."""

    def __init__(self, binaries: Binaries, port: int, log: Path, guard: Guard) -> None:
        self._server = Redis(binaries, port, log)
        self._guard = guard
        self._child: Child | None = None

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> None:
        self._child = self._server.start()
        self._guard.watch(self._child)
        await self._server.ready(self._child)

    async def kill(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._child is not None
        await self._child.ended()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def revive(self) -> None:
        """Up and thawed, whatever was done to it."""
        if self._child is None or self._child.exit_code() is not None:
            await self.start()
        else:
            self.thaw()

    async def aclose(self) -> None:
        if self._child and self._child.exit_code() is None:
            self.thaw()
            await self._child.stop()

    def _signal(self, number: signal.Signals) -> None:
        assert self._child is not None
        os.kill(self._child.pid, number)


@contextlib.asynccontextmanager
async def own_redis(folder: Path) -> AsyncIterator[OwnRedis]:
    guard = Guard()
    binaries = find_binaries(folder / "data")
    redis = OwnRedis(binaries, free_ports()["Redis"], folder / "redis.log", guard)
    await redis.start()
    try:
        yield redis
    finally:
        await redis.aclose()
        guard.dismiss()


class OwnPostgres:
    """A Postgres that can be restarted."""

    def __init__(self, server: Postgres, guard: Guard) -> None:
        self._server = server
        self._guard = guard
        self._child: Child | None = None

    def url(self, database: str) -> str:
        return self._server.url(database)

    async def start(self, database: str) -> None:
        self._child = self._server.start()
        self._guard.watch(self._child)
        await self._server.ready(self._child, database)

    async def stop(self) -> None:
        """As `pg_ctl stop -m immediate` does: nobody is told goodbye."""
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGQUIT)
        await self._child.ended()

    async def aclose(self) -> None:
        if self._child:
            await self._child.stop()


@contextlib.asynccontextmanager
async def own_postgres(folder: Path, database: str) -> AsyncIterator[OwnPostgres]:
    guard = Guard()
    binaries = find_binaries(folder / "data")
    server = Postgres(binaries, "postgres", free_ports()["Postgres"], folder / "postgres.log")
    await server.prepare(forget=True)
    postgres = OwnPostgres(server, guard)
    await postgres.start(database)
    try:
        yield postgres
    finally:
        await postgres.aclose()
        guard.dismiss()
