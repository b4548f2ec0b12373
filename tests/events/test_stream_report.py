"""What operators are told of the stream: how old its position is, and how much of the allocation is used."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portico.events import drain
from portico.events.stream_watch import watch, watch_stream
from portico.work import jobs
from tests.events.conftest import Front


@pytest.mark.parametrize(
    ("hours", "level"), [(0.01, "ok"), (0.2, "silent"), (23.9, "silent"), (24.1, "old"), (48.1, "nearly_lost")]
)
async def test_an_old_position_is_warned_of_long_before_it_is_lost(
    front: Front, hours: float, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await front.do("TRUNCATE change_position, change_deliveries")
    heard_at = front.portal.clock.now() - timedelta(hours=hours)
    await front.do("INSERT INTO change_position (topic, heard_at) VALUES ('t', :at)", at=heard_at)
    [topic] = (await watch(front.portal)).topics
    assert (topic.topic, topic.level) == ("t", level)
    said = capsys.readouterr().out
    assert (level in said) == (level != "ok") and ("error" in said) == (level == "nearly_lost")


async def test_a_topic_that_was_never_heard_is_said(front: Front) -> None:
    await front.do("TRUNCATE change_position")
    assert (await watch(front.portal)).topics == ()
    await front.do("INSERT INTO change_position (topic, problem) VALUES ('t', 'not allowed')")
    [topic] = (await watch(front.portal)).topics
    assert (topic.level, topic.problem) == ("never_heard", "not allowed")


async def test_deliveries_of_a_day_are_counted(front: Front) -> None:
    await front.do("TRUNCATE change_deliveries")
    now = front.portal.clock.now()
    for hours, delivered in ((1, 12_000), (20, 9_000), (25, 1_000_000)):
        await front.do(
            "INSERT INTO change_deliveries VALUES (date_trunc('hour', CAST(:at AS timestamptz)), :delivered)",
            at=now - timedelta(hours=hours),
            delivered=delivered,
        )
    report = await watch(front.portal)
    assert (report.delivered, report.allowed, report.is_nearly_spent) == (21_000, 25_000, True)
    await front.do("DELETE FROM change_deliveries WHERE delivered = 12000")
    assert not (await watch(front.portal)).is_nearly_spent


async def test_old_evidence_is_forgotten(front: Front) -> None:
    await front.do("TRUNCATE change_deliveries, dead_letters")
    now = front.portal.clock.now()
    for days in (1, 29, 31):
        await front.do(
            "INSERT INTO dead_letters (external_id, topic, entity, schema_id, payload, problem, received_at)"
            " VALUES (:days, 't', '', 's', '', 'p', :at)",
            days=str(days),
            at=now - timedelta(days=days),
        )
        await front.do("INSERT INTO change_deliveries VALUES (:at, 1)", at=now - timedelta(days=days))
    await drain.forget(front.portal)
    assert (await watch(front.portal)).dead_letters == 2
    assert len(await front.rows("SELECT 1 FROM change_deliveries")) == 1


async def test_events_that_nobody_handles_are_said(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker that is gone, or a reaction that fails for ever."""
    await front.do("TRUNCATE inbox")
    now = front.portal.clock.now()
    insert = "INSERT INTO inbox (source, external_id, kind, body, received_at, due_at, stage) VALUES"
    await front.do(f"{insert} ('salesforce', 'old', 'Order', '{{}}', :at, :at, 1)", at=now - timedelta(hours=2))
    assert (await watch(front.portal)).unhandled_since is None and "events.unhandled" not in capsys.readouterr().out
    came = now - timedelta(minutes=11)
    await front.do(f"{insert} ('salesforce', 'e', 'Order', '{{}}', :at, :at, 0)", at=came)
    report = await watch(front.portal)
    assert report.unhandled_since == came and "events.unhandled" in capsys.readouterr().out
    await front.do("TRUNCATE inbox")


async def test_a_sweep_that_is_behind_is_said(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    await front.do("TRUNCATE watermarks")
    now = front.portal.clock.now()
    await front.do("INSERT INTO watermarks VALUES ('Order', :at)", at=now - timedelta(minutes=59))
    await watch(front.portal)
    assert "events.sweep.behind" not in capsys.readouterr().out
    await front.do("INSERT INTO watermarks VALUES ('Account', :at)", at=now - timedelta(minutes=61))
    await watch(front.portal)
    assert "events.sweep.behind" in capsys.readouterr().out
    await front.do("TRUNCATE watermarks")


def test_the_clock_starts_it() -> None:
    assert watch_stream.name in {task.task.name for task in jobs.periodic_registry.periodic_tasks.values()}
