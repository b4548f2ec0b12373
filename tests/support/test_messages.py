"""Messages in a case: in both directions, within what Salesforce can hold, none in a closed one."""

from __future__ import annotations

from tests.fixtures.sandbox import SandboxControl
from tests.support.asking import Asker, said


async def test_a_message_reaches_staff(alice: Asker, sandbox: SandboxControl) -> None:
    case_id = await alice.asks()
    page = await alice.browser.visit(f"/support/{case_id}")
    action = f"/support/{case_id}/messages"
    page = await alice.browser.submit(page, action, text="It works again. <b>Thanks</b>\r\nAlice")
    assert "It works again. <b>Thanks</b>" in page.text
    assert "Your message was sent." in page.text
    [line] = await said(sandbox)
    assert line["facts"]["ParentId"] == case_id
    [comment] = (await alice.api.get(f"/api/v1/cases/{case_id}")).json()["comments"]
    assert (comment["author"], comment["text"]) == ("customer", "It works again. <b>Thanks</b>\nAlice")
    listed = await alice.browser.visit("/support")
    assert "You, " in listed.text


async def test_a_message_by_api(alice: Asker, sandbox: SandboxControl) -> None:
    case_id = await alice.asks()
    address, words = f"/api/v1/cases/{case_id}/comments", {"text": "Is anybody there?"}
    first = await alice.api.post(address, json=words, headers={"idempotency-key": "m-1"})
    again = await alice.api.post(address, json=words, headers={"idempotency-key": "m-1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert (first.json()["author"], first.json()["text"]) == ("customer", "Is anybody there?")
    other = await alice.api.post(address, json={"text": "Hello?"}, headers={"idempotency-key": "m-1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await said(sandbox)) == 1
    await alice.api.post(address, json=words)  # without a key each call is one of its own
    assert len(await said(sandbox)) == 2
    empty = await alice.api.post(address, json=words, headers={"idempotency-key": " "})
    assert (empty.status_code, empty.json()["code"]) == (400, "idempotency_key_missing")


async def test_japanese_counts_in_bytes(alice: Asker, sandbox: SandboxControl) -> None:
    case_id = await alice.asks()
    page = await alice.browser.visit(f"/support/{case_id}")
    action = f"/support/{case_id}/messages"
    long = await alice.browser.submit(page, action, text="あ" * 1334, expect=422)
    assert "4,002 of at most 4,000 bytes" in long.text
    assert "あ" * 1334 in long.response.text
    assert await said(sandbox) == []
    sent = await alice.browser.submit(long, action, text="あ" * 1333)
    assert "あ" * 1333 in sent.text
    answer = await alice.api.post(f"/api/v1/cases/{case_id}/comments", json={"text": "📱" * 1001})
    assert answer.status_code == 422
    assert "4,004" in answer.json()["errors"][0]["detail"]
    empty = await alice.api.post(f"/api/v1/cases/{case_id}/comments", json={"text": " \n"})
    assert [fault["pointer"] for fault in empty.json()["errors"]] == ["/text"]


async def test_a_closed_case_takes_no_message(alice: Asker, sandbox: SandboxControl) -> None:
    case_id = await alice.asks()
    page = await alice.browser.visit(f"/support/{case_id}")
    await sandbox.press("salesforce", "answer-case", case=case_id, text="Done.", status="Closed")
    refused = await alice.browser.submit(page, f"/support/{case_id}/messages", text="But still…", expect=409)
    assert "This case is closed" in refused.text
    assert "But still…" in refused.response.text
    answer = await alice.api.post(f"/api/v1/cases/{case_id}/comments", json={"text": "But still…"})
    assert (answer.status_code, answer.json()["code"]) == (409, "case_closed")
    assert [line["facts"]["through_api"] for line in await said(sandbox)] == [False]


async def test_salesforce_is_down_and_the_words_are_kept(alice: Asker, sandbox: SandboxControl) -> None:
    case_id = await alice.asks()
    page = await alice.browser.visit(f"/support/{case_id}")
    action = f"/support/{case_id}/messages"
    await sandbox.dial("salesforce", "down")
    unsent = await alice.browser.submit(page, action, text="Carefully written", expect=503)
    assert "Your message was not sent" in unsent.text
    assert "Carefully written" in unsent.response.text
    assert all(row["kind"] != "sf_case_comment" for row in await alice.creations())
    await sandbox.undial()
    sent = await alice.browser.submit(unsent, action, text="Carefully written")
    assert "Your message was sent." in sent.text
    assert len(await said(sandbox)) == 1
