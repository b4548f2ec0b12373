"""Freebit's stand-in over a real socket: what each call does, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from portico_sandbox.freebit.app import build_app
from portico_sandbox.freebit.codes import SUCCESS, UNSUPPORTED_PATTERN, Invented
from portico_sandbox.freebit.control import expire_keys, fail_activation, finish_activation
from portico_sandbox.freebit.esim import FAILING_EID, REFUSED_EID, STUCK_EID
from portico_sandbox.freebit.seed import seed
from portico_sandbox.freebit.switches import turn
from portico_sandbox.sandbox import Sandbox
from tests.sandbox.serving_apps import FreebitCaller, client_of, fresh_sandbox, pair_of

EID = "89049032000000000000000000012345"
NUMBER = "07000009001"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = fresh_sandbox(tmp_path, freebit_activation_seconds=600)
    seed(sandbox)
    return sandbox


@pytest.fixture
async def freebit(sandbox: Sandbox) -> AsyncIterator[FreebitCaller]:
    async with client_of(build_app(sandbox)) as client:
        yield await FreebitCaller(client).sign_in(sandbox)


async def test_a_numbered_activation_waits_and_then_is_active(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    assert pair_of(await freebit.activate(EID, account=NUMBER)) == SUCCESS.pair

    waiting = await freebit.details(NUMBER)
    assert (waiting["state"], waiting["eid"]) == ("waiting", EID)
    assert "iccid" not in waiting
    assert "matchingId" not in waiting

    sandbox.clock.move(timedelta(seconds=601))
    active = await freebit.details(NUMBER)
    assert active["state"] == "active"
    assert active["planCode"] == "PTC_V_3G"
    assert len(active["iccid"]) == 19
    assert active["matchingId"]
    [line] = sandbox.ledger.lines("freebit", "PA05-41 addAcnt")
    assert line["reference"] == NUMBER
    assert line["facts"] == {"kind": "N", "eid": EID, "plan_code": "PTC_V_3G"}


async def test_an_unnumbered_activation_is_found_under_the_master(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    async def linked() -> set[str]:
        asked = [{"kind": "MASTER", "account": sandbox.settings.freebit_master_account}]
        answer = await freebit.call("/mvno/getDetail/", requestDatas=asked)
        assert all(set(item) == {"kind", "account"} for item in answer["responseDatas"])
        return {item["account"] for item in answer["responseDatas"]}

    before = await linked()
    assert before
    await freebit.activate(EID)
    [account] = await linked() - before
    assert (await freebit.details(account))["eid"] == EID


async def test_a_second_activation_of_the_same_thing_is_refused(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    await freebit.activate(EID, account=NUMBER)
    other = EID[:-1] + "6"
    assert pair_of(await freebit.activate(other, account=NUMBER)) == Invented.ACCOUNT_IN_USE.pair
    assert pair_of(await freebit.activate(EID, account="07000009002")) == Invented.EID_IN_USE.pair
    assert len(sandbox.ledger.lines("freebit")) == 1


async def test_magic_eids(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    base = EID[:-5]
    assert pair_of(await freebit.activate(base + REFUSED_EID, account="07000009011")) == Invented.EID_REFUSED.pair
    assert pair_of(await freebit.activate(base + FAILING_EID, account="07000009012")) == SUCCESS.pair
    assert pair_of(await freebit.activate(base + STUCK_EID, account="07000009013")) == SUCCESS.pair
    sandbox.clock.move(timedelta(days=3))
    # Three days later the key has expired as well.
    await freebit.sign_in(sandbox)
    assert (await freebit.details("07000009012"))["state"] == "obsolete"
    assert (await freebit.details("07000009013"))["state"] == "waiting"
    # What failed has freed number and eUICC.
    assert pair_of(await freebit.activate(EID, account="07000009012")) == SUCCESS.pair


async def test_buttons_end_an_activation(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    await freebit.activate(EID, account=NUMBER)
    assert (await finish_activation(sandbox, EID))["state"] == "active"
    assert (await freebit.details(NUMBER))["state"] == "active"

    second = EID[:-1] + "7"
    await freebit.activate(second, account="07000009002")
    assert (await fail_activation(sandbox, "070-0000-9002"))["state"] == "obsolete"
    assert (await freebit.details("07000009002"))["state"] == "obsolete"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"addKind": "M", "aladinOperated": "10"}, UNSUPPORTED_PATTERN),
        ({"addKind": "R", "aladinOperated": "10"}, UNSUPPORTED_PATTERN),
        ({"addKind": "X"}, Invented.INPUT_WRONG),
        ({"aladinOperated": "30"}, Invented.INPUT_WRONG),
        ({"account": "0701234"}, Invented.INPUT_WRONG),
        ({"planCode": "no spaces please"}, Invented.INPUT_WRONG),
        ({"createType": "new"}, Invented.INPUT_WRONG),
        ({"eid": "1234"}, Invented.INPUT_WRONG),
        ({"addKind": "M", "account": NUMBER}, Invented.INPUT_WRONG),
        ({"addKind": "R", "account": NUMBER}, Invented.ACCOUNT_UNKNOWN),
    ],
)
async def test_refused_activations(
    sandbox: Sandbox, freebit: FreebitCaller, document: dict[str, str], code: object
) -> None:
    answer = await freebit.call(
        "/mvno/esim/addAcnt/", **{"addKind": "N", "eid": EID, "planCode": "PTC_V_3G", **document}
    )
    assert pair_of(answer) == getattr(code, "pair", None)
    assert sandbox.ledger.lines() == []


async def test_a_reissue_moves_the_line_to_another_eid(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    account = next(s.line_number for p in sandbox.world.people for s in p.services if s.line_number)
    old = await freebit.details(account)
    answer = await freebit.call(
        "/mvno/esim/addAcnt/", addKind="R", eid=EID, account=account, reissue={"oldEid": old["eid"]}
    )
    assert pair_of(answer) == SUCCESS.pair
    sandbox.clock.move(timedelta(seconds=601))
    new = await freebit.details(account)
    assert (new["state"], new["eid"], new["planCode"]) == ("active", EID, old["planCode"])
    assert new["iccid"] != old["iccid"]


async def test_cancellation_now_and_on_a_day(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    lines = [s.line_number for p in sandbox.world.people for s in p.services if s.line_number]
    await freebit.call("/master/cnclAcnt/", kind="MVNO", account=lines[0])
    assert (await freebit.details(lines[0]))["state"] == "obsolete"

    day = (sandbox.clock.today() + timedelta(days=2)).strftime("%Y/%m/%d")
    await freebit.call("/master/cnclAcnt/", kind="MVNO", account=lines[1], runDate=day)
    assert (await freebit.details(lines[1]))["state"] == "active"
    sandbox.clock.move(timedelta(days=2))
    await freebit.sign_in(sandbox)
    assert (await freebit.details(lines[1]))["state"] == "obsolete"

    master = await freebit.call("/master/cnclAcnt/", kind="MASTER", account=lines[2])
    assert pair_of(master) == Invented.INPUT_WRONG.pair


async def test_usage(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    account = next(s.line_number for p in sandbox.world.people for s in p.services if s.line_number)
    answer = await freebit.call("/mvno/getTrafficInfo/", account=account)
    assert answer["account"] == account
    assert answer["traffic"]["inRecentDays"].count(",") == 3


async def test_both_form_encodings_and_no_bare_json(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    text = json.dumps({"authKey": freebit.auth_key, "requestDatas": [{"kind": "MVNO", "account": "07000004011"}]})
    for path in ("/emptool/api/mvno/getDetail/", "/emptool/api/master/getAcnt/"):
        as_parts = await freebit.client.post(path, files={"json": (None, text)})
        assert as_parts.json()["responseDatas"][0]["state"] == "active"
        bare = await freebit.client.post(path, content=text, headers={"Content-Type": "application/json"})
        assert pair_of(bare.json()) == Invented.INPUT_WRONG.pair

    async def in_chunks() -> AsyncIterator[bytes]:
        for byte in b"json=" + text.encode():
            yield bytes([byte])

    chunked = await freebit.client.post(
        "/emptool/api/mvno/getDetail/",
        content=in_chunks(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert pair_of(chunked.json()) == SUCCESS.pair


async def test_only_one_account_may_be_asked_for(freebit: FreebitCaller) -> None:
    for asked in ([], [{"kind": "MVNO", "account": NUMBER}] * 2, "text"):
        answer = await freebit.call("/mvno/getDetail/", requestDatas=asked)
        assert pair_of(answer) == Invented.INPUT_WRONG.pair


async def test_keys_are_asked_for_and_expire(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    wrong = await FreebitCaller(freebit.client).call("/authOem/", oemId="PORTICO", oemKey="guess")
    assert pair_of(wrong) == Invented.CREDENTIAL_WRONG.pair
    assert "authKey" not in wrong

    usage = {"path": "/mvno/getTrafficInfo/", "account": "07000004011"}
    assert pair_of(await FreebitCaller(freebit.client, "guess").call(**usage)) == Invented.AUTH_KEY_WRONG.pair
    sandbox.clock.move(timedelta(seconds=3001))
    assert pair_of(await freebit.call(**usage)) == Invented.AUTH_KEY_WRONG.pair
    await freebit.sign_in(sandbox)
    assert pair_of(await freebit.call(**usage)) == SUCCESS.pair
    await expire_keys(sandbox)
    assert pair_of(await freebit.call(**usage)) == Invented.AUTH_KEY_WRONG.pair


async def test_switches(sandbox: Sandbox, freebit: FreebitCaller) -> None:
    older = FreebitCaller(freebit.client, freebit.auth_key)
    turn(sandbox, "one-key", True)
    await freebit.sign_in(sandbox)
    assert pair_of(await older.call("/mvno/getTrafficInfo/", account="07000004011")) == Invented.AUTH_KEY_WRONG.pair

    assert "voicemail" in await freebit.details("07000004011")
    turn(sandbox, "camel-case", True)
    assert "voiceMail" in await freebit.details("07000004011")
    turn(sandbox, "number-accounts", True)
    assert (await freebit.details("07000004011"))["account"] == 7000004011
    turn(sandbox, "number-codes", True)
    answer = await freebit.call("/mvno/getTrafficInfo/", account="07000004011")
    assert (answer["resultCode"], answer["status"]["statusCode"]) == (100, 200)
