"""Linking when processes die, Salesforce is away and people hurry: one user, one mapping, Salesforce told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from portico.identity import linking
from portico.identity.audit import CHAIN_LOCK
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.identity import applying
from tests.identity.conftest import Process
from tests.identity.linkable import LINK, MISAKI, PASSWORD, SIGN_IN, TAKUMI, TRACES, login, number_at_whmcs

SIGN_UP = "/api/v1/auth/sign-up"


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    limits = {"IDENTITY_LINK_TRIES_PER_QUARTER": "100", "IDENTITY_LINK_TRIES_PER_QUARTER_OF_SOURCE": "100"}
    return read({**environment, **limits, "IDENTITY_LINK_WRONG_SECONDS": "0.05", "SALESFORCE_WRITE_SECONDS": "1.5"})


async def test_sixteen_tabs_of_one_person(process: Process, sandbox: SandboxControl) -> None:
    answers = await _at_once(process, [login()] * 16)
    assert Counter(status for status, _ in answers) == {200: 16}
    tokens = [document["token"] for _, document in answers]
    assert len(set(tokens)) == 16
    async with process.client() as client:
        bodies = [{"token": token, "new_password": f"{PASSWORD} {n}"} for n, token in enumerate(tokens)]
        set_by = await asyncio.gather(*(client.post("/api/v1/auth/password", json=body) for body in bodies))
        assert Counter(answer.status_code for answer in set_by) == {200: 1, 410: 15}
        winner = next(n for n, answer in enumerate(set_by) if answer.status_code == 200)
        right = await client.post(SIGN_IN, json={"email": MISAKI.email, "password": f"{PASSWORD} {winner}"})
        assert right.status_code == 200
    await _one_of_each(process, sandbox)


async def test_sixteen_tabs_that_bring_their_password(process: Process, sandbox: SandboxControl) -> None:
    answers = await _at_once(process, [login(new_password=PASSWORD)] * 16)
    statuses = Counter(status for status, _ in answers)
    assert statuses[201] == 1 and set(statuses) <= {201, 409, 410}, statuses
    await _one_of_each(process, sandbox)


async def test_two_people_with_one_number(process: Process, sandbox: SandboxControl) -> None:
    await number_at_whmcs(process.portal, TAKUMI, MISAKI.customer_number)
    answers = await _at_once(process, [login(MISAKI), login(TAKUMI)] * 8)
    (mapping,) = await process.rows("SELECT * FROM mappings")
    (user,) = await process.rows("SELECT * FROM users")
    assert mapping["user_id"] == user["id"] and mapping["sf_account_id"] == MISAKI.sf_account_id
    assert Counter(status for status, _ in answers) == {200: 8, 409: 8}
    assert {document["code"] for status, document in answers if status == 409} == {"already_registered"}


async def test_a_sign_up_and_a_link_for_one_account(process: Process, sandbox: SandboxControl) -> None:
    """Whoever is first wins; the other is refused before anything was made for it."""
    await number_at_whmcs(process.portal, MISAKI, applying.HINA.customer_number)
    async with process.client() as client:
        sign_ups = [client.post(SIGN_UP, json=applying.api_body()) for _ in range(4)]
        answers = await asyncio.gather(*sign_ups, *(client.post(LINK, json=login()) for _ in range(4)))
    await process.finish_sign_ups()
    (mapping,) = await process.rows("SELECT * FROM mappings")
    assert mapping["sf_account_id"] == applying.HINA.sf_account_id
    made = await sandbox.ledger("whmcs", "AddClient")
    linked = mapping["whmcs_client_id"] == MISAKI.whmcs_client_id
    assert len(made) == (0 if linked else 1)
    assert {row["state"] for row in await process.rows("SELECT state FROM sign_ups")} <= {"done", "joined"}
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 409}


async def test_a_sign_up_under_way_comes_first(process: Process, sandbox: SandboxControl) -> None:
    await number_at_whmcs(process.portal, MISAKI, applying.HINA.customer_number)
    await sandbox.dial("whmcs", "error", call="AddClient", times=1)
    async with process.client() as client:
        assert (await client.post(SIGN_UP, json=applying.api_body())).status_code == 202
        answer = await client.post(LINK, json=login())
    assert (answer.status_code, answer.json()["code"]) == (409, "already_registered")
    assert await process.rows("SELECT * FROM users") == []


async def test_killed_while_salesforce_is_asked(process: Process, sandbox: SandboxControl) -> None:
    await sandbox.dial("salesforce", "slow", call="query", seconds=20)
    with _another_process() as victim:
        await until(lambda: sandbox.ledger("whmcs", "ValidateLogin"))
        victim.kill()
    assert (await process.rows(TRACES))[0]["n"] == 0
    await sandbox.undial()
    await _links_well(process, sandbox)


async def test_killed_within_its_transaction(process: Process, sandbox: SandboxControl) -> None:
    """The chain of the audit log is held: the process stands right before its commit."""
    async with process.portal.db.begin() as tx:
        await tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({CHAIN_LOCK})")
        with _another_process() as victim:
            waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            await until(lambda: _has_row(tx, waiting))
            victim.kill()
    assert (await process.rows(TRACES))[0]["n"] == 0
    await _links_well(process, sandbox)


async def test_killed_before_salesforce_is_told(process: Process, sandbox: SandboxControl) -> None:
    with _another_process() as victim:
        assert await asyncio.to_thread(victim.wait, 20) == 0  # it ends without ever having run a job
    assert [row["state"] for row in await process.rows("SELECT state FROM links")] == ["joined"]
    assert await linking.sweep(process.portal) == 0  # its own job has half a minute
    process.portal.clock.move_to(31)
    assert await linking.sweep(process.portal) == 1
    assert await linking.sweep(process.portal) == 0  # it has a job
    await process.finish_links()
    await _links_well(process, sandbox)


async def test_killed_after_salesforce_was_told(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        assert (await client.post(LINK, json=login())).status_code == 200
    (row,) = await process.rows("SELECT id FROM links")
    await sandbox.dial("salesforce", "commit_then_hang", times=1, call="PATCH row")
    with _another_process(str(row["id"])) as victim:
        await until(lambda: sandbox.ledger("salesforce"))
        victim.kill()
    assert [row["state"] for row in await process.rows("SELECT state FROM links")] == ["joined"]
    await process.finish_links()
    assert [row["state"] for row in await process.rows("SELECT state FROM links")] == ["done"]
    assert {line["reference"] for line in await sandbox.ledger("salesforce")} == {MISAKI.sf_account_id}
    await _links_well(process, sandbox)


async def test_salesforce_is_told_once_it_is_back(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        assert (await client.post(LINK, json=login(new_password=PASSWORD))).status_code == 201
        await sandbox.dial("salesforce", "error")
        await process.finish_links()
        (row,) = await process.rows("SELECT * FROM links")
        assert (row["state"], row["tries"]) == ("joined", 1)
        assert (await client.get("/api/v1/me")).status_code == 200
        await sandbox.undial()
        await process.finish_links()
    await _one_of_each(process, sandbox)


async def test_old_links_are_forgotten(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        assert (await client.post(LINK, json=login())).status_code == 200
    await process.finish_links()
    process.portal.clock.move_to(8 * 24 * 3600)
    await linking.sweep(process.portal)
    assert await process.rows("SELECT user_id FROM links UNION ALL SELECT user_id FROM password_links") == []
    assert len(await process.rows("SELECT * FROM mappings")) == 1


async def _at_once(process: Process, bodies: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    async with process.client() as client:
        answers = await asyncio.gather(*(client.post(LINK, json=body) for body in bodies))
    return [(answer.status_code, answer.json()) for answer in answers]


async def _links_well(process: Process, sandbox: SandboxControl) -> None:
    """Whatever happened: the person comes again, and all is well."""
    async with process.client() as client:
        answer = await client.post(LINK, json=login(new_password=PASSWORD))
        assert answer.status_code == 201, answer.text
        assert (await client.get("/api/v1/me")).status_code == 200
    await _one_of_each(process, sandbox, most_told=2)


async def _one_of_each(process: Process, sandbox: SandboxControl, most_told: int = 1) -> None:
    await process.finish_links()
    (mapping,) = await process.rows("SELECT * FROM mappings")
    (user,) = await process.rows("SELECT * FROM users")
    assert (mapping["user_id"], mapping["whmcs_client_id"]) == (user["id"], MISAKI.whmcs_client_id)
    assert mapping["sf_account_id"] == MISAKI.sf_account_id
    assert [row["state"] for row in await process.rows("SELECT state FROM links")] == ["done"]
    told = await sandbox.ledger("salesforce")
    assert 1 <= len(told) <= most_told and {line["reference"] for line in told} == {MISAKI.sf_account_id}
    assert await sandbox.ledger("whmcs", "AddClient") == []


async def _has_row(tx: Any, query: str) -> bool:
    return (await tx.exec_driver_sql(query)).first() is not None


def _another_process(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.identity.link_process", *arguments])
