"""Salesforce's answers by the table: each row has a sample (written after the reference, none is from a live org)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from portico.errors import NotFound, SetupWrong, SystemDown, SystemRefused, SystemSurprised
from portico.systems.http import Reply
from portico.systems.salesforce.errors import MEANINGS, CallsSpent, RowLocked, error_in

CAPTURED = Path(__file__).parent / "captured"
SAMPLES: dict[str, Any] = {path.stem: json.loads(path.read_text()) for path in sorted(CAPTURED.glob("error__*.json"))}
KINDS = {
    "RowLocked": RowLocked,
    "CallsSpent": CallsSpent,
    "SystemDown": SystemDown,
    "SetupWrong": SetupWrong,
    "NotFound": NotFound,
    "SystemRefused": SystemRefused,
}


def reply(status: int, body: Any) -> Reply:
    return Reply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_each_sample_is_what_the_table_says(sample: dict[str, Any]) -> None:
    error = error_in(reply(sample["status"], sample["body"]))
    assert type(error) is KINDS[sample["error"]]
    if isinstance(error, SystemDown):
        assert error.sent == sample.get("sent", False)


def test_each_row_has_a_sample() -> None:
    sampled = {entry["errorCode"] for sample in SAMPLES.values() for entry in sample["body"]}
    assert set(MEANINGS) <= sampled


def test_the_whole_list_is_kept_for_staff() -> None:
    body = [
        {"message": "Required fields are missing: [PricebookEntryId]", "errorCode": "REQUIRED_FIELD_MISSING"},
        {"message": "field integrity exception", "errorCode": "FIELD_INTEGRITY_EXCEPTION", "fields": ["Product2Id"]},
    ]
    error = error_in(reply(400, body))
    assert isinstance(error, SystemRefused)
    assert error.vendor_code == "REQUIRED_FIELD_MISSING"
    assert "FIELD_INTEGRITY_EXCEPTION: field integrity exception [Product2Id]" in error.vendor_message


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_no_error(status: int) -> None:
    assert error_in(reply(status, b"")) is None


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_nobody_knows_what_a_5xx_did(status: int) -> None:
    error = error_in(reply(status, b"<html>"))
    assert isinstance(error, SystemDown)
    assert error.sent


@pytest.mark.parametrize("status", [301, 302, 420, 429])
def test_the_edge_kept_it_from_the_org(status: int) -> None:
    error = error_in(reply(status, b"<html>"))
    assert isinstance(error, SystemDown)
    assert not error.sent


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'["x"]', b"null", b"[{}]", b"\xff"])
@pytest.mark.parametrize("status", [300, 400, 403, 404, 414])
def test_what_says_nothing_is_a_surprise(status: int, body: bytes) -> None:
    assert isinstance(error_in(reply(status, body)), SystemSurprised)
