"""A question opened from an invoice, service, order or case bears its number, if it is the customer's own."""

from __future__ import annotations

import pytest

from tests.fixtures.sandbox import SandboxControl
from tests.support.asking import COMPANY, KEN, QUESTION, Asker, case_of

INVOICE, SERVICE = KEN.invoices[0].id, KEN.services[0].id
STRANGERS_INVOICE, STRANGERS_SERVICE = COMPANY.invoices[0].id, COMPANY.services[0].id


@pytest.mark.parametrize(
    ("query", "words", "address"),
    [
        (f"invoice={INVOICE}", f"Invoice {INVOICE}", f"/billing/invoices/{INVOICE}"),
        (f"service={SERVICE}", f"Service {SERVICE}", f"/services/{SERVICE}"),
        ("error=0123456789abcdef", "Error number 0123456789abcdef", ""),
    ],
)
async def test_what_it_is_about_is_written_into_the_case(ken: Asker, query: str, words: str, address: str) -> None:
    form = await ken.browser.visit(f"/support/new?{query}")
    assert words in form.text
    assert words in form.form("/support/new").values["subject"]
    page = await ken.browser.submit(form, "/support/new", **QUESTION)
    read = (await ken.api.get(f"/api/v1/cases/{case_of(page)}")).json()
    assert read["description"].startswith(QUESTION["description"])
    assert words in read["description"]
    assert address in read["description"]


async def test_the_question_after_a_closed_case(ken: Asker, sandbox: SandboxControl) -> None:
    case_id = await ken.asks()
    await sandbox.press("salesforce", "answer-case", case=case_id, text="Done.", status="Closed")
    page = await ken.browser.visit(f"/support/{case_id}")
    assert not [form.action for form in page.forms if form.action.endswith("/messages")]
    [link] = [link for link in page.links if "/support/new?case=" in link]
    new = await ken.browser.visit(link)
    assert "Case 0" in new.text


@pytest.mark.parametrize(
    "query",
    [
        f"invoice={STRANGERS_INVOICE}", "invoice=999999", "invoice=1%27", f"service={STRANGERS_SERVICE}",
        "service=999999", "order=8015g00000NOBDY", "case=5005g00000NOBDY", "error=%3Cscript%3E", "invoice=",
    ],
)  # fmt: skip
async def test_what_is_not_ones_own_does_not_exist(ken: Asker, query: str) -> None:
    page = await ken.browser.visit(f"/support/new?{query}", expect=404)
    assert page.headings == ["Page not found"]


async def test_the_form_is_not_trusted_either(ken: Asker) -> None:
    posted = await ken.browser.post("/support/new", **QUESTION, about=f"invoice:{STRANGERS_INVOICE}")
    assert posted.status_code == 404
    posted = await ken.browser.post("/support/new", **QUESTION, about="account:1")
    assert posted.status_code == 404


async def test_by_api(ken: Asker) -> None:
    answer = await ken.api.post("/api/v1/cases", json={**QUESTION, "about": {"kind": "invoice", "id": str(INVOICE)}})
    assert f"Invoice {INVOICE}" in answer.json()["description"]
    refused = []
    for thing_id in (str(STRANGERS_INVOICE), "999999"):
        about = {"kind": "invoice", "id": thing_id}
        answer = await ken.api.post("/api/v1/cases", json={**QUESTION, "about": about})
        assert answer.status_code == 422
        refused.append(answer.json()["errors"])
    assert refused[0] == refused[1]
    assert refused[0][0]["pointer"] == "/about/id"


async def test_billing_is_down_but_one_can_ask(ken: Asker, sandbox: SandboxControl) -> None:
    await sandbox.dial("whmcs", "down")
    page = await ken.browser.visit(f"/support/new?invoice={INVOICE}")
    assert "We can not look up what this is about just now" in page.text
    assert "about" not in page.form("/support/new").names
    case_of(await ken.browser.submit(page, "/support/new", **QUESTION))
