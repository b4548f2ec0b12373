"""The job runner. A job is a shell around one domain call; rows are the truth and jobs are disposable.

Jobs are deferred in the transaction that caused them, on its own connection: neither can exist without the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import psycopg
import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.tasks import Task
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.db import raw_connection
from portico.portal import Portal

log = structlog.get_logger()

Job = TypeVar("Job", bound=Callable[..., Coroutine[Any, Any, None]])

jobs = App(connector=PsycopgConnector())
"""Registry only, until a worker opens it: web processes defer on their own connections."""

STALLED_SECONDS = 4
KEEP_FAILED_HOURS = 7 * 24
QUEUES = ["orders", "events", "mail", "house"]

_portal: Portal | None = None


def portal() -> Portal:
    """The worker's Portal; the one accessor that jobs use."""
    if _portal is None:
        raise RuntimeError("no worker runs in this process")
    return _portal


def use_portal(the_portal: Portal | None) -> None:
    """Set by the worker at its start (and by tests that run jobs)."""
    global _portal  # noqa: PLW0603 - the one accessor that the design allows
    _portal = the_portal


def job(queue: str) -> Callable[[Job], Task[Any, Any, Any]]:
    """Registers a job. Its arguments are plain JSON; its name is the function's."""

    def register(function: Job) -> Task[Any, Any, Any]:
        return cast(Task[Any, Any, Any], jobs.task(name=function.__name__, queue=queue)(function))

    return register


def periodic(cron: str, queue: str = "house") -> Callable[[Job], Task[Any, Any, Any]]:
    """Registers a job that one worker runs at a time. `cron` may have a sixth column, the last one: seconds. The job
    takes the timestamp.
    """

    def register(function: Job) -> Task[Any, Any, Any]:
        name = function.__name__
        task = jobs.task(name=name, queue=queue, queueing_lock=name, lock=name)(function)
        return cast(Task[Any, Any, Any], jobs.periodic(cron=cron)(task))

    return register


async def defer(
    tx: AsyncConnection, task: Task[Any, Any, Any], *, in_seconds: float = 0, lock: str | None = None, **arguments: Any
) -> None:
    """Defers a job with the transaction: rolled back with it, started after its commit (or `in_seconds` later).

    `lock`: no two jobs of one lock run at once. A waiting job takes its lock only when it is due: Procrastinate lets a
    job that waits for its time hold up every later one of its lock.
    """
    connection = await raw_connection(tx)
    if in_seconds > 0:
        waiting: dict[str, Any] = {"connection": connection, "schedule_in": {"milliseconds": int(in_seconds * 1000)}}
        if lock is None:
            await task.configure(**waiting).defer_async(**arguments)
        else:
            await start_with_lock.configure(**waiting).defer_async(name=task.name, lock=lock, arguments=arguments)
        return
    await task.configure(connection=connection, lock=lock).defer_async(**arguments)


@job("house")
async def start_with_lock(name: str, lock: str, arguments: dict[str, Any]) -> None:
    """What waited is due now."""
    await jobs.configure_task(name=name, lock=lock, queue=jobs.tasks[name].queue).defer_async(**arguments)


@jobs.periodic(cron="* * * * * */2")
@jobs.task(name="rescue_stalled_jobs", queue="house", queueing_lock="rescue_stalled_jobs", pass_context=True)
async def rescue_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Gives the jobs of killed workers to living ones. No lock: a rescuer that is killed must not stop the next."""
    manager = context.app.job_manager
    for stalled in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        try:
            await manager.retry_job(stalled)
        except ConnectorException:
            continue  # another rescuer was first
        log.warning("work.job.rescued", task=stalled.task_name, job=stalled.id)


@jobs.periodic(cron="41 3 * * *")
@jobs.task(name="forget_failed_jobs", queue="house", queueing_lock="forget_failed_jobs", pass_context=True)
async def forget_failed_jobs(context: JobContext, timestamp: int) -> None:
    """Those that worked are gone already; a failed one is a week's evidence, its row elsewhere is the truth."""
    await context.app.job_manager.delete_old_jobs(KEEP_FAILED_HOURS, include_failed=True)


async def run(the_portal: Portal, stopping: asyncio.Event, *, concurrency: int = 8) -> None:
    """Works until `stopping` is set; survives the loss of the database."""
    use_portal(the_portal)
    pool = AsyncConnectionPool(
        the_portal.settings.database.direct,
        min_size=1,
        max_size=concurrency + 2,
        open=False,
        timeout=2,
        reconnect_timeout=2,
        check=AsyncConnectionPool.check_connection,
    )
    await pool.open()
    try:
        async with jobs.open_async(pool):
            while not stopping.is_set():
                await _work_until(stopping, concurrency)
    finally:
        await pool.close()
        # It closes only a pool of its own making, and would go on using ours at the next run (tests start many).
        connector = cast(PsycopgConnector, jobs.connector)
        connector._async_pool, connector._pool_externally_set = None, False
        use_portal(None)


async def _work_until(stopping: asyncio.Event, concurrency: int) -> None:
    worker = asyncio.create_task(
        jobs.run_worker_async(
            queues=list(QUEUES),  # psycopg reads a tuple as a row, not as an array
            concurrency=concurrency,
            install_signal_handlers=False,
            fetch_job_polling_interval=2.0,
            update_heartbeat_interval=1.0,
            stalled_worker_timeout=float(STALLED_SECONDS),
            shutdown_graceful_timeout=20.0,
            delete_jobs="successful",
        )
    )
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({worker, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if stopping.is_set():
        worker.cancel()  # graceful: running jobs get their time
        with contextlib.suppress(asyncio.CancelledError):
            await worker
        return
    error = None if worker.cancelled() else worker.exception()
    log.warning("work.database.lost", error=type(error).__name__ if error else "ended")
    if error is not None and not isinstance(error, (psycopg.Error, OSError)) and not _is_connector_error(error):
        raise error
    await asyncio.sleep(0.5)


def _is_connector_error(error: BaseException) -> bool:
    return type(error).__module__.startswith(("procrastinate", "psycopg"))
