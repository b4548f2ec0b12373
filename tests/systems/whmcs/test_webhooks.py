"""Hooks from WHMCS: only what a secret of ours signed, just now, and small; ids only."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from portico.errors import HookRefused, HookSignatureWrong, HookTooLarge, PorticoError
from portico.settings import WhmcsSettings
from portico.systems.whmcs.webhooks import MAX_BYTES, verify
from portico_sandbox.whmcs.hooks import signed_headers

SECRET = "whsec_b25lLXNlY3JldC1vZi10aGlydHktdHdvLWJ5dGVzIQ=="
OTHER = "whsec_YW5vdGhlci1zZWNyZXQtb2YtbWFueS1ieXRlcyEhISE="
EVENT = {
    "event": "InvoicePaid",
    "whmcs_client_id": 4711,
    "ids": {"invoice": 8801},
    "at": "2026-05-03T09:15:00+09:00",
    "source": "prod",
}


def settings(*secrets: str) -> WhmcsSettings:
    return WhmcsSettings.model_validate({"hook_secrets": ",".join(secrets)})


def signed(body: bytes, *, secret: str = SECRET, moved: timedelta = timedelta(0)) -> dict[str, str]:
    webhook_id, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC) + moved
    return {
        "Webhook-Id": webhook_id,
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(webhook_id, now, body.decode()),
    }


def outcome(settings: WhmcsSettings, headers: dict[str, str], body: bytes) -> type[PorticoError]:
    with pytest.raises(PorticoError) as caught:
        verify(settings, headers, body)
    return type(caught.value)


def test_an_event_as_the_sandbox_posts_it() -> None:
    body = json.dumps(EVENT)
    event = verify(settings(SECRET), signed_headers(SECRET, "msg_1", body), body.encode())
    assert (event.id, event.event, event.whmcs_client_id, event.ids) == (
        "msg_1",
        "InvoicePaid",
        4711,
        {"invoice": 8801},
    )
    assert event.at == datetime(2026, 5, 3, 0, 15, tzinfo=UTC)
    assert event.source == "prod"


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_two_secrets_are_good_while_one_replaces_the_other(secret: str) -> None:
    body = json.dumps(EVENT).encode()
    assert verify(settings(SECRET, OTHER), signed(body, secret=secret), body).event == "InvoicePaid"


def test_any_other_signature_is_refused() -> None:
    body = json.dumps(EVENT).encode()
    good = signed(body)
    assert outcome(settings(OTHER), good, body) is HookSignatureWrong
    assert outcome(settings(SECRET), good, body + b" ") is HookSignatureWrong
    assert outcome(settings(SECRET), {**good, "Webhook-Id": "msg_other"}, body) is HookSignatureWrong
    for name in good:
        assert outcome(settings(SECRET), {key: good[key] for key in good if key != name}, body) is HookSignatureWrong


@pytest.mark.parametrize("seconds", [-330, 330])
def test_five_minutes_are_the_limit_to_either_side(seconds: int) -> None:
    body = json.dumps(EVENT).encode()
    assert outcome(settings(SECRET), signed(body, moved=timedelta(seconds=seconds)), body) is HookSignatureWrong
    nearly = timedelta(seconds=seconds * 0.8)
    assert verify(settings(SECRET), signed(body, moved=nearly), body).event == "InvoicePaid"


@pytest.mark.parametrize("none", [(), ("whsec_",), ("",)])
def test_without_a_secret_the_door_is_closed(none: tuple[str, ...]) -> None:
    body = json.dumps(EVENT).encode()
    assert outcome(settings(*none), signed(body), body) is HookSignatureWrong


def test_a_large_body_is_refused_before_anything_is_computed() -> None:
    body = b" " * (MAX_BYTES + 1)
    assert outcome(settings(SECRET), {}, body) is HookTooLarge


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary()
)
def test_no_rubbish_gets_in_or_crashes(headers: dict[str, str], body: bytes) -> None:
    assert outcome(settings(SECRET), headers, body) is HookSignatureWrong


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b"{",
        b"{}",
        json.dumps({**EVENT, "event": ""}).encode(),
        json.dumps({**EVENT, "event": ["InvoicePaid"]}).encode(),
        json.dumps({**EVENT, "ids": {"invoice": "x"}}).encode(),
        json.dumps({**EVENT, "ids": {"invoice": True}}).encode(),
        json.dumps({**EVENT, "whmcs_client_id": "x"}).encode(),
        json.dumps({**EVENT, "at": "yesterday"}).encode(),
        json.dumps({**EVENT, "at": "2026-05-03T09:15:00"}).encode(),
        b"[" * 10_000,
    ],
)
def test_what_is_signed_but_not_an_event_is_refused(body: bytes) -> None:
    assert outcome(settings(SECRET), signed(body), body) is HookRefused


@pytest.mark.parametrize(
    "extra", [{"whmcs_client_id": None}, {"ids": []}, {"ids": {}}, {"new": 1}, {"event": "NeverHeard"}]
)
def test_what_php_or_a_newer_hook_file_may_send_is_borne(extra: dict[str, Any]) -> None:
    body = json.dumps({**EVENT, **extra}).encode()
    event = verify(settings(SECRET), signed(body), body)
    assert event.whmcs_client_id in (4711, None)


def test_ids_may_come_as_text() -> None:
    body = json.dumps({**EVENT, "whmcs_client_id": "4711", "ids": {"invoice": "8801"}}).encode()
    event = verify(settings(SECRET), signed(body), body)
    assert (event.whmcs_client_id, event.ids) == (4711, {"invoice": 8801})
