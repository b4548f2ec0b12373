"""Linking at the front door: what it makes, each refusal with its words, and what it must not tell or keep."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import structlog
from sqlalchemy import text

from portico.identity.audit import first_broken
from portico.settings import Settings
from portico_sandbox.world_types import Person
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.identity.conftest import Process, Start
from tests.identity.linkable import (
    AOI,
    CHLOE,
    LINK,
    MISAKI,
    NOAH,
    PASSWORD,
    RIN,
    SIGN_IN,
    SOFIA,
    SOTA,
    TAKUMI,
    TRACES,
    another_client,
    login,
    number_at_whmcs,
)


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, "IDENTITY_LINK_WRONG_SECONDS": "0.05"})


async def test_by_the_pages(process: Process, sandbox: SandboxControl) -> None:
    browser = process.browser()
    page = await browser.visit("/link")
    choose = await browser.submit(page, "/link", email=f" {MISAKI.email.upper()} ", password=MISAKI.password)
    assert urlsplit(choose.url).path == "/password/new"
    assert choose.headings == ["Choose your portal password"] and MISAKI.email in choose.text
    assert choose.response.headers["referrer-policy"] == "no-referrer"
    weak = await browser.submit(choose, "/password/new", expect=422, new_password="short")
    answer = await browser.post("/password/new", **{**weak.form("/password/new").values, "new_password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/home")
    me = (await browser.client.get("/api/v1/me")).json()
    assert (me["email"], me["display_name"]) == (MISAKI.email, "中村 美咲")
    assert (me["whmcs_client_id"], me["sf_account_id"]) == ("4001", MISAKI.sf_account_id)
    for path in ("/link", "/"):
        assert (await browser.client.get(path)).headers["location"] == "/home"
    (mail,) = await process.rows("SELECT * FROM mails")
    assert mail["recipient"] == MISAKI.email and "Welcome" in mail["subject"]


async def test_by_the_api_in_one_call(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        answer = await client.post(LINK, json=login(new_password=PASSWORD))
        assert answer.status_code == 201, answer.text
        me = (await client.get("/api/v1/me")).json()
        assert answer.json() == {"user_id": me["user_id"], "email": MISAKI.email}
    await _told(process, sandbox, MISAKI)


async def test_by_the_api_in_two_calls(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        answer = await client.post(LINK, json=login())
        assert (answer.status_code, answer.json()["state"]) == (200, "password_required"), answer.text
        assert (await client.get("/api/v1/me")).status_code == 401
        body = {"token": answer.json()["token"], "new_password": PASSWORD}
        done = await client.post("/api/v1/auth/password", json=body)
        assert done.status_code == 200, done.text
        assert (await client.get("/api/v1/me")).json()["email"] == MISAKI.email
        again = await client.post("/api/v1/auth/password", json=body)
        assert (again.status_code, again.json()["code"]) == (410, "password_link_wrong")
    await _told(process, sandbox, MISAKI)
    async with process.portal.db.begin() as tx:
        assert await first_broken(tx) is None


async def test_until_the_password_is_set_they_link_again_and_nothing_else(
    process: Process, sandbox: SandboxControl
) -> None:
    async with process.client() as client:
        first = await client.post(LINK, json=login())
        whmcs = await client.post(SIGN_IN, json={"email": MISAKI.email, "password": MISAKI.password})
        nobody = await client.post(SIGN_IN, json={"email": "nobody@mail.example", "password": MISAKI.password})
        assert whmcs.status_code == nobody.status_code == 401
        assert {**whmcs.json(), "trace_id": ""} == {**nobody.json(), "trace_id": ""}
        await process.finish_links()  # Salesforce says Active now
        again = await client.post(LINK, json=login())
        assert (again.status_code, again.json()["state"]) == (200, "password_required"), again.text
        assert again.json()["token"] != first.json()["token"]
        body = {"token": again.json()["token"], "new_password": PASSWORD}
        assert (await client.post("/api/v1/auth/password", json=body)).status_code == 200
        assert await process.rows("SELECT * FROM password_links") == []
        taken = await client.post(LINK, json=login())
        assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")
    assert len(await process.rows("SELECT * FROM users")) == 1


async def test_an_english_name_and_the_language_of_the_page(process: Process, sandbox: SandboxControl) -> None:
    async with process.client(**{"accept-language": "ja"}) as client:
        assert (await client.post(LINK, json=login(NOAH))).status_code == 200
    (user,) = await process.rows("SELECT * FROM users")
    assert (user["display_name"], user["language"], user["password_hash"]) == ("Noah Berg", "ja", None)


REFUSED: list[tuple[Person, str, str]] = [
    (AOI, "second_factor_elsewhere", "sign up with your customer number"),
    (CHLOE, "customer_number_unmatched", "Contact support"),
    (SOTA, "customer_number_missing", "Contact support"),
    (RIN, "already_registered", "Sign in instead"),
    (SOFIA, "billing_account_closed", "contact support"),
]


@pytest.mark.parametrize(("person", "code", "words"), REFUSED)
async def test_a_refusal_says_the_way_out_and_leaves_nothing(
    process: Process, sandbox: SandboxControl, person: Person, code: str, words: str
) -> None:
    async with process.client() as client:
        answer = await client.post(LINK, json=login(person))
    assert (answer.status_code, answer.json()["code"]) == (409, code), answer.text
    browser = process.browser()
    page = await browser.submit(
        await browser.visit("/link"), "/link", expect=409, email=person.email, password=person.password
    )
    assert words in page.text and page.form("/link").values == {"email": person.email, "password": ""}
    assert any(link.startswith("mailto:") or link.endswith("/sign-in") for link in page.links)
    await _untouched(process, sandbox)


async def test_an_address_with_another_portal_account(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        assert (await client.post(LINK, json=login(NOAH))).status_code == 200
        await process.rows("UPDATE users SET email = :email RETURNING id", email=MISAKI.email)
        answer = await client.post(LINK, json=login(MISAKI))
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert len(await process.rows("SELECT * FROM users")) == 1


async def test_a_number_that_somebody_else_was_linked_with(process: Process, sandbox: SandboxControl) -> None:
    await number_at_whmcs(process.portal, TAKUMI, MISAKI.customer_number)
    async with process.client() as client:
        assert (await client.post(LINK, json=login(MISAKI))).status_code == 200
        answer = await client.post(LINK, json=login(TAKUMI))
    assert (answer.status_code, answer.json()["code"]) == (409, "already_registered")
    assert len(await process.rows("SELECT * FROM mappings")) == 1


async def test_several_accounts_of_one_owner(process: Process, sandbox: SandboxControl) -> None:
    """The customer number decides; two that fit are not guessed between."""
    await another_client(process.portal, MISAKI, CHLOE.customer_number)
    await another_client(process.portal, NOAH, TAKUMI.customer_number)
    async with process.client() as client:
        one, two = await client.post(LINK, json=login(MISAKI)), await client.post(LINK, json=login(NOAH))
    assert one.status_code == 200, one.text
    assert (two.status_code, two.json()["code"]) == (409, "billing_account_unclear")
    (mapping,) = await process.rows("SELECT * FROM mappings")
    assert mapping["whmcs_client_id"] == MISAKI.whmcs_client_id


async def test_a_number_typed_in_full_width_is_the_same(process: Process, sandbox: SandboxControl) -> None:
    await number_at_whmcs(process.portal, SOTA, " ｃｎ－１００２０１ ")
    await number_at_whmcs(process.portal, CHLOE, "x' OR Name != '")
    async with process.client() as client:
        assert (await client.post(LINK, json=login(SOTA))).status_code == 200
        assert (await client.post(LINK, json=login(CHLOE))).json()["code"] == "customer_number_unmatched"
    (mapping,) = await process.rows("SELECT * FROM mappings")
    assert mapping["sf_account_id"] == MISAKI.sf_account_id


async def test_empty_and_endless_fields_are_named_and_not_counted(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        empty = await client.post(LINK, json={})
        endless = await client.post(LINK, json={"email": "a" * 300, "password": "x" * 600})
        weak = await client.post(LINK, json=login(new_password="short"))
    assert [fault["pointer"] for fault in empty.json()["errors"]] == ["/email", "/password"]
    assert [fault["pointer"] for fault in endless.json()["errors"]] == ["/email", "/password"]
    assert [fault["pointer"] for fault in weak.json()["errors"]] == ["/new_password"]
    assert await process.rows("SELECT * FROM throttles") == []
    await _untouched(process, sandbox)


@pytest.mark.parametrize("system", ["whmcs", "salesforce"])
@pytest.mark.parametrize("mode", ["down", "error", "malformed"])
async def test_while_a_system_is_down_nothing_is_changed(
    process: Process, sandbox: SandboxControl, start: Start, settings: Settings, system: str, mode: str
) -> None:
    await sandbox.dial(system, mode)
    async with process.client() as client:
        answer = await client.post(LINK, json=login())
        assert answer.status_code in (502, 503) and "Nothing was changed" in answer.json()["detail"], answer.text
        page = await process.browser().post("/link", **login())
        assert page.status_code == answer.status_code and "Nothing was changed" in page.text
    await _untouched(process, sandbox)
    await sandbox.undial()
    async with start(settings) as fresh, fresh.client() as client:  # the other's breaker is open for a while
        assert (await client.post(LINK, json=login())).status_code == 200


async def test_known_and_unknown_addresses_read_alike(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        answers = [
            await client.post(LINK, json={"email": email, "password": "not this one"})
            for email in (MISAKI.email, AOI.email, "nobody@mail.example")
        ]
    documents = [{**answer.json(), "trace_id": ""} for answer in answers]
    assert documents[0] == documents[1] == documents[2] and documents[0]["code"] == "sign_in_wrong"
    assert {answer.status_code for answer in answers} == {401}
    await _untouched(process, sandbox)


async def test_known_and_unknown_addresses_take_as_long(
    environment: dict[str, str], read: ReadSettings, start: Start, sandbox: SandboxControl
) -> None:
    """Also where WHMCS itself is slower for who it knows."""
    settings = read({**environment, "IDENTITY_LINK_WRONG_SECONDS": "0.5"})
    known, unknown = [], []
    async with start(settings) as process:
        for n in range(5):
            unknown.append(await _seconds(process, f"nobody{n}@mail.example", n))
            await sandbox.dial("whmcs", "slow", call="ValidateLogin", seconds=0.2, times=1)
            known.append(await _seconds(process, MISAKI.email, n))
    assert 0.8 < min(known) / min(unknown) < 1.25, "the quickest: other load only adds"


async def test_five_tries_of_one_address_reach_whmcs(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client, process.client("192.0.2.9") as elsewhere:
        wrong = [login(password=f"wrong {n}") for n in range(8)]
        answers = await asyncio.gather(*(client.post(LINK, json=body) for body in wrong))
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 3
        right = await elsewhere.post(LINK, json=login())
        assert (right.status_code, right.json()["code"]) == (429, "too_many_tries")
        assert 0 < int(right.headers["retry-after"]) <= 900 and "minutes" in right.json()["detail"]
        assert await sandbox.ledger("whmcs", "ValidateLogin") == []
        assert (await elsewhere.post(LINK, json=login(NOAH))).status_code == 200
        process.portal.clock.move_to(16 * 60)
        assert (await elsewhere.post(LINK, json=login())).status_code == 200


async def test_right_tries_count_as_well(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        codes = [(await client.post(LINK, json=login())).status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]
    assert len(await sandbox.ledger("whmcs", "ValidateLogin")) == 5


async def test_one_source_and_all_together_are_limited(
    environment: dict[str, str], read: ReadSettings, start: Start, sandbox: SandboxControl
) -> None:
    limits = {"IDENTITY_LINK_TRIES_PER_QUARTER_OF_SOURCE": "3", "IDENTITY_LINK_TRIES_PER_QUARTER_IN_ALL": "5"}
    settings = read({**environment, **limits, "IDENTITY_LINK_WRONG_SECONDS": "0.05"})
    async with start(settings) as process:
        assert await _tries(process, "192.0.2.1", 4) == [401, 401, 401, 429]
        assert await _tries(process, "192.0.2.2", 3) == [401, 401, 429]


async def test_the_password_of_whmcs_is_kept_nowhere(process: Process, sandbox: SandboxControl) -> None:
    secret = MISAKI.password
    with structlog.testing.capture_logs() as lines:
        async with process.client() as client:
            assert (await client.post(LINK, json=login(AOI))).status_code == 409
            assert (await client.post(LINK, json=login(password=f"{secret}!"))).status_code == 401
            assert (await client.post(LINK, json=login())).status_code == 200
            await sandbox.dial("whmcs", "malformed", call="ValidateLogin")
            assert (await client.post(LINK, json=login())).status_code == 502
    assert lines and not any(word in str(lines) for word in (secret, AOI.password, "passwordhash"))
    assert secret not in await _everything(process)


async def _told(process: Process, sandbox: SandboxControl, person: Person) -> None:
    """Salesforce knows, once; WHMCS was changed in nothing."""
    await process.finish_links()
    await process.finish_links()
    (line,) = await sandbox.ledger("salesforce")
    assert line["reference"] == person.sf_account_id
    (row,) = await process.rows("SELECT * FROM links")
    assert (row["state"], row["customer_number"]) == ("done", person.customer_number)
    assert {line["effect"] for line in await sandbox.ledger("whmcs")} <= {"ValidateLogin"}


async def _untouched(process: Process, sandbox: SandboxControl) -> None:
    assert (await process.rows(TRACES))[0]["n"] == 0
    assert {line["effect"] for line in await sandbox.ledger()} <= {"ValidateLogin"}


async def _tries(process: Process, source: str, count: int) -> list[int]:
    async with process.client(source) as client:
        bodies: list[dict[str, Any]] = [{"email": f"{n}@{source}.example", "password": "x"} for n in range(count)]
        return [(await client.post(LINK, json=body)).status_code for body in bodies]


async def _seconds(process: Process, email: str, n: int) -> float:
    async with process.client(f"198.51.100.{n}") as client:
        began = time.perf_counter()
        answer: httpx2.Response = await client.post(LINK, json={"email": email, "password": "not this one"})
        assert answer.status_code == 401
        return time.perf_counter() - began


async def _everything(process: Process) -> str:
    """All rows of all our tables and jobs, as text."""
    async with process.portal.db.begin() as tx:
        tables = (await tx.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))).scalars()
        found = [(await tx.execute(text(f"SELECT t::text FROM {table} t"))).scalars().all() for table in list(tables)]
    return str(found)
