"""Each dial of Freebit's stand-in, as a caller sees it and as the ledger knows it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import httpx2
import pytest

from portico_sandbox.dials import Dial
from portico_sandbox.freebit.app import build_app
from portico_sandbox.freebit.codes import UNSUPPORTED_PATTERN, Invented
from portico_sandbox.sandbox import Sandbox
from tests.sandbox.serving_apps import FreebitCaller, client_of, fresh_sandbox, pair_of

EID = "89049032000000000000000000012345"
NUMBER = "07000009001"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return fresh_sandbox(tmp_path)


@pytest.fixture
async def freebit(sandbox: Sandbox) -> AsyncIterator[FreebitCaller]:
    async with client_of(build_app(sandbox)) as client:
        yield await FreebitCaller(client).sign_in(sandbox)


async def activation(freebit: FreebitCaller, patience: float = 5) -> httpx2.Response:
    document = {"authKey": freebit.auth_key, "addKind": "N", "eid": EID, "account": NUMBER}
    return await freebit.client.post(
        "/emptool/api/mvno/esim/addAcnt/", data={"json": json.dumps(document)}, timeout=patience
    )


async def test_down(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    sandbox.dials.turn(Dial("freebit", "down", times=1))
    answer = await activation(freebit)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (503, "text/html")
    assert sandbox.ledger.lines() == []
    assert (await activation(freebit)).status_code == 200


async def test_error_and_refusal(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    sandbox.dials.turn(Dial("freebit", "error", "PA05-41", times=1))
    assert pair_of((await activation(freebit)).json()) == Invented.INTERNAL_ERROR.pair
    sandbox.dials.turn(Dial("freebit", "refuse", "pa05-41", times=1, code=UNSUPPORTED_PATTERN.pair))
    assert pair_of((await activation(freebit)).json()) == UNSUPPORTED_PATTERN.pair
    sandbox.dials.turn(Dial("freebit", "refuse", times=1))
    assert pair_of((await activation(freebit)).json()) == Invented.REFUSED.pair
    assert sandbox.ledger.lines() == []


async def test_slow(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    sandbox.dials.turn(Dial("freebit", "slow", seconds=0.2))
    started = monotonic()
    assert (await activation(freebit)).status_code == 200
    assert monotonic() - started >= 0.2


@pytest.mark.parametrize("mode", ["commit_then_hang", "malformed"])
async def test_the_work_is_done_but_the_answer_is_lost(sandbox: Sandbox, freebit: FreebitCaller, mode: str) -> None:
    sandbox.dials.turn(Dial("freebit", mode, "PA05-41", times=1))  # type: ignore[arg-type]
    if mode == "malformed":
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            (await activation(freebit)).json()
    else:
        with pytest.raises(httpx2.ReadTimeout):
            await activation(freebit, patience=0.1)
    assert [line["reference"] for line in sandbox.ledger.lines("freebit", "PA05-41 addAcnt")] == [NUMBER]


async def test_a_server_stops_with_answers_hanging(sandbox: Sandbox) -> None:
    sandbox.dials.turn(Dial("freebit", "commit_then_hang"))
    async with client_of(build_app(sandbox)) as client:
        body = {"json": '{"oemId": "PORTICO", "oemKey": "freebit-demo-key"}'}
        hanging = asyncio.create_task(client.post("/emptool/api/authOem/", data=body, timeout=30))
        while not sandbox.store.table("freebit_keys"):  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)
        started = monotonic()
    assert monotonic() - started < 15
    with pytest.raises(httpx2.HTTPError):
        await hanging
