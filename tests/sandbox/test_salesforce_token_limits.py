"""How much an org lets its callers do: calls of a day, long calls at a time, and the length of a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from portico_sandbox.dials import Dial
from portico_sandbox.salesforce.knobs import turn
from portico_sandbox.salesforce.org_control import use_up_calls
from tests.fixtures.until import until
from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    """At noon: no day ends while its calls are counted."""
    async with salesforce_at(tmp_path) as caller:
        now = caller.sandbox.clock.now()
        caller.sandbox.clock.move(now.replace(hour=12) + timedelta(days=1) - now)
        yield await caller.sign_in()


async def test_the_calls_of_a_day_end(org: Salesforce) -> None:
    turn(org.sandbox, "daily_calls", "1000")
    await use_up_calls(org.sandbox, "998")
    used = [(await org.call("GET", "/limits")).headers["Sforce-Limit-Info"] for _ in range(2)]
    assert used == ["api-usage=999/1000", "api-usage=1000/1000"]
    for _ in range(2):
        answer = await org.call("GET", "/limits")
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
        assert "TotalRequests" in answer.json()[0]["message"]
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1002/1000"
    assert (await org.http.get("/services/data")).status_code == 200


async def test_the_next_day_begins_anew(org: Salesforce) -> None:
    await use_up_calls(org.sandbox, "100000")
    assert (await org.call("GET", "/limits")).status_code == 403
    org.sandbox.clock.move(timedelta(days=1))
    await org.sign_in()
    assert (await org.call("GET", "/limits")).json()["DailyApiRequests"]["Remaining"] == 99_999


async def test_long_calls_are_counted_at_a_time(org: Salesforce) -> None:
    turn(org.sandbox, "long_call_seconds", "0")
    turn(org.sandbox, "concurrent_calls", "1")
    org.sandbox.dials.turn(Dial("salesforce", "commit_then_hang", call="POST row", times=1))
    hung = asyncio.create_task(org.call("POST", "/sobjects/Account", {"Name": "Hangs"}))
    await until(lambda: org.sandbox.ledger.lines("salesforce", "create Account"))
    refused = await org.call("GET", "/limits")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert "ConcurrentRequests" in refused.json()[0]["message"]
    turn(org.sandbox, "concurrent_calls", "25")
    assert (await org.call("GET", "/limits")).status_code == 200
    hung.cancel()
    await asyncio.gather(hung, return_exceptions=True)


async def test_a_dial_can_say_which_limit(org: Salesforce) -> None:
    code = "REQUEST_LIMIT_EXCEEDED:ConcurrentPerOrgLongTxn Limit exceeded."
    org.sandbox.dials.turn(Dial("salesforce", "refuse", call="query", code=code, times=1))
    answer = await org.query("SELECT Id FROM Account")
    assert answer.status_code == 403
    assert answer.json()[0]["message"] == "ConcurrentPerOrgLongTxn Limit exceeded."


async def test_addresses_and_headers_have_a_longest(org: Salesforce) -> None:
    def soql(length: int) -> str:
        start = f"{ROOT}/query?q=SELECT+Id+FROM+Account+LIMIT+1"
        return start + "+" * (length - len(start))

    assert (await org.call("GET", soql(15_000))).status_code == 200
    for address, headers, status in (
        (soql(16_385), {}, 414),
        (soql(16_384), {}, 431),
        (soql(200), {"X_Padding": "x" * 16_400}, 431),
    ):
        assert (await org.call("GET", address, **headers)).status_code == status
