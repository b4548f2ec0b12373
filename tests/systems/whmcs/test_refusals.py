"""Every way in which WHMCS says no, and what that means to us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from portico.errors import PorticoError, SetupWrong, SystemRefused
from portico.settings import WhmcsSettings
from portico.systems.whmcs import errors
from portico.systems.whmcs.client import build_whmcs, call
from portico.systems.whmcs.users import validate_login
from tests.systems.raw_server import answer, raw_server

SAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "captured/refusals.json").read_text())["samples"]


def named(error: PorticoError) -> str:
    return error.vendor_code if isinstance(error, SystemRefused) else type(error).__name__


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample['status']}-{sample['message'][:30]}")
@pytest.mark.parametrize("spelling", [str, str.upper, "  {}  ".format], ids=["as-is", "upper", "spaced"])
def test_each_message_means_what_the_table_says(sample: dict[str, Any], spelling: Any) -> None:
    error = errors.error_for(sample["action"], spelling(sample["message"]), sample["status"])
    assert named(error) == sample["becomes"]
    assert error.facts.get("field") == sample.get("field")


def test_each_row_of_the_tables_has_a_sample() -> None:
    said = [sample["message"].lower() for sample in SAMPLES]
    beginnings = [*errors.SETUP_WRONG, *errors.OUR_FAULT, *(beginning for beginning, _ in errors.REFUSALS)]
    beginnings += [beginning for beginning, _ in errors.FIELDS]
    assert [each for each in beginnings if not any(message.startswith(each) for message in said)] == []


@pytest.mark.parametrize("sample", SAMPLES[:4], ids=lambda sample: sample["message"][:20])
async def test_a_wrong_set_up_is_never_a_wrong_password(sample: dict[str, Any]) -> None:
    body = json.dumps({"result": "error", "message": sample["message"]}).encode()
    async with raw_server(answer(sample["status"], body)) as server:
        whmcs = build_whmcs(WhmcsSettings(url=server.url))
        with capture_logs() as lines, pytest.raises(SetupWrong) as caught:
            await validate_login(whmcs, "who@mail.example", "right")
        await whmcs.aclose()
    assert not caught.value.sent
    assert [line["log_level"] for line in lines if line["event"] == "whmcs.setup.wrong"] == ["error"]


async def test_an_unknown_refusal_is_logged_without_personal_data() -> None:
    message = "The address who@mail.example of client 4711 is odd"
    body = json.dumps({"result": "error", "message": message}).encode()
    async with raw_server(answer(200, body)) as server:
        whmcs = build_whmcs(WhmcsSettings(url=server.url))
        with capture_logs() as lines, pytest.raises(SystemRefused) as caught:
            await call(whmcs, "AddClient", {}, repeatable=False)
        await whmcs.aclose()
    assert caught.value.vendor_message == message
    (line,) = [line for line in lines if line["event"] == "whmcs.refusal.unknown"]
    assert "example" not in str(line)
    assert "4711" not in str(line)
