"""How often the clock starts jobs."""

from __future__ import annotations

import itertools

from croniter import croniter  # type: ignore[import-untyped]

from portico import app
from portico.work import jobs

HOUR, DAY = 3600, 86_400
OFTEN = {
    "sweep_inbox": 5,
    "sweep_fulfillments": 5,
    "poll_approved_orders": 10,
    "sweep_changes": 10,
    "watch_stream": 300,
    "forget_events": DAY,
}


def pauses(cron: str) -> set[float]:
    """Seconds between two runs, as the runner reckons them."""
    start = 1_000_000 * DAY / 50
    until = start + (2 * HOUR if len(cron.split()) == 6 else 3 * DAY)
    runs = itertools.takewhile(lambda at: at < until, croniter(cron, start).all_next(float))
    return {after - before for before, after in itertools.pairwise(runs)}


def test_the_clock_starts_jobs_as_often_as_they_say() -> None:
    """Seconds are the last column of a cron: as the first one, a job of every ten seconds runs each second for a
    minute, and then for nine not at all.
    """
    assert app.REACTIONS, "every module with jobs is imported"
    crons = {periodic.task.name: periodic.cron for periodic in jobs.periodic_registry.periodic_tasks.values()}
    found = {name: pauses(cron) for name, cron in crons.items() if not name.startswith("test_")}
    assert {name: each for name, each in found.items() if len(each) != 1} == {}
    assert {name: found[name] for name in OFTEN} == {name: {seconds} for name, seconds in OFTEN.items()}
