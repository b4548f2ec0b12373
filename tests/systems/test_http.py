"""The door against a server that misbehaves on the socket."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from portico.errors import SystemDown, SystemSurprised
from portico.systems.breaker import Breaker
from portico.systems.http import Door, Limits, Reply, deadline, in_transaction
from portico.systems.retries import RetryBudget, pause_before
from tests.systems.raw_server import answer, dripping, hang, raw_server, reset

QUICK = Limits(
    connect_seconds=0.5, read_seconds=0.5, write_seconds=0.5, concurrency=2, queue_seconds=0.2, max_bytes=10_000
)


@asynccontextmanager
async def a_door(url: str, limits: Limits = QUICK) -> AsyncIterator[Door]:
    door = Door("whmcs", url, limits)
    try:
        yield door
    finally:
        await door.aclose()


async def read(door: Door) -> Reply:
    return await door.call("GET", "/thing", name="GetThing", repeatable=True)


async def write(door: Door) -> Reply:
    return await door.call("POST", "/thing", name="AddThing", repeatable=False, content=b"thing")


async def down(door: Door, *, repeatable: bool = False) -> SystemDown:
    with pytest.raises(SystemDown) as caught:
        await (read(door) if repeatable else write(door))
    return caught.value


async def test_answers_of_any_status_come_back_as_they_are() -> None:
    async with raw_server(answer(418, b"teapot", X_Kind="tea")) as server, a_door(server.url) as door:
        reply = await write(door)
    assert (reply.status, reply.headers["x-kind"], reply.body) == (418, "tea", b"teapot")
    assert server.heads[0].startswith(b"POST /thing HTTP/1.1\r\n")


async def test_a_whole_address_goes_where_it_says() -> None:
    async with raw_server(answer()) as server, a_door("http://127.0.0.1:1") as door:
        await door.call("GET", f"{server.url}/elsewhere?q=1", name="GetThing", repeatable=True)
    assert server.heads[0].startswith(b"GET /elsewhere?q=1 ")


async def test_redirects_and_cookies_are_not_followed() -> None:
    script = answer(302, b"", Location="/login", Set_Cookie="session=1; Path=/")
    async with raw_server(script) as server, a_door(server.url) as door:
        assert (await read(door)).status == 302
        await read(door)
    assert b"cookie" not in server.heads[1].lower()


async def test_nobody_there_means_nothing_was_sent() -> None:
    async with a_door(f"http://127.0.0.1:{unused_port()}") as door:
        assert not (await down(door)).sent


async def test_an_unknown_host_means_nothing_was_sent() -> None:
    async with a_door("http://no-such-host.invalid") as door:
        assert not (await down(door)).sent


async def test_a_write_that_hangs_may_have_been_done_and_goes_out_once() -> None:
    async with raw_server(hang) as server, a_door(server.url) as door:
        assert (await down(door)).sent
    assert len(server.heads) == 1


async def test_a_write_that_is_reset_may_have_been_done_and_goes_out_once() -> None:
    async with raw_server(reset) as server, a_door(server.url) as door:
        assert (await down(door)).sent
    assert len(server.heads) == 1


async def test_a_write_is_not_repeated_after_503() -> None:
    async with raw_server(answer(503)) as server, a_door(server.url) as door:
        assert (await write(door)).status == 503
    assert len(server.heads) == 1


@pytest.mark.parametrize("first", [reset, answer(502), answer(503), answer(504), answer(429, Retry_After="0")])
async def test_a_read_is_tried_again(first: object) -> None:
    async with raw_server(first, answer(200, b"ok")) as server, a_door(server.url) as door:  # type: ignore[arg-type]
        assert (await read(door)).body == b"ok"
    assert len(server.heads) == 2


async def test_a_read_gives_up_after_three_attempts() -> None:
    async with raw_server(answer(503)) as server, a_door(server.url) as door:
        assert (await read(door)).status == 503
    assert len(server.heads) == 3


async def test_too_long_a_retry_after_is_not_waited_for() -> None:
    async with raw_server(answer(429, Retry_After="3600")) as server, a_door(server.url) as door:
        assert (await read(door)).status == 429
    assert len(server.heads) == 1


async def test_a_dripping_body_ends_at_the_total_deadline() -> None:
    drip = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")
    async with raw_server(drip) as server, a_door(server.url) as door:
        started = asyncio.get_running_loop().time()
        assert (await down(door)).sent
        assert asyncio.get_running_loop().time() - started < 10


async def test_headers_that_drip_end_at_the_total_deadline() -> None:
    async with raw_server(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x")) as server, a_door(server.url) as door:
        assert (await down(door)).sent


async def test_an_endless_body_stops_at_the_size_cap() -> None:
    endless = dripping(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x" * 6000)
    async with raw_server(endless) as server, a_door(server.url) as door:
        with pytest.raises(SystemSurprised) as caught:
            await read(door)
    assert len(caught.value.body) == 2000


async def test_the_size_cap_counts_what_was_unpacked() -> None:
    bomb = answer(200, gzip.compress(b"0" * 1_000_000), Content_Encoding="gzip")
    async with raw_server(bomb) as server, a_door(server.url) as door:
        with pytest.raises(SystemSurprised):
            await read(door)


async def test_a_broken_encoding_is_a_surprise() -> None:
    async with raw_server(answer(200, b"no gzip", Content_Encoding="gzip")) as server, a_door(server.url) as door:
        with pytest.raises(SystemSurprised):
            await read(door)


async def test_a_cut_body_counts_as_no_answer() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
        writer.close()

    async with raw_server(cut) as server, a_door(server.url) as door:
        assert (await down(door)).sent


async def test_the_inbound_deadline_rules() -> None:
    slow = replace(QUICK, read_seconds=30, write_seconds=30)
    loop = asyncio.get_running_loop()
    async with raw_server(hang) as server, a_door(server.url, slow) as door:
        started = loop.time()
        token = deadline.set(started + 0.1)
        try:
            assert (await down(door, repeatable=True)).sent
            assert not (await down(door)).sent, "its time was over before it went out"
        finally:
            deadline.reset(token)
        assert loop.time() - started < 10


async def test_no_call_inside_a_transaction() -> None:
    async with a_door("http://127.0.0.1:1") as door:
        token = in_transaction.set(True)
        try:
            with pytest.raises(RuntimeError, match="transaction"):
                await read(door)
        finally:
            in_transaction.reset(token)


async def test_calls_beyond_the_places_are_turned_away_unsent() -> None:
    async with raw_server(hang) as server, a_door(server.url) as door:
        outcomes = await asyncio.gather(*(down(door) for _ in range(4)))
    assert sorted(outcome.sent for outcome in outcomes) == [False, False, True, True]
    assert len(server.heads) == 2


async def test_places_come_back_after_timeouts() -> None:
    limits = replace(QUICK, breaker_failures=100)
    async with raw_server(hang, hang, hang, answer()) as server, a_door(server.url, limits) as door:
        for _ in range(3):
            await down(door)
        assert (await write(door)).status == 200


async def test_a_canceled_call_gives_its_place_back() -> None:
    async with raw_server(hang, hang, answer()) as server, a_door(server.url) as door:
        calls = [asyncio.ensure_future(write(door)) for _ in range(2)]
        await until(lambda: len(server.heads) == 2)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (await write(door)).status == 200


async def test_after_five_failures_calls_stop_and_one_probe_opens_the_way() -> None:
    limits = replace(QUICK, breaker_rest_seconds=0.1)
    async with raw_server(*[reset] * 5, answer()) as server, a_door(server.url, limits) as door:
        for _ in range(5):
            assert (await down(door)).sent
        assert not (await down(door)).sent, "the breaker is open"
        assert len(server.heads) == 5
        await asyncio.sleep(0.11)
        assert (await write(door)).status == 200
        assert (await write(door)).status == 200


async def test_one_log_line_and_one_observation_without_address_or_body() -> None:
    async with raw_server(answer(201, b"private answer")) as server, a_door(server.url) as door:
        before = observed("AddThing", "http_201")
        with capture_logs() as lines:
            await door.call("POST", "/private?x=1", name="AddThing", repeatable=False, content=b"private")
    assert observed("AddThing", "http_201") == before + 1
    assert len(lines) == 1
    assert lines[0]["outcome"] == "http_201"
    assert "private" not in str(lines)
    assert str(server.port) not in str(lines)


def test_the_breaker_lets_one_probe_through_and_shuts_again_when_it_fails() -> None:
    now = 0.0
    breaker = Breaker(2, 10, 2, lambda: now)
    breaker.failed()
    breaker.failed()
    assert not breaker.enter()
    now = 2.0
    assert breaker.enter()
    assert not breaker.enter(), "only one probe"
    breaker.failed()
    now = 3.9
    assert not breaker.enter()
    now = 4.0
    assert breaker.enter()
    breaker.succeeded()
    assert breaker.enter()
    assert breaker.enter()


def test_failures_far_apart_do_not_open_the_breaker() -> None:
    now = 0.0
    breaker = Breaker(2, 10, 2, lambda: now)
    breaker.failed()
    now = 11.0
    breaker.failed()
    assert breaker.enter()


def test_the_budget_ends_retries_and_successes_fill_it() -> None:
    budget = RetryBudget(30)
    assert budget.take("transient")
    assert budget.take("transient")
    assert not budget.take("transient")
    budget.give_back(["transient"])
    assert budget.take("transient")
    for _ in range(100):
        budget.give_back([])
    assert budget.tokens == 30


def test_pauses_are_jittered_and_honor_what_was_asked() -> None:
    assert 0 <= (pause_before(2, "transient") or 0) <= 0.05
    assert 0 <= (pause_before(3, "throttled") or 0) <= 2
    assert 3 <= (pause_before(2, "throttled", 3) or 0) <= 4
    assert pause_before(2, "throttled", 21) is None


def observed(call: str, outcome: str) -> float:
    labels = {"system": "whmcs", "call": call, "outcome": outcome}
    return REGISTRY.get_sample_value("portico_upstream_seconds_count", labels) or 0


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
