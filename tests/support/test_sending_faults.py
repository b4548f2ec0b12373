"""Whatever is pressed twice, hangs or dies: one case, one message, and the customer hears of it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from portico.support.delivery import LOOK_AFTER_SECONDS, resume, sweep
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.support.asking import QUESTION, Asker, case_of, opened, said


async def test_a_double_click_is_one_case(alice: Asker, sandbox: SandboxControl) -> None:
    form = (await alice.browser.visit("/support/new")).form("/support/new")
    values = {**form.values, **QUESTION}
    answers = await asyncio.gather(*(alice.browser.post("/support/new", **values) for _ in range(4)))
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(await opened(sandbox)) == 1
    edited = await alice.browser.post("/support/new", **{**values, "description": "Something else"})
    assert edited.headers["location"] != answers[0].headers["location"]
    assert len(await opened(sandbox)) == 2


async def test_an_idempotency_key_is_one_case(alice: Asker, sandbox: SandboxControl) -> None:
    key = {"idempotency-key": "same"}
    calls = (alice.api.post("/api/v1/cases", json=QUESTION, headers=key) for _ in range(4))
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await opened(sandbox)) == 1
    other = await alice.api.post("/api/v1/cases", json={**QUESTION, "subject": "Other"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_double_click_is_one_message(alice: Asker, sandbox: SandboxControl) -> None:
    case_id = await alice.asks()
    action = f"/support/{case_id}/messages"
    token = (await alice.browser.visit(f"/support/{case_id}")).form(action).values["token"]
    await asyncio.gather(*(alice.browser.post(action, token=token, text="Hello?") for _ in range(4)))
    assert len(await said(sandbox)) == 1


@pytest.mark.parametrize("mode", ["commit_then_hang", "malformed"])
async def test_an_unknown_outcome_has_a_face_and_one_case(alice: Asker, sandbox: SandboxControl, mode: str) -> None:
    await sandbox.dial("salesforce", mode, call="POST row", times=1)
    page = await alice.sends(expect=202)
    assert "Please do not repeat it" in page.text
    assert "In Shibuya." in page.text
    [waiting] = await alice.creations()
    assert page.url.endswith(f"/support/pending-{waiting['id']}")
    assert "We are finishing your question" in (await alice.browser.visit("/support")).text
    await _carry_on(alice)
    [made] = await opened(sandbox)
    arrived = await alice.browser.visit(f"/support/pending-{waiting['id']}")
    assert case_of(arrived) == made["reference"]
    mail = await _mail_to(alice, "received")
    assert f"/support/{made['reference']}" in mail["body"]
    again = await alice.browser.visit("/support")
    assert "We are finishing" not in again.text


async def test_what_was_certainly_not_sent_leaves_nothing_behind(alice: Asker, sandbox: SandboxControl) -> None:
    await sandbox.dial("salesforce", "refuse", call="POST row", code="REQUEST_LIMIT_EXCEEDED", times=1)
    page = await alice.sends(expect=503)
    assert "Your question was not sent" in page.text
    assert await alice.creations() == []
    assert "We are finishing" not in (await alice.browser.visit("/support")).text
    case_of(await alice.browser.submit(page, "/support/new", **QUESTION))
    assert len(await opened(sandbox)) == 1


async def test_by_api_an_unknown_outcome_is_an_operation(alice: Asker, sandbox: SandboxControl) -> None:
    await sandbox.dial("salesforce", "commit_then_hang", call="POST row", times=1)
    key = {"idempotency-key": "lost"}
    answer = await alice.api.post("/api/v1/cases", json=QUESTION, headers=key)
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    address = answer.json()["status_url"]
    assert (await alice.api.get(address)).json()["state"] == "running"
    await _carry_on(alice)
    done = (await alice.api.get(address)).json()
    assert done["state"] == "done"
    again = await alice.api.post("/api/v1/cases", json=QUESTION, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, done["case_id"])
    assert len(await opened(sandbox)) == 1


async def test_an_operation_is_its_owners(alice: Asker, ken: Asker, sandbox: SandboxControl) -> None:
    await sandbox.dial("salesforce", "commit_then_hang", call="POST row", times=1)
    answer = await alice.api.post("/api/v1/cases", json=QUESTION)
    operation_id = answer.json()["operation_id"]
    assert (await ken.api.get(f"/api/v1/operations/{operation_id}")).status_code == 404
    await ken.browser.visit(f"/support/pending-{operation_id}", expect=404)


async def test_a_case_that_is_there_is_never_answered_with_an_error(alice: Asker, sandbox: SandboxControl) -> None:
    """Made, but it can't be read back: an error would have the caller open another."""
    await sandbox.dial("salesforce", "slow", call="POST row", times=1, seconds=0.3)
    call = asyncio.create_task(alice.api.post("/api/v1/cases", json=QUESTION))
    await until(lambda: _made(alice))
    await sandbox.dial("salesforce", "down", call="query")
    answer = await call
    assert answer.status_code == 202
    await sandbox.undial()
    assert (await alice.api.get(answer.json()["status_url"])).json()["case_id"]


async def test_a_message_with_an_unknown_outcome_is_found_by_its_words(alice: Asker, sandbox: SandboxControl) -> None:
    case_id = await alice.asks()
    action = f"/support/{case_id}/messages"
    page = await alice.browser.visit(f"/support/{case_id}")
    await alice.browser.submit(page, action, text="Thanks")  # the same words, said before
    await sandbox.dial("salesforce", "commit_then_hang", call="POST row", times=1)
    page = await alice.browser.visit(f"/support/{case_id}")
    page = await alice.browser.submit(page, action, text="Thanks", expect=202)
    assert "We are delivering your message" in page.text
    assert "being delivered" in (await alice.browser.visit(f"/support/{case_id}")).text
    once_more = await alice.browser.post(action, text="Thanks")  # another tab, impatient
    # It meets the same message: still on its way, or found by now where this machine was slow.
    assert once_more.headers["location"] in (
        page.url.partition(alice.portal.settings.portal.url)[2],
        f"/support/{case_id}",
    )
    await _carry_on(alice)
    assert len(await said(sandbox)) == 2
    comments = (await alice.api.get(f"/api/v1/cases/{case_id}")).json()["comments"]
    taken = [row["remote_id"] for row in await alice.creations() if row["kind"] == "sf_case_comment"]
    assert sorted(taken) == sorted(comment["id"] for comment in comments)
    assert (await _mail_to(alice, "received"))["subject"]


async def test_a_message_that_never_arrived_is_sent_again(alice: Asker, sandbox: SandboxControl) -> None:
    case_id = await alice.asks()
    await sandbox.dial("salesforce", "error", call="POST row", times=1)
    answer = await alice.api.post(f"/api/v1/cases/{case_id}/comments", json={"text": "Hello?"})
    assert answer.status_code == 202
    assert await said(sandbox) == []
    await _carry_on(alice)
    assert len(await said(sandbox)) == 1


async def test_what_is_refused_later_is_told_and_its_words_are_kept(alice: Asker, sandbox: SandboxControl) -> None:
    await sandbox.dial("salesforce", "error", call="POST row", times=1)
    page = await alice.sends(expect=202)
    await sandbox.dial("salesforce", "refuse", call="POST row", code="FIELD_CUSTOM_VALIDATION_EXCEPTION", times=1)
    await _carry_on(alice)
    mail = await _mail_to(alice, "not_received")
    [address] = [line for line in mail["body"].splitlines() if "/support/pending-" in line]
    assert page.url == address
    told = await alice.browser.visit(page.url.removeprefix(alice.portal.settings.portal.url))
    assert "It could not be delivered" in told.text
    assert "In Shibuya." in told.text
    assert await opened(sandbox) == []


async def test_a_process_that_died_after_the_intent_is_swept_up(alice: Asker, sandbox: SandboxControl) -> None:
    """What a killed process leaves: the intent, and nobody who carries it on."""
    await sandbox.dial("salesforce", "slow", call="POST row", times=1, seconds=30)
    call = asyncio.create_task(alice.api.post("/api/v1/cases", json=QUESTION))
    [row] = await until(alice.creations)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert await sweep(alice.portal) == 0  # too soon: it may be a living one
    await sandbox.undial()
    await sandbox.move_clock(0.1)
    await until(lambda: alice.portal.clock.offset.total_seconds() > LOOK_AFTER_SECONDS)
    assert await sweep(alice.portal) == 1
    await resume(alice.portal, row["id"])
    assert len(await opened(sandbox)) == 1


async def test_the_worker_does_it_all(alice: Asker, sandbox: SandboxControl, worker: None) -> None:
    await sandbox.dial("salesforce", "commit_then_hang", call="POST row", times=1)
    page = await alice.sends(expect=202)

    async def arrived() -> bool:
        answer = await alice.api.get(f"/support/pending-{page.url.partition('pending-')[2]}")
        return answer.status_code == 303

    await until(arrived)
    assert len(await opened(sandbox)) == 1
    assert await until(lambda: sandbox.mails(alice.person.email))


async def _carry_on(asker: Asker) -> None:
    """What job and sweep do, until nothing is open."""

    async def is_settled() -> bool:
        rows = await asker.creations()
        for row in rows:
            await resume(asker.portal, UUID(str(row["id"])))
        return all(row["state"] in ("done", "refused") for row in await asker.creations())

    await until(is_settled)


async def _made(asker: Asker) -> list[dict[str, Any]]:
    return [row for row in await asker.creations() if row["state"] == "attempted"]


async def _mail_to(asker: Asker, about: str) -> dict[str, Any]:
    from sqlalchemy import text

    async with asker.portal.db.begin() as tx:
        rows = await tx.execute(text("SELECT * FROM mails WHERE key LIKE :key"), {"key": f"support/{about}.txt:%"})
        [mail] = [dict(row) for row in rows.mappings()]
    assert mail["recipient"] == asker.person.email
    return mail
