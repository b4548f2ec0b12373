"""The dials of the Salesforce stand-in: what each fault looks like on its wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from portico_sandbox.dials import Dial
from tests.sandbox.salesforce_calling import Salesforce, salesforce_at


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path) as caller:
        yield caller


async def test_down_in_json_and_in_html(org: Salesforce) -> None:
    org.sandbox.dials.turn(Dial("salesforce", "down", times=1))
    answer = await org.call("GET", "/limits")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (503, "SERVER_UNAVAILABLE")
    org.sandbox.dials.turn(Dial("salesforce", "down", call="token", code="html", times=1))
    page = await org.mint()
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")


async def test_dials_choose_their_call(org: Salesforce) -> None:
    org.sandbox.dials.turn(Dial("salesforce", "error", call="POST row"))
    assert (await org.query("SELECT Id FROM Account LIMIT 1")).status_code == 200
    answer = await org.call("POST", "/sobjects/Account", {"Name": "x"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (500, "UNKNOWN_EXCEPTION")
    assert org.sandbox.ledger.lines("salesforce") == []


async def test_refusals_carry_the_code(org: Salesforce) -> None:
    for code, status in (("REQUEST_LIMIT_EXCEEDED", 403), ("UNABLE_TO_LOCK_ROW", 400), ("INVALID_SESSION_ID", 401)):
        org.sandbox.dials.turn(Dial("salesforce", "refuse", call="query", code=code, times=1))
        answer = await org.query("SELECT Id FROM Account")
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)
    org.sandbox.dials.turn(Dial("salesforce", "refuse", call="token", code="invalid_grant:user is locked"))
    assert (await org.mint()).json() == {"error": "invalid_grant", "error_description": "user is locked"}


async def test_a_refused_composite_says_so_inside(org: Salesforce) -> None:
    parts = [
        {"referenceId": name, "method": "POST", "url": "/services/data/v68.0/sobjects/Account", "body": {"Name": name}}
        for name in ("a", "b")
    ]
    org.sandbox.dials.turn(Dial("salesforce", "refuse", call="composite", code="UNABLE_TO_LOCK_ROW", times=1))
    answer = await org.call("POST", "/composite", {"allOrNone": True, "compositeRequest": parts})
    assert answer.status_code == 200
    codes = [each["body"][0]["errorCode"] for each in answer.json()["compositeResponse"]]
    assert codes == ["UNABLE_TO_LOCK_ROW", "PROCESSING_HALTED"]


async def test_committed_and_never_answered(org: Salesforce) -> None:
    org.sandbox.dials.turn(Dial("salesforce", "commit_then_hang", call="POST row", times=1))
    with pytest.raises(httpx2.TimeoutException):
        await asyncio.wait_for(_create_impatiently(org), 5)
    assert [line["effect"] for line in org.sandbox.ledger.lines("salesforce")] == ["create Account"]


async def test_committed_and_answered_with_rubbish(org: Salesforce) -> None:
    org.sandbox.dials.turn(Dial("salesforce", "malformed", call="POST row", times=1))
    answer = await org.call("POST", "/sobjects/Account", {"Name": "x"})
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert len(org.sandbox.ledger.lines("salesforce", "create Account")) == 1


async def test_slow_answers_come_in_the_end(org: Salesforce) -> None:
    org.sandbox.dials.turn(Dial("salesforce", "slow", call="limits", seconds=0.1))
    began = asyncio.get_running_loop().time()
    assert (await org.call("GET", "/limits")).status_code == 200
    assert asyncio.get_running_loop().time() - began >= 0.1


async def _create_impatiently(org: Salesforce) -> None:
    headers = {"Authorization": f"Bearer {org.token}"}
    body = {"Name": "x"}
    await org.http.post("/services/data/v68.0/sobjects/Account", json=body, headers=headers, timeout=1)
