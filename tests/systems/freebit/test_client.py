"""The form, the key, the envelope, and answers that are none of Freebit's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from structlog.testing import capture_logs

from portico.errors import PorticoError, SetupWrong, SystemDown, SystemRefused, SystemSurprised
from portico.settings import FreebitSettings
from portico.systems.freebit import auth
from portico.systems.freebit.client import Freebit, build_freebit, call, ping
from portico_sandbox.dials import Dial
from portico_sandbox.freebit.codes import Invented
from portico_sandbox.freebit.control import expire_keys, set_switch
from portico_sandbox.sandbox import Sandbox
from tests.systems.freebit.conftest import settings_for
from tests.systems.raw_server import RawServer, Script, answer, hang, raw_server, reset

SAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "captured/refusals.json").read_text())["samples"]
LINE = "07000004011"
DETAILS = {"requestDatas": [{"kind": "MVNO", "account": LINE}]}


def saying(document: Any, status: int = 200) -> Script:
    return answer(status, document if isinstance(document, bytes) else json.dumps(document).encode())


OK = {"resultCode": "100", "status": {"message": "OK", "statusCode": "200"}}
KEY = saying({**OK, "authKey": "k-1"})


@asynccontextmanager
async def answering(*scripts: Script, **settings: Any) -> AsyncIterator[tuple[Freebit, RawServer]]:
    async with raw_server(*scripts) as server:
        given = {"url": server.url, "oem_id": "ME", "oem_key": "s3cret", "read_seconds": 0.2, "write_seconds": 0.2}
        freebit = build_freebit(FreebitSettings.model_validate({**given, **settings}))
        try:
            yield freebit, server
        finally:
            await freebit.aclose()


async def read(freebit: Freebit) -> Any:
    return await call(freebit, "PA03-02", DETAILS, repeatable=True)


async def write(freebit: Freebit) -> Any:
    return await call(freebit, "PA05-41", {"eid": "1"}, repeatable=False)


def named(error: PorticoError) -> str:
    return error.vendor_code if isinstance(error, SystemRefused) else type(error).__name__


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
async def test_each_result_means_what_the_table_says(sample: dict[str, Any]) -> None:
    codes = {"busy_codes": "710-1,711", "auth_failure_codes": "720-2"}
    wrong = saying(sample["answer"])
    scripts = (wrong,) if sample["call"] == "PA01-01" else (KEY, wrong, KEY, wrong)
    async with answering(*scripts, **codes) as (freebit, _):
        with pytest.raises(PorticoError) as caught:
            await call(freebit, sample["call"], {}, repeatable=False)
    assert named(caught.value) == sample["becomes"]


async def test_one_form_field_with_json_and_the_key_in_it() -> None:
    async with answering(KEY, saying(OK)) as (freebit, server):
        with capture_logs() as lines:
            await call(freebit, "PA03-02", {"name": "東京 & co"}, repeatable=True)
    assert server.heads[0].startswith(b"POST /authOem/ ")
    assert server.heads[1].startswith(b"POST /mvno/getDetail/ ")
    documents = [json.loads(parse_qs(body.decode())["json"][0]) for body in server.bodies]
    assert documents == [{"oemId": "ME", "oemKey": "s3cret"}, {"authKey": "k-1", "name": "東京 & co"}]
    assert "s3cret" not in str(lines)
    assert "k-1" not in str(lines)


async def test_a_path_can_be_overridden() -> None:
    async with answering(KEY, saying(OK), paths={"PA03-02": "/master/getAcnt/"}) as (freebit, server):
        await read(freebit)
    assert server.heads[1].startswith(b"POST /master/getAcnt/ ")


async def test_one_key_for_all_who_ask_at_once(sandbox: Sandbox, freebit: Freebit) -> None:
    await asyncio.gather(*(read(freebit) for _ in range(2)))
    async with answering(KEY, saying(OK)) as (own, server):
        await asyncio.gather(*(read(own) for _ in range(8)))
    assert sum(head.startswith(b"POST /authOem/") for head in server.heads) == 1


async def test_an_expired_key_is_fetched_anew_and_the_call_replayed_once(sandbox: Sandbox, freebit: Freebit) -> None:
    await read(freebit)
    await expire_keys(sandbox)
    assert (await read(freebit))["resultCode"] == "100"


async def test_a_key_refused_again_is_a_wrong_set_up() -> None:
    refused = saying({"resultCode": "902", "status": {"statusCode": "002"}})
    async with answering(KEY, refused, KEY, refused, auth_failure_codes="902-002") as (freebit, server):
        with pytest.raises(SetupWrong):
            await write(freebit)
    assert len(server.heads) == 4


async def test_an_old_key_is_fetched_anew_before_it_is_used() -> None:
    async with answering(KEY, saying(OK), KEY, saying(OK), auth_ttl_seconds=0) as (freebit, server):
        await read(freebit)
        await read(freebit)
    assert sum(head.startswith(b"POST /authOem/") for head in server.heads) == 2


async def test_refused_credentials_are_not_tried_again_at_once(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    freebit = build_freebit(settings_for(sandbox, oem_key="wrong"))
    with pytest.raises(SetupWrong):
        await ping(freebit)
    object.__setattr__(freebit, "settings", settings_for(sandbox))
    with pytest.raises(SetupWrong, match="a moment ago"):
        await ping(freebit)
    monkeypatch.setattr(auth, "REFUSAL_SECONDS", 0)
    await ping(freebit)
    await freebit.aclose()


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        (saying(b"<html>Maintenance</html>", 503), SystemDown),
        (saying(b"<html>Error</html>", 500), SystemDown),
        (saying(b"", 302), SystemDown),
        (saying(b"slow down", 429), SystemDown),
        (saying(b"<html>who?</html>", 403), SetupWrong),
        (saying(b"<html>where?</html>", 404), SetupWrong),
        (saying(b"<html>what?</html>", 400), SystemSurprised),
        (saying(b"<html>OK</html>", 200), SystemSurprised),
        (saying(b'{"resultCode": "100", "status": {"mess'), SystemSurprised),
        (saying(b'{"resultCode": "100", "name": "\xff"}'), SystemSurprised),
        (saying(b"[]"), SystemSurprised),
        (saying(b"[" * 100_000), SystemSurprised),
        (hang, SystemDown),
        (reset, SystemDown),
    ],
    ids=range(14),
)
async def test_what_is_no_answer_of_freebit_never_passes(script: Script, becomes: type[PorticoError]) -> None:
    async with answering(KEY, script) as (freebit, server):
        with pytest.raises(PorticoError) as caught:
            await write(freebit)
    assert type(caught.value) is becomes
    assert len(server.heads) == 2
    if type(caught.value) is SystemDown:
        assert caught.value.sent


@pytest.mark.parametrize(
    ("mode", "code", "becomes"),
    [
        ("down", "", "SystemDown"),
        ("malformed", "", "SystemSurprised"),
        ("error", "", Invented.INTERNAL_ERROR.pair),
        ("refuse", "400-356", "400-356"),
    ],
)
async def test_each_dial_has_its_error(sandbox: Sandbox, freebit: Freebit, mode: Any, code: str, becomes: str) -> None:
    sandbox.dials.turn(Dial("freebit", mode, call="PA03-02", code=code))
    with pytest.raises(PorticoError) as caught:
        await read(freebit)
    assert named(caught.value) == becomes


async def test_codes_may_be_numbers(sandbox: Sandbox, freebit: Freebit) -> None:
    await set_switch(sandbox, "number-codes", "on")
    assert (await read(freebit))["resultCode"] == 100
