"""Cases by page and by API: listed, opened, read, always the customer's own."""

from __future__ import annotations

from portico.portal import Portal
from tests.fixtures.sandbox import SandboxControl
from tests.support.asking import COMPANY, KEN, QUESTION, Asker, case_of, opened


async def test_nobody_has_asked_yet(alice: Asker) -> None:
    page = await alice.browser.visit("/support")
    assert "No questions yet" in page.text
    listed = (await alice.api.get("/api/v1/cases")).json()
    assert (listed["items"], listed["total"], listed["next_cursor"]) == ([], 0, None)


async def test_a_question_by_form_is_a_case_in_salesforce(alice: Asker, sandbox: SandboxControl) -> None:
    page = await alice.sends()
    case_id = case_of(page)
    assert page.headings == ["No signal"]
    assert "In Shibuya." in page.text
    assert "Received" in page.text
    assert "We have received your question" in page.text
    [line] = await opened(sandbox)
    assert line["reference"] == case_id
    assert line["facts"]["AccountId"] == alice.person.sf_account_id
    assert line["facts"]["Portal_Case_Id__c"].startswith("PTC-")
    assert "No signal" in (await alice.browser.visit("/support")).text


async def test_a_question_by_api(alice: Asker) -> None:
    answer = await alice.api.post("/api/v1/cases", json=QUESTION)
    case = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/cases/{case['id']}"
    assert len(case["id"]) == 18
    assert (case["subject"], case["description"]) == (QUESTION["subject"], QUESTION["description"])
    assert (case["status"], case["status_words"], case["closed"]) == ("received", "Received", False)
    assert (case["priority"], case["comments"]) == ("high", [])
    read = (await alice.api.get(answer.headers["location"])).json()
    assert {**read, "as_of": ""} == {**case, "as_of": ""}
    [listed] = (await alice.api.get("/api/v1/cases")).json()["items"]
    assert listed["id"] == case["id"]


async def test_staff_and_customer_are_told_apart_and_notes_stay_inside(ken: Asker) -> None:
    closed = next(row for row in (await ken.api.get("/api/v1/cases")).json()["items"] if row["closed"])
    read = (await ken.api.get(f"/api/v1/cases/{closed['id']}")).json()
    assert [comment["author"] for comment in read["comments"]] == ["support", "customer", "support"]
    page = await ken.browser.visit(f"/support/{closed['id']}")
    assert "Our support" in page.text
    assert "You" in page.text
    for words in (page.text, str(read)):
        assert "再発行は無料枠" not in words  # what staff wrote for each other


async def test_an_answer_shows_on_the_next_read(ken: Asker, sandbox: SandboxControl) -> None:
    case_id = await ken.asks()
    assert "Nobody has answered yet" in (await ken.browser.visit(f"/support/{case_id}")).text
    answer = {"case": case_id, "text": "Please switch it off and on.", "status": "Waiting for Customer"}
    await sandbox.press("salesforce", "answer-case", **answer)
    page = await ken.browser.visit(f"/support/{case_id}")
    assert "Please switch it off and on." in page.text
    assert "Waiting for you" in page.text
    assert "Our support" in (await ken.browser.visit("/support")).text


async def test_an_unknown_status_is_shown_as_it_is(ken: Asker, sandbox: SandboxControl) -> None:
    case_id = await ken.asks()
    change = {"type": "Case", "id": case_id, "field": "Status", "value": "At the carrier"}
    await sandbox.press("salesforce", "change-field", **change)
    assert "At the carrier" in (await ken.browser.visit(f"/support/{case_id}")).text
    read = (await ken.api.get(f"/api/v1/cases/{case_id}")).json()
    assert (read["status"], read["status_words"]) == ("other", "At the carrier")


async def test_a_strangers_case_is_as_unknown_as_one_that_never_was(ken: Asker, alice: Asker) -> None:
    case_id = await ken.asks()
    told = []
    for wanted in (case_id, case_id[:15], "5005g00000NOBDYAA0", "5005g00000NOBDY", "nonsense", "pending-nonsense"):
        read = await alice.api.get(f"/api/v1/cases/{wanted}")
        wrote = await alice.api.post(f"/api/v1/cases/{wanted}/comments", json={"text": "Hello"})
        page = await alice.browser.visit(f"/support/{wanted}", expect=404)
        posted = await alice.browser.post(f"/support/{wanted}/messages", text="Hello")
        assert (read.status_code, wrote.status_code, posted.status_code) == (404, 404, 404)
        told.append(({**read.json(), "trace_id": ""}, {**wrote.json(), "trace_id": ""}, page.text))
    assert all(each == told[0] for each in told)
    assert case_id not in (await alice.api.get("/api/v1/cases")).text


async def test_eleven_cases_on_two_pages(company: Asker) -> None:
    first = await company.browser.visit("/support")
    assert "1 to 10 of 11" in first.text
    assert "10Gルーターの設定" in first.text
    second = await company.browser.visit("/support?page=2")
    assert "11 to 11 of 11" in second.text
    assert "請求書の宛名について" in second.text
    assert (await company.api.get("/api/v1/cases")).json()["total"] == 11


async def test_pages_of_the_api_follow_each_other(company: Asker) -> None:
    for number in range(16):
        await company.asks(subject=f"Question {number}")
    first = (await company.api.get("/api/v1/cases")).json()
    assert (len(first["items"]), first["total"], first["next_cursor"]) == (25, 27, "25")
    rest = (await company.api.get("/api/v1/cases", params={"cursor": first["next_cursor"]})).json()
    ids = [case["id"] for case in first["items"] + rest["items"]]
    assert (len(set(ids)), rest["next_cursor"]) == (27, None)


async def test_what_is_missing_is_named_and_what_was_typed_stays(alice: Asker, sandbox: SandboxControl) -> None:
    page = await alice.sends(subject=" ", description="Kept words", expect=422)
    assert "Please fill in this field." in page.text
    assert "Kept words" in page.response.text
    answer = await alice.api.post("/api/v1/cases", json={"subject": "x" * 256, "description": "", "priority": "now"})
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/subject", "/description", "/priority"]
    emoji = await alice.api.post("/api/v1/cases", json={**QUESTION, "subject": "📱" * 128})
    assert emoji.status_code == 422  # two of Salesforce's characters each
    assert await opened(sandbox) == []


async def test_the_case_bears_its_contact_and_origin(ken: Asker, portal: Portal) -> None:
    case_id = await ken.asks()
    row = await portal.salesforce._json("GET", f"/sobjects/Case/{case_id}", name="GET row", repeatable=True)
    assert (row["ContactId"], row["Origin"], row["Priority"]) == (KEN.sf_contact_id, "Portal Website", "High")


async def test_salesforce_is_down(ken: Asker, sandbox: SandboxControl) -> None:
    await sandbox.dial("salesforce", "down")
    page = await ken.browser.visit("/support")
    assert "Not available just now" in page.text
    assert (await ken.api.get("/api/v1/cases")).status_code == 503
    await ken.browser.visit("/support/5005g00000NOBDY", expect=503)
    form = await ken.browser.visit("/support/new")  # the form itself needs nothing
    page = await ken.browser.submit(form, "/support/new", expect=503, **QUESTION)
    assert "Your question was not sent" in page.text
    assert "In Shibuya." in page.response.text
    assert page.form("/support/new").values["token"] == form.form("/support/new").values["token"]
    assert await ken.creations() == []
    await sandbox.undial()
    assert COMPANY.sf_account_id not in page.response.text


async def test_salesforce_refuses(ken: Asker, sandbox: SandboxControl) -> None:
    await sandbox.dial("salesforce", "refuse", call="POST row", code="FIELD_CUSTOM_VALIDATION_EXCEPTION", times=1)
    page = await ken.sends(expect=502)
    assert "Your question was not sent" in page.text
    assert "VALIDATION" not in page.response.text
    assert await ken.creations() == []
    case_of(await ken.browser.submit(page, "/support/new", **QUESTION))
