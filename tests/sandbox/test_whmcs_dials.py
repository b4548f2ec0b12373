"""Who may call, and every fault that the dials play."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from portico_sandbox.dials import Dial
from portico_sandbox.whmcs.switches import turn
from tests.sandbox.whmcs_calling import ALICE, ALPHA, Caller, whmcs_open

CHARGE = {"userid": ALICE, "itemdescription1": "SIM reissue", "itemamount1": "1000", "itemtaxed1": 1}
API = "/includes/api.php"


@pytest.fixture
async def whmcs(tmp_path: Path) -> AsyncIterator[Caller]:
    async with whmcs_open(tmp_path) as caller:
        yield caller


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"secret": "wrong"}, 403, "Authentication Failed"),
        ({"identifier": "wrong"}, 403, "Authentication Failed"),
        ({"secret": ""}, 403, "Invalid or missing credentials"),
        ({"action": ""}, 400, "Empty action request"),
        ({"action": "GrowWings"}, 200, "Action Not Found"),
    ],
)
async def test_who_may_call(whmcs: Caller, change: dict[str, str], status: int, message: str) -> None:
    answer = await whmcs.send(**{"action": "WhmcsDetails", **change})
    assert (answer.status_code, answer.json()) == (status, {"result": "error", "message": message})


async def test_any_case_any_extra_and_the_older_names_of_the_credentials(whmcs: Caller) -> None:
    settings = whmcs.sandbox.settings
    old = {"username": settings.whmcs_identifier, "password": settings.whmcs_secret, "responsetype": "json"}
    answer = await whmcs.http.post(API, data={**old, "action": "whmcsdetails", "unknown": "x", "accesskey": "k"})
    assert answer.json()["whmcs"] == {"version": "8.13.1", "canonicalversion": "8.13.1-release.1"}
    turn(whmcs.sandbox, "version", "9.0.0")
    assert (await whmcs.ok("WhmcsDetails"))["whmcs"]["version"] == "9.0.0"


async def test_only_forms_are_read_and_json_comes_only_when_asked_for(whmcs: Caller) -> None:
    assert (await whmcs.http.post(API, json={"action": "WhmcsDetails"})).status_code == 400
    text = await whmcs.send("UpdateClient", clientid=ALICE, responsetype="")
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text == f"result=success;clientid={ALICE};"


async def test_chunked_forms_are_read(whmcs: Caller) -> None:
    settings = whmcs.sandbox.settings
    form = (
        f"action=WhmcsDetails&identifier={settings.whmcs_identifier}&secret={settings.whmcs_secret}&responsetype=json"
    )

    async def pieces() -> AsyncIterator[bytes]:
        yield form[:20].encode()
        yield form[20:].encode()

    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = await whmcs.http.post(API, content=pieces(), headers=headers)
    assert answer.json()["result"] == "success"


async def test_slashes_and_everything_beyond_ascii_are_escaped(whmcs: Caller) -> None:
    raw = (await whmcs.send("GetClientsDetails", clientid=4011)).content
    assert raw.isascii()
    assert b"\\u7530\\u4e2d" in raw
    card = (await whmcs.send("GetPayMethods", clientid=4011)).content
    assert b"\\/" in card


async def test_down_and_error_do_nothing(whmcs: Caller) -> None:
    whmcs.sandbox.dials.turn(Dial("whmcs", "down", call="createinvoice", times=1))
    whmcs.sandbox.dials.turn(Dial("whmcs", "error", call="CreateInvoice", times=1))
    down, broken = [await whmcs.send("CreateInvoice", **CHARGE) for _ in range(2)]
    assert (down.status_code, broken.status_code) == (503, 500)
    assert "output has already been emitted" in broken.text
    assert down.headers["content-type"].startswith("text/html")
    assert whmcs.sandbox.ledger.lines("whmcs") == []
    await whmcs.ok("CreateInvoice", **CHARGE)


async def test_refusals_are_played_by_their_text(whmcs: Caller) -> None:
    forbidden = 'Invalid Permissions: API action "addorder" is not allowed'
    whmcs.sandbox.dials.turn(Dial("whmcs", "refuse", call="AddOrder", code=forbidden))
    whmcs.sandbox.dials.turn(Dial("whmcs", "refuse", call="AddClient", code="Client limit reached"))
    answer = await whmcs.send("AddOrder")
    assert (answer.status_code, answer.json()["message"]) == (403, forbidden)
    assert await whmcs.refused("AddClient", **ALPHA) == "Client limit reached"


@pytest.mark.parametrize("kind", ["", "html", "empty", "latin1"])
async def test_malformed_does_the_work_and_answers_rubbish(whmcs: Caller, kind: str) -> None:
    whmcs.sandbox.dials.turn(Dial("whmcs", "malformed", call="CreateInvoice", code=kind))
    answer = await whmcs.send("CreateInvoice", **CHARGE)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        json.loads(answer.content.decode())
    assert len(whmcs.sandbox.ledger.lines("whmcs", "CreateInvoice")) == 1


async def test_commit_then_hang_does_the_work_and_lets_go_when_the_caller_leaves(whmcs: Caller) -> None:
    whmcs.sandbox.dials.turn(Dial("whmcs", "commit_then_hang", call="CreateInvoice", times=1))
    with pytest.raises(httpx2.TimeoutException):
        await asyncio.wait_for(with_deadline(whmcs, 0.2), 5)
    assert len(whmcs.sandbox.ledger.lines("whmcs", "CreateInvoice")) == 1
    await whmcs.ok("CreateInvoice", **CHARGE)


async def test_slow_answers_late_but_answers(whmcs: Caller) -> None:
    whmcs.sandbox.dials.turn(Dial("whmcs", "slow", call="GetCurrencies", seconds=0.1))
    started = asyncio.get_running_loop().time()
    await whmcs.ok("GetCurrencies")
    assert asyncio.get_running_loop().time() - started >= 0.1


async def test_the_pages_are_down_with_the_system(whmcs: Caller) -> None:
    whmcs.sandbox.dials.turn(Dial("whmcs", "down"))
    assert (await whmcs.http.get("/clientarea.php")).status_code == 503
    assert (await whmcs.http.get("/oauth/singlesignon.php")).status_code == 503


async def with_deadline(whmcs: Caller, seconds: float) -> Any:
    settings = whmcs.sandbox.settings
    signed = {"identifier": settings.whmcs_identifier, "secret": settings.whmcs_secret, "responsetype": "json"}
    form = {"action": "CreateInvoice", **signed, **{name: str(value) for name, value in CHARGE.items()}}
    return await whmcs.http.post(API, data=form, timeout=seconds)
