"""Processes that die where they are told to: by SIGKILL, at their n-th commit or effect in a foreign system.

Reads batches of jobs on stdin, one JSON list a line; does each job in a process forked for it, which dies at its
point, and then in one that may live; answers a JSON line a job. Two jobs run at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.app import build_portal
from portico.db import Database
from portico.settings import read_settings
from portico.systems.http import Door, Reply
from tests.faults.work import JOBS

LANES = 2
READS = ("Get", "query", "token", "PA01-01", "PA03-02", "ValidateLogin")
WROTE = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")

Job = dict[str, Any]


class Points:
    """Counts the moments at which a death makes a difference, and dies at one of them."""

    def __init__(self, dies_at: int | None, out: int) -> None:
        self.passed: list[str] = []
        self._dies_at = dies_at
        self._out = out

    def pass_by(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self._dies_at:
            os.write(self._out, json.dumps({"died": name}).encode())
            os.kill(os.getpid(), signal.SIGKILL)


def watch(points: Points) -> None:
    """In this process, every writing commit has a point before and after it, every effect one after its answer."""
    begin, call = Database.begin, Door.call

    @contextlib.asynccontextmanager
    async def watched_begin(self: Database) -> AsyncIterator[AsyncConnection]:
        async with begin(self) as tx:
            yield tx
            wrote = (await tx.execute(WROTE)).scalar_one()
            if wrote:
                points.pass_by("before a commit")
        if wrote:
            points.pass_by("after a commit")

    async def watched_call(self: Door, method: str, url: str, *, name: str, **more: Any) -> Reply:
        reply = await call(self, method, url, name=name, **more)
        if not name.startswith(READS):
            points.pass_by(f"after {name}")
        return reply

    Database.begin = watched_begin  # type: ignore[method-assign]
    Door.call = watched_call  # type: ignore[method-assign]


PORTAL = build_portal(read_settings()).portal
"""Made once, connected to nothing: each forked process connects by itself."""


async def _do(job: Job) -> Any:
    PORTAL.clock.offset = timedelta(seconds=job.get("later", 0))
    return await JOBS[job["kind"]](PORTAL, job)


def _in_a_process(job: Job, dies_at: int | None) -> dict[str, Any]:
    """What the process had to say: where it died, or what it came to and which points it passed."""
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        points = Points(dies_at, tells)
        watch(points)
        try:
            answer = {"came_to": asyncio.run(_do(job)), "points": points.passed}
        except BaseException as error:  # noqa: BLE001 - told to the test, which fails by it
            answer = {"failed": f"{type(error).__name__}: {error}"[:500]}
        os.write(tells, json.dumps(answer, default=str).encode())
        os._exit(0)
    os.close(tells)
    os.waitpid(child, 0)
    with os.fdopen(told, "rb") as pipe:
        answer = json.loads(pipe.read() or b"{}")
    return dict(answer)


def _one(job: Job) -> dict[str, Any]:
    if job.get("dies_at") is None:
        return {"id": job["id"], **_in_a_process(job, None)}
    deaths: list[str] = []
    for _ in range(job.get("lives", 1)):
        answer = _in_a_process(job, job["dies_at"])
        if "died" not in answer:
            return {"id": job["id"], "deaths": deaths, **answer}
        deaths.append(answer["died"])
        job = {**job, "later": job.get("later", 0) + 3}  # its leases have run out when the next one comes
    return {"id": job["id"], "deaths": deaths, **_in_a_process({**job, "again": True}, None)}


def _lane(jobs: list[Job], out: int) -> int:
    lane = os.fork()
    if lane == 0:
        for job in jobs:
            os.write(out, (json.dumps(_one(job)) + "\n").encode())
        os._exit(0)
    return lane


async def _warm_up() -> None:
    """What a process does once and slowly (imports, a signed token) is done before the others are forked from it."""
    salesforce = build_portal(read_settings()).portal.salesforce
    PORTAL.salesforce.token._token = await salesforce.token.get()
    await salesforce.aclose()


def main() -> None:
    out = os.dup(1)
    os.dup2(2, 1)  # what is logged goes elsewhere
    asyncio.run(_warm_up())
    for line in sys.stdin:
        jobs: list[Job] = json.loads(line)
        for lane in [_lane(jobs[first::LANES], out) for first in range(LANES)]:
            os.waitpid(lane, 0)


if __name__ == "__main__":
    main()
