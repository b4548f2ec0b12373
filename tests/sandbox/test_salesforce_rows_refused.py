"""What an org withholds from its callers: fields, objects, a feature, rows held by others, likely duplicates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.salesforce.knobs import turn
from portico_sandbox.salesforce.org_control import lock_row, mail_case, open_an_object, show_a_field
from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path) as caller:
        yield caller


async def code_of(org: Salesforce, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    answer = await org.call(method, path, body, **headers)
    return answer.status_code, answer.json()[0]["errorCode"]


async def test_a_hidden_field_is_unknown(org: Salesforce) -> None:
    await show_a_field(org.sandbox, "Account", "phone")
    row = f"/sobjects/Account/{org.account_id()}"
    described = (await org.call("GET", "/sobjects/Account/describe")).json()
    assert "Phone" not in [each["name"] for each in described["fields"]]
    assert "Phone" not in (await org.call("GET", row)).json()
    for method, path, body in (
        ("GET", "/query?q=SELECT Phone FROM Account", None),
        ("GET", "/query?q=SELECT Id FROM Account WHERE Phone = '1'", None),
        ("GET", "/query?q=SELECT Account.Phone FROM Contact", None),
        ("GET", f"{row}?fields=Phone", None),
        ("POST", "/sobjects/Account", {"Name": "x", "Phone": "1"}),
        ("PATCH", row, {"Phone": "1"}),
    ):
        assert await code_of(org, method, path, body) == (400, "INVALID_FIELD"), path
    assert (await org.query("SELECT FIELDS(ALL) FROM Account LIMIT 1")).status_code == 200
    await show_a_field(org.sandbox, "Account", "Phone", "yes")
    assert (await org.call("GET", f"{row}?fields=Phone")).json()["Phone"]


async def test_a_hidden_reference_leads_nowhere(org: Salesforce) -> None:
    await show_a_field(org.sandbox, "Contact", "AccountId")
    assert await code_of(org, "GET", "/query?q=SELECT Account.Name FROM Contact") == (400, "INVALID_FIELD")
    assert await code_of(org, "GET", "/query?q=SELECT (SELECT Id FROM Contacts) FROM Account") == (400, "INVALID_TYPE")


async def test_a_hidden_address_hides_its_parts(org: Salesforce) -> None:
    await show_a_field(org.sandbox, "Account", "BillingAddress")
    assert await code_of(org, "GET", "/query?q=SELECT BillingCity FROM Account") == (400, "INVALID_FIELD")
    with pytest.raises(ButtonRefused, match="can't be hidden"):
        await show_a_field(org.sandbox, "Account", "SystemModstamp")


async def test_a_hidden_key_is_no_key(org: Salesforce) -> None:
    await show_a_field(org.sandbox, "Account", "Customer_Number__c")
    path = "/sobjects/Account/Customer_Number__c/CN-100101"
    assert await code_of(org, "GET", path) == (404, "NOT_FOUND")
    assert await code_of(org, "PATCH", path, {"Name": "x"}) == (404, "NOT_FOUND")


@pytest.mark.parametrize("how", ["permission", "feature"])
async def test_an_object_that_is_away(org: Salesforce, how: str) -> None:
    order = await org.draft_order("MOB-ESIM-3GB")
    if how == "permission":
        await open_an_object(org.sandbox, "order")
    else:
        turn(org.sandbox, "orders_feature", "off")
    assert await code_of(org, "GET", "/query?q=SELECT Id FROM Order") == (400, "INVALID_TYPE")
    assert await code_of(org, "GET", "/query?q=SELECT (SELECT Id FROM Orders) FROM Account") == (400, "INVALID_TYPE")
    for method, path in (("GET", f"/sobjects/Order/{order}"), ("GET", "/sobjects/Order/describe")):
        assert await code_of(org, method, path) == (404, "NOT_FOUND")
    assert await code_of(org, "POST", "/sobjects/Order", {}) == (404, "NOT_FOUND")
    everything = (await org.call("GET", "/sobjects")).json()["sobjects"]
    assert "Order" not in [each["name"] for each in everything]
    record = {"attributes": {"type": "Order"}}
    [result] = (await org.call("POST", "/composite/sobjects", {"records": [record]})).json()
    assert result["errors"][0]["statusCode"] == "INVALID_TYPE"
    items = (await org.query("SELECT Id FROM OrderItem")).status_code
    assert items == (200 if how == "permission" else 400)


async def test_a_held_row_can_not_be_written(org: Salesforce) -> None:
    account = org.account_id()
    await lock_row(org.sandbox, account[:15], "30")
    for method, path, body in (
        ("PATCH", f"/sobjects/Account/{account}", {"Phone": "1"}),
        ("POST", "/sobjects/Contact", {"LastName": "x", "AccountId": account}),
    ):
        answer = await org.call(method, path, body)
        [fault] = answer.json()
        assert (answer.status_code, fault["errorCode"]) == (400, "UNABLE_TO_LOCK_ROW")
        assert account in fault["message"]
    await org.update("Account", org.account_id(1), Phone="1")
    org.sandbox.clock.move(timedelta(seconds=31))
    await org.update("Account", account, Phone="1")
    await lock_row(org.sandbox, account, "30")
    await lock_row(org.sandbox, account, "0")
    await org.update("Account", account, Phone="2")


async def test_a_held_parent_fails_a_composite_whole(org: Salesforce) -> None:
    await lock_row(org.sandbox, org.account_id())
    body = {"Name": "x", "ParentId": org.account_id()}
    parts = [
        {"method": "POST", "url": f"{ROOT}/sobjects/Account", "referenceId": name, "body": body} for name in ("a", "b")
    ]  # fmt: skip
    answer = await org.call("POST", "/composite", {"allOrNone": True, "compositeRequest": parts})
    codes = [each["body"][0]["errorCode"] for each in answer.json()["compositeResponse"]]
    assert codes == ["UNABLE_TO_LOCK_ROW", "PROCESSING_HALTED"]


async def test_likely_duplicates(org: Salesforce) -> None:
    first = await org.create("Account", Name="Twin")
    turn(org.sandbox, "duplicate_rule", "alert")
    answer = await org.call("POST", "/sobjects/Account", {"Name": "TWIN"})
    [fault] = answer.json()
    assert (answer.status_code, fault["errorCode"]) == (400, "DUPLICATES_DETECTED")
    result = fault["duplicateResult"]
    assert (result["allowSave"], result["duplicateRuleEntityType"]) == (True, "Account")
    [match] = result["matchResults"]
    assert (match["size"], match["matchRecords"][0]["record"]["Id"]) == (1, first)
    allowed = {"Sforce_Duplicate_Rule_Header": "allowSave=true"}
    assert (await org.call("POST", "/sobjects/Account", {"Name": "Twin"}, **allowed)).status_code == 201
    turn(org.sandbox, "duplicate_rule", "block")
    assert await code_of(org, "POST", "/sobjects/Account", {"Name": "Twin"}, **allowed) == (400, "DUPLICATES_DETECTED")
    records = [{"attributes": {"type": "Account"}, "Name": "Twin"}]
    [result] = (await org.call("POST", "/composite/sobjects", {"records": records})).json()
    assert result["errors"][0]["statusCode"] == "DUPLICATES_DETECTED"
    await org.update("Account", first, Phone="1")  # it has twins, yet what the rule looks at stays
    turn(org.sandbox, "duplicate_rule", "off")
    assert (await org.call("POST", "/sobjects/Account", {"Name": "Twin"})).status_code == 201


async def test_a_sent_mail_stays_as_it_was(org: Salesforce) -> None:
    [case] = await org.records("SELECT Id, CaseNumber FROM Case WHERE Subject = 'My line is suspended'")
    sent = (await mail_case(org.sandbox, case["CaseNumber"], "We look into it."))["mail"]
    draft = (await mail_case(org.sandbox, case["Id"], "Not yet", draft="yes", visible="no"))["mail"]
    refused = await code_of(org, "PATCH", f"/sobjects/EmailMessage/{sent}", {"TextBody": "Never said"})
    assert refused == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    await org.update("EmailMessage", sent, IsExternallyVisible=False)
    await org.update("EmailMessage", draft, TextBody="Now", Status="3")
    assert await code_of(org, "PATCH", f"/sobjects/EmailMessage/{draft}", {"Subject": "x"}) == refused


async def test_seeded_mails_and_statuses(org: Salesforce) -> None:
    soql = (
        "SELECT Status, Incoming, IsExternallyVisible FROM EmailMessage WHERE Parent.Account.Customer_Number__c = "
        "'CN-100401' ORDER BY MessageDate"
    )
    told = [(each["Status"], each["Incoming"], each["IsExternallyVisible"]) for each in await org.records(soql)]
    assert told == [("1", True, True), ("3", False, True), ("3", False, False), ("5", False, True)]
    closed = await org.records("SELECT ApiName FROM CaseStatus WHERE IsClosed = true")
    assert [each["ApiName"] for each in closed] == ["Closed"]
    assert len(await org.records("SELECT Id FROM OrderStatus WHERE StatusCode = 'Activated'")) == 3
