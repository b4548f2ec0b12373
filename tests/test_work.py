"""Jobs: bound to their transaction, rescued from dead workers, resumed after a lost database."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller
from procrastinate.exceptions import ConnectorException
from pytest import TempPathFactory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portico import work
from portico.app import build_portal, running
from portico.db import migrate
from portico.demo.processes import Child, Command
from portico.portal import Portal
from portico.post import post
from portico.settings import read_settings
from tests.fixtures.until import until
from tests.own_servers import OwnPostgres, own_postgres
from tests.systems.free_port import free_port

RAN: list[str] = []


@work.job("house")
async def note_that_it_ran(what: str) -> None:
    RAN.append(what)


@work.job("house")
async def fail_at_once(what: str) -> None:
    RAN.append(what)
    raise ZeroDivisionError


@work.job("house")
async def take_a_while(what: str) -> None:
    RAN.append(f"{what} begins")
    await asyncio.sleep(0.2)
    RAN.append(f"{what} ends")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(tmp_path_factory: TempPathFactory) -> AsyncIterator[OwnPostgres]:
    async with own_postgres(tmp_path_factory.mktemp("own"), "portico") as server:
        await asyncio.to_thread(migrate, server.url("portico"))
        yield server


@pytest.fixture(scope="module")
def variables(postgres: OwnPostgres) -> dict[str, str]:
    return {"DATABASE_URL": postgres.url("portico"), "REDIS_URL": ""}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def portal(variables: dict[str, str]) -> AsyncIterator[Portal]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        settings = read_settings()
    async with running(build_portal(settings)) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


@contextlib.asynccontextmanager
async def worker(portal: Portal) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(work.run(portal, stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


async def defer(portal: Portal, task: Any, what: str, **options: Any) -> None:
    async with portal.db.begin() as tx:
        await work.defer(tx, task, what=what, **options)


def has_run(what: str) -> bool:
    return what in RAN


async def test_a_job_goes_with_its_transaction(portal: Portal) -> None:
    async with worker(portal):
        with pytest.raises(ZeroDivisionError):
            async with portal.db.begin() as tx:
                await work.defer(tx, note_that_it_ran, what="never")
                raise ZeroDivisionError
        async with portal.db.begin() as tx:
            await work.defer(tx, note_that_it_ran, what="committed")
            another = defer(portal, note_that_it_ran, "committed first")
            await asyncio.create_task(another, context=contextvars.Context())  # not within this transaction
            await until(partial(has_run, "committed first"))
            assert not has_run("committed"), "not before the commit"
        await until(partial(has_run, "committed"))
        await defer(portal, note_that_it_ran, "later", in_seconds=3600)
        await defer(portal, note_that_it_ran, "now")
        await until(partial(has_run, "now"))
        assert not has_run("later"), "not before its time"
        await _make_due(portal)
        await until(partial(has_run, "later"))
    assert RAN == ["committed first", "committed", "now", "later"]


async def test_one_lock_is_one_job_at_a_time_and_waiting_holds_up_nobody(portal: Portal) -> None:
    async with worker(portal):
        await defer(portal, take_a_while, "much later", lock="l", in_seconds=60)
        for what in ("a", "b"):
            await defer(portal, take_a_while, what, lock="l")
        await until(partial(has_run, "b ends"))
    assert RAN == ["a begins", "a ends", "b begins", "b ends"]


async def test_a_job_that_fails_takes_nobody_along(portal: Portal) -> None:
    async with worker(portal):
        await defer(portal, fail_at_once, "failed")
        await defer(portal, note_that_it_ran, "next")
        await until(partial(has_run, "next"))
        await until(partial(_states, portal, "fail_at_once", "failed"))
    assert RAN.count("failed") == 1


async def test_a_stopped_worker_finishes_what_it_has_begun(portal: Portal) -> None:
    async with worker(portal):
        await defer(portal, take_a_while, "last")
        await until(partial(has_run, "last begins"))
    assert RAN == ["last begins", "last ends"]
    with pytest.raises(RuntimeError, match="no worker"):
        work.portal()


async def test_the_job_of_a_killed_worker_runs_elsewhere(
    portal: Portal, variables: dict[str, str], tmp_path: Path
) -> None:
    """The victim hangs in a mail server that says nothing; the other one knows a better one."""
    with _silent_server() as port:
        env = {**os.environ, **variables, "MAIL_PORT": str(port), "PORTAL_METRICS_PORT": "0"}
        victim = Child(Command("worker", [sys.executable, "-m", "portico", "worker"], env, tmp_path / "worker.log"))
        key = f"killed:{uuid4()}"
        async with portal.db.begin() as tx:
            to, url = "a@mail.example", "http://localhost:8000/orders/1"
            values = {"template": "orders/cancelled_by_staff.txt", "language": "en", "name": "A", "order_url": url}
            await post(portal, tx, key=key, to=to, **values)
        await until(partial(_states, portal, "send_mail", "doing"))
        os.kill(victim.pid, 9)
        await victim.ended()
    killed_at = time.monotonic()
    with _mail_server(portal):
        async with worker(portal):
            await until(partial(_is_sent, portal, key))
    assert time.monotonic() - killed_at < 30


async def test_a_restarted_database_ends_no_worker(portal: Portal, postgres: OwnPostgres) -> None:
    async with worker(portal):
        await defer(portal, note_that_it_ran, "before")
        await until(partial(has_run, "before"))
        await postgres.stop()
        await postgres.start("portico")
        await until(partial(_deferred, portal, "after"))
        await until(partial(has_run, "after"))
        await defer(portal, note_that_it_ran, "and again")
        await until(partial(has_run, "and again"))


async def test_failed_jobs_are_forgotten_after_a_week(portal: Portal) -> None:
    async with portal.db.begin() as tx:
        await tx.execute(
            text("""
                WITH job AS (
                    INSERT INTO procrastinate_jobs (queue_name, task_name, status)
                    VALUES ('house', 'old', 'failed'), ('house', 'young', 'failed') RETURNING id, task_name
                )
                INSERT INTO procrastinate_events (job_id, type, at)
                SELECT id, 'failed', now() - CASE task_name WHEN 'old' THEN interval '8 days' ELSE interval '1 h' END
                FROM job
            """)
        )
    async with worker(portal):
        async with portal.db.begin() as tx:
            await work.defer(tx, work.forget_failed_jobs, timestamp=0)
        await until(partial(_count_is, portal, "old", 0))
    assert await _count_is(portal, "young", 1)


async def _deferred(portal: Portal, what: str) -> bool:
    """The first transactions after a restart may still meet the old connections."""
    try:
        await defer(portal, note_that_it_ran, what)
    except (SQLAlchemyError, ConnectorException):
        return False
    return True


async def _make_due(portal: Portal) -> None:
    async with portal.db.begin() as tx:
        await tx.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE scheduled_at IS NOT NULL"))


async def _states(portal: Portal, task: str, state: str) -> bool:
    query = text("SELECT 1 FROM procrastinate_jobs WHERE task_name = :task AND status::text = :state")
    async with portal.db.begin() as tx:
        return (await tx.execute(query, {"task": task, "state": state})).first() is not None


async def _count_is(portal: Portal, task: str, count: int) -> bool:
    query = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = :task")
    async with portal.db.begin() as tx:
        return bool((await tx.execute(query, {"task": task})).scalar_one() == count)


async def _is_sent(portal: Portal, key: str) -> bool:
    query = text("SELECT 1 FROM mails WHERE key = :key AND sent_at IS NOT NULL")
    async with portal.db.begin() as tx:
        return (await tx.execute(query, {"key": key})).first() is not None


@contextlib.contextmanager
def _silent_server() -> Any:
    """Accepts and never speaks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def _mail_server(portal: Portal) -> Any:
    class Taker:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            return "250 OK"

    portal.settings.mail.port = free_port()
    controller = Controller(Taker(), hostname="127.0.0.1", port=portal.settings.mail.port)
    controller.start()
    yield
    controller.stop()
