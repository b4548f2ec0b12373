"""Lines: activated once, found again, read in either casing and type."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import SystemDown, SystemRefused, SystemSurprised
from portico.settings import FreebitSettings
from portico.systems.freebit import lines, shapes
from portico.systems.freebit.client import Freebit, build_freebit
from portico.systems.freebit.traffic import get_traffic_info
from portico_sandbox.dials import Dial
from portico_sandbox.freebit.codes import Invented
from portico_sandbox.freebit.control import finish_activation, set_switch
from portico_sandbox.freebit.esim import FAILING_EID, REFUSED_EID
from portico_sandbox.freebit.lines import LINES
from portico_sandbox.freebit.switches import SWITCHES
from portico_sandbox.sandbox import Sandbox
from tests.systems.freebit.conftest import settings_for
from tests.systems.raw_server import answer, raw_server

EID = "89049032000000000000000000012345"
NUMBER, KENS = "07012349876", "07000004011"


async def test_a_numbered_activation_from_accepted_to_active(sandbox: Sandbox, freebit: Freebit) -> None:
    assert await lines.get_details(freebit, NUMBER) is None
    await lines.activate_esim(freebit, eid=EID, plan_code="PTC_V_3G", account="070-1234-9876")
    waiting = await lines.get_details(freebit, NUMBER)
    assert waiting is not None
    assert (waiting.state, waiting.eid, waiting.pending) == ("waiting", EID, "PA05-41")
    assert (waiting.iccid, waiting.matching_id) == ("", "")
    sandbox.clock.move(timedelta(seconds=601))
    active = await lines.get_details(freebit, NUMBER)
    assert active is not None
    assert (active.account, active.state, active.plan_code, active.pending) == (NUMBER, "active", "PTC_V_3G", "")
    assert len(active.iccid) == 19
    assert active.matching_id


async def test_an_unnumbered_activation_is_found_by_its_eid(sandbox: Sandbox, freebit: Freebit) -> None:
    before = await lines.get_master_lines(freebit)
    await lines.activate_esim(freebit, eid=EID, plan_code="PTC_V_3G")
    (line,) = await lines.find_lines_by_eid(freebit, EID)
    assert line.account not in before
    assert await lines.find_lines_by_eid(freebit, EID, known=before) == [line]
    assert await lines.find_lines_by_eid(freebit, EID[::-1]) == []


@pytest.mark.parametrize("fault", ["commit_then_hang", "malformed"])
async def test_a_lost_answer_leaves_one_line_that_is_found(sandbox: Sandbox, fault: Any) -> None:
    freebit = build_freebit(settings_for(sandbox, write_seconds=1))
    sandbox.dials.turn(Dial("freebit", fault, call="PA05-41", times=1))
    with pytest.raises(SystemDown if fault == "commit_then_hang" else SystemSurprised):
        await lines.activate_esim(freebit, eid=EID, plan_code="PTC_V_3G", account=NUMBER)
    line = await lines.get_details(freebit, NUMBER)
    assert line is not None
    assert line.eid == EID
    assert len(sandbox.ledger.lines("freebit", "PA05-41 addAcnt")) == 1
    await freebit.aclose()


async def test_refusals_keep_both_codes(freebit: Freebit) -> None:
    with pytest.raises(SystemRefused) as caught:
        await lines.activate_esim(freebit, eid=EID[:-5] + REFUSED_EID, plan_code="PTC_V_3G", account=NUMBER)
    assert caught.value.vendor_code == Invented.EID_REFUSED.pair


async def test_an_activation_that_fails_later_ends_obsolete(sandbox: Sandbox, freebit: Freebit) -> None:
    await lines.activate_esim(freebit, eid=EID[:-5] + FAILING_EID, plan_code="PTC_V_3G", account=NUMBER)
    sandbox.clock.move(timedelta(seconds=601))
    line = await lines.get_details(freebit, NUMBER)
    assert line is not None
    assert line.state == "obsolete"


@pytest.mark.parametrize("switch", sorted(SWITCHES))
async def test_a_line_reads_the_same_in_every_shape(sandbox: Sandbox, freebit: Freebit, switch: str) -> None:
    usual = await lines.get_details(freebit, KENS), await lines.get_master_lines(freebit)
    usage = await get_traffic_info(freebit, KENS)
    await set_switch(sandbox, switch, "on")
    assert (await lines.get_details(freebit, KENS), await lines.get_master_lines(freebit)) == usual
    assert await get_traffic_info(freebit, KENS) == usage
    assert usual[0] is not None
    assert usual[0].account == KENS


async def test_any_other_code_than_unknown_is_not_read_as_not_there(sandbox: Sandbox) -> None:
    freebit = build_freebit(settings_for(sandbox, unknown_account_codes=""))
    with pytest.raises(SystemRefused):
        await lines.get_details(freebit, NUMBER)
    await freebit.aclose()


async def test_the_matching_id_stands_where_the_settings_say(sandbox: Sandbox, freebit: Freebit) -> None:
    other = build_freebit(settings_for(sandbox, matching_id_field="planCode"))
    line = await lines.get_details(other, KENS)
    assert line is not None
    assert line.matching_id == line.plan_code
    await other.aclose()


async def test_a_line_can_be_ended_at_once_or_on_a_day(sandbox: Sandbox, freebit: Freebit) -> None:
    day = sandbox.clock.today() + timedelta(days=3)
    await lines.cancel_account(freebit, KENS, day)
    line = await lines.get_details(freebit, KENS)
    assert line is not None
    assert line.state == "active"
    await lines.cancel_account(freebit, KENS, "at_once")
    line = await lines.get_details(freebit, KENS)
    assert line is not None
    assert line.state == "obsolete"
    run_dates = [entry["facts"]["run_date"] for entry in sandbox.ledger.lines("freebit", "PA02-04 cnclAcnt")]
    assert run_dates == [day.strftime("%Y%m%d"), ""]


async def test_usage(sandbox: Sandbox, freebit: Freebit) -> None:
    stored = sandbox.store.table(LINES)[KENS]["usage_kb"]
    usage = await get_traffic_info(freebit, KENS)
    assert [usage.today_kb, *usage.recent_days_kb] == stored
    assert not usage.is_restricted


async def details_from(document: Any, account: str = NUMBER) -> shapes.Line | None:
    key = json.dumps({"resultCode": 100, "authKey": "k"}).encode()
    body = json.dumps({"resultCode": 100, **document}).encode()
    async with raw_server(answer(200, key), answer(200, body)) as server:
        freebit = build_freebit(FreebitSettings(url=server.url))
        try:
            return await lines.get_details(freebit, account)
        finally:
            await freebit.aclose()


async def test_the_master_beside_the_line_and_foreign_lines_are_passed_over() -> None:
    master = {"kind": "MASTER", "account": "portal@master.example"}
    foreign = {"kind": "MVNO", "account": "07000000000", "state": "active"}
    mine = {"KIND": "MVNO", "Account": 7012349876, "STATE": "Active", "EID": int(EID), "networkType": "4G"}
    line = await details_from({"responseDatas": [master, foreign, mine]})
    assert line is not None
    assert (line.account, line.state, line.eid, line.contract_line) == (NUMBER, "active", EID, "4G")
    assert await details_from({"responseDatas": [master, foreign]}) is None
    assert await details_from({"responseDatas": []}) is None
    assert await details_from({"responseDatas": ""}) is None
    assert await details_from({}) is None
    assert await details_from({"responseDatas": mine}) == line


async def test_rubbish_in_the_list_is_a_surprise() -> None:
    with pytest.raises(SystemSurprised):
        await details_from({"responseDatas": ["text"]})


@given(st.from_regex(r"0[1-9]0[0-9]{8}", fullmatch=True))
def test_a_number_survives_being_a_number(account: str) -> None:
    assert shapes.account_of({"account": int(account)}) == account
    assert shapes.full_number(f"{account[:3]}-{account[3:7]}-{account[7:]}") == account


async def test_a_finished_activation_is_seen(sandbox: Sandbox, freebit: Freebit) -> None:
    await lines.activate_esim(freebit, eid=EID, plan_code="PTC_V_3G", account=NUMBER)
    await finish_activation(sandbox, NUMBER)
    line = await lines.get_details(freebit, NUMBER)
    assert line is not None
    assert line.state == "active"
