"""Sign-up when answers are lost, processes die and people hurry: one client, one user, nothing half."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from typing import Any

import msgspec
import pytest

from portico.creation import carry_out, creation_of
from portico.identity import sign_up as signing_up
from portico.identity.billing_accounts import recipe_for
from portico.identity.fields import Application, checked
from portico.identity.saga import sign_up_of, sweep
from portico.identity.visitors import Visitor
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.identity.applying import EMMA, HINA, PASSWORD, api_body, form_fields
from tests.identity.conftest import Process

SIGN_UP = "/api/v1/auth/sign-up"
VISITOR = Visitor("127.0.0.1", "test", "en")


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    """Impatient, so that a lost answer is soon noticed and a dead process's claim soon free."""
    return read({**environment, "WHMCS_WRITE_SECONDS": "1.5", "CREATION_LEASE_SECONDS": "3"})


async def test_a_lost_answer_of_addclient_ends_adopted(process: Process, sandbox: SandboxControl) -> None:
    await sandbox.dial("whmcs", "commit_then_hang", call="AddClient", times=1)
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=api_body())
        assert answer.status_code == 202, answer.text
        operation = answer.json()["operation_id"]
        assert answer.json()["status_url"] == f"/api/v1/operations/{operation}"
        page = await process.browser().visit(f"/sign-up/{operation}", expect=202)
        assert "do not sign up again" in page.text
        await _finished(process)
        page = await process.browser().visit(f"/sign-up/{operation}")
        assert page.headings == ["Your account is ready"]
        entered = await client.post("/api/v1/auth/sign-in", json={"email": HINA.email, "password": PASSWORD})
        assert entered.status_code == 200
    await _one_of_each(process, sandbox)


async def test_the_page_leads_to_where_it_stands(process: Process, sandbox: SandboxControl) -> None:
    await sandbox.dial("whmcs", "commit_then_hang", call="AddClient", times=1)
    answer = await process.browser().post("/sign-up", **form_fields())
    assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-up/")


@pytest.mark.parametrize("mode", ["down", "malformed", "error"])
async def test_other_unclear_answers_end_with_one_client(process: Process, sandbox: SandboxControl, mode: str) -> None:
    await sandbox.dial("whmcs", mode, call="AddClient", times=1)
    async with process.client() as client:
        assert (await client.post(SIGN_UP, json=api_body())).status_code == 202
    await _finished(process)
    await _one_of_each(process, sandbox)


async def test_the_same_person_again_meets_the_same_sign_up(process: Process, sandbox: SandboxControl) -> None:
    await sandbox.dial("whmcs", "commit_then_hang", call="AddClient", times=1)
    async with process.client() as client:
        first = (await client.post(SIGN_UP, json=api_body())).json()
        again = await client.post(SIGN_UP, json=api_body())
        assert again.status_code in (201, 202)
        assert again.json().get("operation_id", first["operation_id"]) == first["operation_id"]
        other = await client.post(SIGN_UP, json=api_body(password="another long password"))
        assert (other.status_code, other.json()["code"]) == (409, "already_registered")
    await _finished(process)
    await _one_of_each(process, sandbox)


async def test_a_refusal_after_the_answer_was_lost_is_told_by_mail(process: Process, sandbox: SandboxControl) -> None:
    await sandbox.dial("whmcs", "error", call="AddClient", times=1)
    async with process.client() as client:
        operation = (await client.post(SIGN_UP, json=api_body())).json()["operation_id"]
        await sandbox.dial("whmcs", "refuse", call="AddClient", code="A user already exists with that email address")

        async def is_refused() -> bool:
            await process.finish_sign_ups()
            (row,) = await process.rows("SELECT state FROM sign_ups")
            return bool(row["state"] == "refused")

        await until(is_refused)
        page = await process.browser().visit(f"/sign-up/{operation}")
        assert page.headings == ["Your sign-up did not work"]
        (mail,) = await process.rows("SELECT * FROM mails")
        assert "already an account" in mail["body"]
        await sandbox.undial()
        assert (await client.post(SIGN_UP, json=api_body())).status_code == 201
    assert len(await sandbox.ledger("whmcs", "AddClient")) == 1


async def test_a_process_killed_while_addclient_hangs(process: Process, sandbox: SandboxControl) -> None:
    await sandbox.dial("whmcs", "commit_then_hang", call="AddClient", times=1)
    with _another_process() as victim:
        await until(lambda: sandbox.ledger("whmcs", "AddClient"))
        victim.kill()
    (row,) = await process.rows("SELECT state FROM sign_ups")
    assert row["state"] == "creating" and await process.rows("SELECT * FROM users") == []
    await _finished(process)
    await _one_of_each(process, sandbox)


async def test_a_process_killed_before_its_intent_leaves_nothing(process: Process, sandbox: SandboxControl) -> None:
    await sandbox.dial("whmcs", "slow", call="GetUsers", seconds=20)
    with _another_process() as victim:
        # Its first copy in Redis says that it is past Salesforce and on its way to WHMCS.
        await until(lambda: _has_asked_salesforce(process))
        victim.kill()
    assert await process.rows("SELECT * FROM sign_ups") == []
    assert await sandbox.ledger("whmcs") == []


@pytest.mark.parametrize("stage", ["intended", "created"])
async def test_a_process_that_died_between_two_stages(process: Process, sandbox: SandboxControl, stage: str) -> None:
    portal = process.portal
    account = (await signing_up.account_by_number(portal, HINA.customer_number)).value
    assert account is not None
    application = checked(_application(), least_password=10, personal_required=True)
    sign_up_id = await signing_up._begin(portal, account, application, "ja")
    if stage == "created":
        async with portal.db.begin() as tx:
            begun = await sign_up_of(tx, sign_up_id)
            assert begun is not None and begun.creation_id is not None
            creation = await creation_of(tx, begun.creation_id)
        await carry_out(portal, creation.id, recipe_for(portal, creation, begun.email, begun.details))
    await _finished(process)
    await _one_of_each(process, sandbox)


async def test_the_sweep_finds_what_nobody_carries_on(process: Process, sandbox: SandboxControl) -> None:
    await sandbox.dial("whmcs", "commit_then_hang", call="AddClient", times=1)
    async with process.client() as client:
        assert (await client.post(SIGN_UP, json=api_body())).status_code == 202
    assert await sweep(process.portal) == 0  # its own safety net is not due yet
    process.portal.clock.move_to(60)
    assert await sweep(process.portal) == 1
    assert await sweep(process.portal) == 0  # it has a job


async def test_sixteen_people_with_one_number(process: Process, sandbox: SandboxControl) -> None:
    bodies = [api_body(email=f"person{n}@mail.example") for n in range(16)]
    answers = await _at_once(process, bodies)
    assert Counter(status for status, _ in answers) == {201: 1, 409: 15}
    assert {code for status, code in answers if status == 409} == {"already_registered"}
    await _finished(process)
    await _one_of_each(process, sandbox)


async def test_sixteen_clicks_of_one_person(process: Process, sandbox: SandboxControl) -> None:
    answers = await _at_once(process, [api_body()] * 16)
    assert {status for status, _ in answers} <= {201, 202, 409} and 201 in {status for status, _ in answers}
    await _finished(process)
    await _one_of_each(process, sandbox)


async def test_one_address_with_two_numbers_at_once(process: Process, sandbox: SandboxControl) -> None:
    answers = await _at_once(process, [api_body(), api_body(EMMA, email=HINA.email)] * 4)
    accounts = await process.rows("SELECT sf_account_id, whmcs_client_id FROM mappings")
    assert len(accounts) == 1 and 201 in {status for status, _ in answers}
    assert {code for status, code in answers if status == 409} <= {"email_taken", "already_registered"}
    assert len(await sandbox.ledger("whmcs", "AddClient")) == 1


async def test_a_burst_of_wrong_numbers_gets_five_answers(process: Process, sandbox: SandboxControl) -> None:
    bodies = [api_body(customer_number=f"CN-00000{n}") for n in range(10)]
    answers = Counter(code for _, code in await _at_once(process, bodies))
    assert answers == {"customer_number_unknown": 5, "too_many_tries": 5}


async def _at_once(process: Process, bodies: list[dict[str, Any]]) -> list[tuple[int, str]]:
    async with process.client() as client:
        answers = await asyncio.gather(*(client.post(SIGN_UP, json=body) for body in bodies))
    return [(answer.status_code, answer.json().get("code", "")) for answer in answers]


async def _finished(process: Process) -> None:
    """What the jobs do, until every sign-up is done."""

    async def are_done() -> bool:
        await process.finish_sign_ups()
        rows = await process.rows("SELECT state FROM sign_ups")
        return {row["state"] for row in rows} == {"done"}

    await until(are_done)


async def _one_of_each(process: Process, sandbox: SandboxControl) -> None:
    (made,) = await sandbox.ledger("whmcs", "AddClient")
    (mapping,) = await process.rows("SELECT * FROM mappings")
    (user,) = await process.rows("SELECT * FROM users")
    assert str(mapping["whmcs_client_id"]) == made["reference"]
    assert (mapping["user_id"], mapping["sf_account_id"]) == (user["id"], HINA.sf_account_id)
    assert [line["reference"] for line in await sandbox.ledger("salesforce")] == [HINA.sf_account_id]
    assert [mail["key"] for mail in await process.rows("SELECT key FROM mails")] == [f"welcome:{user['id']}"]


async def _has_asked_salesforce(process: Process) -> bool:
    copies = process.portal.cache._copies
    return copies is not None and bool(await copies._redis.keys("*customer_number*"))


def _another_process() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-m", "tests.identity.sign_up_process"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(asdict(_application())))
    process.stdin.close()
    return process


def _application() -> Application:
    typed = {name.removeprefix("address."): value for name, value in form_fields().items()}
    return Application(**typed)
