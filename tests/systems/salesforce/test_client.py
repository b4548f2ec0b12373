"""The connection: token, dials, locks, limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from portico.customer import SfAccountId
from portico.errors import SetupWrong, SystemDown, SystemRefused, SystemSurprised
from portico.systems.http import deadline, only_looks
from portico.systems.salesforce.accounts import get_account
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.errors import CallsSpent, RowLocked
from portico.systems.salesforce.sf_id import normalized
from tests.systems.raw_server import answer, raw_server
from tests.systems.salesforce.stand_in import StandIn


@contextmanager
def looking() -> Iterator[None]:
    """As within a request that changes nothing."""
    token = only_looks.set(True)
    try:
        yield
    finally:
        only_looks.reset(token)


@pytest.fixture
def account_id(org: StandIn) -> SfAccountId:
    return SfAccountId(org.person("ready").sf_account_id)


async def test_ping_notes_the_calls_used(sf: Salesforce) -> None:
    await sf.ping()
    assert REGISTRY.get_sample_value("portico_salesforce_calls_allowed") == 100_000
    assert (REGISTRY.get_sample_value("portico_salesforce_calls_used") or 0) >= 1


async def test_over_tls_with_a_private_authority(org: StandIn) -> None:
    async with org.connection(tls=True) as sf:
        await sf.ping()
        assert (await sf.token.get()).instance_url.startswith("https://")


async def test_an_unknown_authority_is_not_trusted(org: StandIn) -> None:
    async with org.connection(tls=True, ca_path=None) as sf:
        with pytest.raises(SystemDown) as caught:
            await sf.ping()
    assert not caught.value.sent


async def test_a_hundred_calls_after_all_tokens_expired_cause_one_mint(
    org: StandIn, sf: Salesforce, account_id: SfAccountId
) -> None:
    await sf.ping()
    await org.press("expire-tokens")
    before = minted()
    accounts = await asyncio.gather(*(get_account(sf, account_id) for _ in range(100)))
    assert len(accounts) == 100
    assert minted() == before + 1


async def test_the_first_calls_share_one_mint(sf: Salesforce) -> None:
    before = minted()
    await asyncio.gather(*(sf.ping() for _ in range(20)))
    assert minted() == before + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "nobody"},
        {"username": "nobody@demo.example"},
        {"audience": "https://elsewhere.example"},
        {"private_key_path": Path("no-such-key.pem")},
        {"private_key_path": Path(__file__)},
    ],
)
async def test_wrong_credentials_are_an_operators_matter(org: StandIn, wrong: dict[str, Any]) -> None:
    async with org.connection(**wrong) as sf:
        with pytest.raises(SetupWrong) as caught:
            await sf.ping()
    assert caught.value.retry


async def test_a_refused_mint_is_not_asked_for_again_at_once(org: StandIn, sf: Salesforce) -> None:
    org.dial("refuse", "token", code="invalid_grant:user is locked")
    before = minted()
    for _ in range(5):
        with pytest.raises(SetupWrong, match="user is locked"):
            await sf.ping()
    assert minted() == before + 1


async def test_a_write_whose_token_could_not_be_had_was_not_sent(org: StandIn, sf: Salesforce) -> None:
    org.dial("down", "token")
    with pytest.raises(SystemDown) as caught:
        await sf.composite([], name="create Order")
    assert not caught.value.sent


async def test_a_waiting_mint_does_not_hold_a_request_past_its_deadline(org: StandIn, sf: Salesforce) -> None:
    org.dial("slow", "token", seconds=0.25)
    patient = asyncio.create_task(sf.ping())
    await asyncio.sleep(0)
    token = deadline.set(asyncio.get_running_loop().time() + 0.05)
    try:
        with pytest.raises(SystemDown) as caught:
            await sf.ping()
    finally:
        deadline.reset(token)
    assert not caught.value.sent
    await patient


async def test_the_secret_shows_nowhere(org: StandIn, sf: Salesforce) -> None:
    with capture_logs() as lines:
        await sf.ping()
        secret = (await sf.token.get()).secret
    assert secret not in repr(await sf.token.get())
    assert secret not in str(lines)
    assert len(lines) == 2


async def test_down_is_asked_again_and_then_said(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    org.dial("down", "query", times=1)
    assert (await get_account(sf, account_id)).id == account_id
    org.dial("down", "query")
    with pytest.raises(SystemDown):
        await get_account(sf, account_id)


async def test_an_html_page_is_down_as_well(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    org.dial("down", "query", code="html")
    with pytest.raises(SystemDown):
        await get_account(sf, account_id)


async def test_slow_ends_at_the_read_deadline(org: StandIn, account_id: SfAccountId) -> None:
    org.dial("slow", "query", seconds=5)
    async with org.connection(read_seconds=0.2) as sf:
        with pytest.raises(SystemDown):
            await get_account(sf, account_id)


async def test_an_internal_error_is_down(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    org.dial("error", "query")
    with pytest.raises(SystemDown, match="UNKNOWN_EXCEPTION"):
        await get_account(sf, account_id)


async def test_half_an_answer_is_a_surprise(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    org.dial("malformed", "query")
    with pytest.raises(SystemSurprised) as caught:
        await get_account(sf, account_id)
    assert caught.value.body


async def test_a_locked_row_is_tried_again(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    org.dial("refuse", "PATCH row", times=2, code="UNABLE_TO_LOCK_ROW")
    await sf.update("Account", account_id, {"Phone": "03-1111-2222"}, name="update Account")
    assert len(org.sandbox.ledger.lines("salesforce", "update Account")) == 1


async def test_a_row_locked_for_long_was_not_written(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    org.dial("refuse", "PATCH row", code="UNABLE_TO_LOCK_ROW")
    token = deadline.set(asyncio.get_running_loop().time() + 0.4)
    try:
        with pytest.raises(RowLocked) as caught:
            await sf.update("Account", account_id, {"Phone": "03-1111-2222"}, name="update Account")
    finally:
        deadline.reset(token)
    assert not caught.value.sent


async def test_spent_calls_were_not_made(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    org.dial("refuse", "query", times=1, code="REQUEST_LIMIT_EXCEEDED")
    with pytest.raises(CallsSpent) as caught:
        await get_account(sf, account_id)
    assert not caught.value.sent


async def test_once_the_calls_of_the_day_are_spent_no_more_go_out(org: StandIn, account_id: SfAccountId) -> None:
    spent = b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]'
    async with raw_server() as server:
        server.scripts = (answer(200, token_answer(server.url)), answer(403, spent))
        async with org.connection(login_url=server.url) as sf:
            with pytest.raises(CallsSpent):
                await get_account(sf, account_id)
            with looking(), pytest.raises(CallsSpent):
                await get_account(sf, account_id)
            assert len(server.heads) == 2
            with pytest.raises(CallsSpent):
                await get_account(sf, account_id)
    assert len(server.heads) == 3, "what acts goes out all the same: the day may have moved on"


async def test_the_last_calls_of_the_day_are_kept_for_what_acts(org: StandIn, account_id: SfAccountId) -> None:
    async with raw_server() as server, org.connection(login_url=server.url, spent_pause_seconds=0.0) as sf:
        ample, scarce = (answer(200, Sforce_Limit_Info=f"api-usage={used}/1000") for used in (899, 901))
        server.scripts = (answer(200, token_answer(server.url)), ample, scarce, scarce)
        with looking():
            for _ in range(2):
                await sf.ping()
            await sf.ping()  # one looks whether there are more again: it may at once, with a pause of nothing
        sf.budget._look_seconds = 60
        with looking():
            await sf.ping()
            with pytest.raises(CallsSpent) as caught:
                await sf.ping()
        assert not caught.value.sent
        await sf.ping()
    assert len(server.heads) == 6


async def test_a_secret_instead_of_a_key(org: StandIn) -> None:
    async with raw_server() as server:
        server.scripts = (answer(200, token_answer(server.url)), answer(200))
        async with org.connection(login_url=server.url, client_secret="not told", private_key_path=Path("/none")) as sf:
            await sf.ping()
    form = parse_qs(server.bodies[0].decode())
    assert form["grant_type"] == ["client_credentials"] and form["client_secret"] == ["not told"]


async def test_a_row_that_is_locked_for_long_is_written_once_it_is_free(
    org: StandIn, sf: Salesforce, account_id: SfAccountId
) -> None:
    org.dial("refuse", "PATCH row", times=6, code="UNABLE_TO_LOCK_ROW")
    await sf.update("Account", account_id, {"Phone": "03-1111-3333"}, name="update Account")
    assert len(org.ledger("update Account")) == 1


async def test_instance_and_user_are_taken_from_the_token_answer(org: StandIn) -> None:
    async with raw_server() as server:
        server.scripts = (answer(200, token_answer(server.url)), answer(200))
        async with org.connection(login_url=server.url) as sf:
            await sf.ping()
            token = await sf.token.get()
    assert (token.organization_id, token.user_id) == (normalized("00D5g00000000AA"), normalized("0055g00000000AA"))
    assert b"Authorization: Bearer secret" in server.heads[1]
    assert b"Sforce-Call-Options: client=portico" in server.heads[1]


@pytest.mark.parametrize("missing", ["id", "access_token", "instance_url"])
async def test_an_incomplete_token_answer_is_a_surprise(org: StandIn, missing: str) -> None:
    async with raw_server() as server:
        parts = json.loads(token_answer(server.url))
        parts.pop(missing)
        server.scripts = (answer(200, json.dumps(parts).encode()),)
        async with org.connection(login_url=server.url) as sf:
            with pytest.raises(SystemSurprised) as caught:
                await sf.ping()
    assert b"secret" not in caught.value.body


async def test_a_second_401_is_not_tried_a_third_time(org: StandIn) -> None:
    gone = b'[{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]'
    async with raw_server() as server:
        token, refused = answer(200, token_answer(server.url)), answer(401, gone)
        server.scripts = (token, refused, token, refused)
        async with org.connection(login_url=server.url) as sf:
            with pytest.raises(SetupWrong):
                await sf.ping()
    assert len(server.heads) == 4


async def test_pages_without_end_or_elsewhere_are_not_followed(org: StandIn, account_id: SfAccountId) -> None:
    elsewhere = b'{"done": false, "totalSize": 2, "records": [], "nextRecordsUrl": "http://elsewhere.example/"}'
    async with raw_server() as server:
        server.scripts = (answer(200, token_answer(server.url)), answer(200, elsewhere))
        async with org.connection(login_url=server.url) as sf:
            with pytest.raises(SystemSurprised):
                await get_account(sf, account_id)
    assert len(server.heads) == 2


def token_answer(origin: str) -> bytes:
    address = f"{origin}/id/00D5g00000000AA/0055g00000000AA"
    answered = {"access_token": "secret", "instance_url": origin, "id": address, "token_type": "Bearer"}
    return json.dumps(answered).encode()


async def test_a_dead_cursor_is_asked_from_the_start(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    org.dial("refuse", "query", times=1, code="INVALID_QUERY_LOCATOR")
    assert (await get_account(sf, account_id)).id == account_id


async def test_a_version_that_is_not_there_is_no_missing_record(org: StandIn, account_id: SfAccountId) -> None:
    async with org.connection(api_version="99.0") as sf:
        with pytest.raises((SetupWrong, SystemRefused)):
            await get_account(sf, account_id)


def minted() -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "portico_upstream_seconds"
        for sample in metric.samples
        if sample.name.endswith("_count") and sample.labels.get("call") == "token"
    )
