"""Several calls in one: references, all-or-none, collections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from portico_sandbox.world import PORTAL_PRICEBOOK_ID
from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        yield caller


def part(name: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    return {"referenceId": name, "method": method, "url": ROOT + path, "body": body}


def order_with_lines(org: Salesforce, marker: str, *lines: dict[str, Any]) -> list[dict[str, Any]]:
    """The portal's way to place an order: one POST of the order, one collection of its lines."""
    order = {
        "AccountId": org.account_id(),
        "EffectiveDate": "2026-11-23",
        "Status": "Pending Review",
        "Pricebook2Id": PORTAL_PRICEBOOK_ID,
        "Portal_Order_Id__c": marker,
    }
    usual = {"attributes": {"type": "OrderItem"}, "OrderId": "@{order.id}", "Quantity": 1, "UnitPrice": 980}
    records = [{**usual, "PricebookEntryId": org.entry_id(), **line} for line in lines]
    collection = {"allOrNone": True, "records": records}
    return [
        part("order", "POST", "/sobjects/Order", order),
        part("items", "POST", "/composite/sobjects", collection),
    ]


async def composite(org: Salesforce, parts: list[dict[str, Any]], all_or_none: bool = True) -> list[dict[str, Any]]:
    answer = await org.call("POST", "/composite", {"allOrNone": all_or_none, "compositeRequest": parts})
    assert answer.status_code == 200, answer.text
    responses: list[dict[str, Any]] = answer.json()["compositeResponse"]
    return responses


async def test_an_order_with_its_lines_in_one_call(org: Salesforce) -> None:
    parts = order_with_lines(org, "m-1", {"Portal_Item_Id__c": "m-1-a"}, {"Portal_Item_Id__c": "m-1-b", "Quantity": 2})
    parts.append(part("first", "PATCH", "/sobjects/OrderItem/@{items[1].id}", {"Line_Number__c": "07000000000"}))
    parts.append(part("read", "GET", "/query?q=SELECT Id, TotalAmount FROM Order WHERE Id = '@{order.id}'"))
    parts.append(part("again", "GET", "/sobjects/Order/@{read.records[0].Id}?fields=OrderNumber"))
    order, items, patched, read, again = await composite(org, parts)
    assert order["httpStatusCode"] == 201
    assert order["httpHeaders"]["Location"] == f"{ROOT}/sobjects/Order/{order['body']['id']}"
    assert [each["success"] for each in items["body"]] == [True, True]
    assert (patched["httpStatusCode"], patched["body"]) == (204, None)
    assert read["body"]["records"][0]["TotalAmount"] == 2940.0
    assert again["body"]["OrderNumber"].isdigit()


async def test_one_failure_undoes_everything(org: Salesforce) -> None:
    before = len(org.sandbox.ledger.lines())
    order, items = await composite(org, order_with_lines(org, "m-2", {}, {"Quantity": 0}))
    [halted] = order["body"]
    assert (order["httpStatusCode"], halted["errorCode"]) == (400, "PROCESSING_HALTED")
    codes = [each["errors"][0]["statusCode"] for each in items["body"]]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "FIELD_INTEGRITY_EXCEPTION"]
    assert await org.records("SELECT Id FROM Order WHERE Portal_Order_Id__c = 'm-2'") == []
    assert len(org.sandbox.ledger.lines()) == before


async def test_a_repeated_order_fails_whole(org: Salesforce) -> None:
    first, _ = await composite(org, order_with_lines(org, "m-3", {}))
    order, items = await composite(org, order_with_lines(org, "M-3", {}))
    [fault] = order["body"]
    assert (order["httpStatusCode"], fault["errorCode"]) == (400, "DUPLICATE_VALUE")
    assert first["body"]["id"][:15] in fault["message"]
    assert items["body"][0]["errorCode"] == "PROCESSING_HALTED"


async def test_without_all_or_none_only_dependents_fail(org: Salesforce) -> None:
    parts = [
        part("bad", "POST", "/sobjects/Account", {}),
        part("child", "POST", "/sobjects/Contact", {"LastName": "x", "AccountId": "@{bad.id}"}),
        part("good", "POST", "/sobjects/Account", {"Name": "Stands alone"}),
    ]
    bad, child, good = await composite(org, parts, all_or_none=False)
    assert bad["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert child["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert "bad.id" in child["body"][0]["message"]
    assert good["httpStatusCode"] == 201


async def test_a_wrong_envelope_runs_nothing(org: Salesforce) -> None:
    good = part("a", "POST", "/sobjects/Account", {"Name": "Never made"})
    for parts in ([], [good, good], [{**good, "referenceId": "a b"}], [{"url": "x"}],
                  [{**good, "httpHeaders": {"Authorization": "x"}}]):  # fmt: skip
        answer = await org.call("POST", "/composite", {"compositeRequest": parts})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert await org.records("SELECT Id FROM Account WHERE Name = 'Never made'") == []


async def test_collections(org: Salesforce) -> None:
    records: list[dict[str, Any]] = [{"attributes": {"type": "Account"}, "Name": name} for name in ("One", "Two")]
    records.append({"attributes": {"type": "Account"}})
    partly = (await org.call("POST", "/composite/sobjects", {"records": records})).json()
    assert [each["success"] for each in partly] == [True, True, False]
    fault = {
        "statusCode": "REQUIRED_FIELD_MISSING",
        "message": "Required fields are missing: [Name]",
        "fields": ["Name"],
    }
    assert partly[2]["errors"] == [fault]
    none = (await org.call("POST", "/composite/sobjects", {"allOrNone": True, "records": records})).json()
    assert none[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert len(await org.records("SELECT Id FROM Account WHERE Name IN ('One', 'Two')")) == 2
    ids = [each["id"] for each in partly[:2]]
    changes = [{"attributes": {"type": "Account"}, "id": each, "Phone": "03-9"} for each in ids]
    changed = (await org.call("PATCH", "/composite/sobjects", {"records": changes})).json()
    assert [each["id"] for each in changed] == ids
    deleted = (await org.call("DELETE", f"/composite/sobjects?ids={','.join(ids)}&allOrNone=true")).json()
    assert all(each["success"] for each in deleted)
    gone = (await org.call("DELETE", f"/composite/sobjects?ids={ids[0]}")).json()
    assert gone[0]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"


async def test_collection_upsert(org: Salesforce) -> None:
    records = [
        {"attributes": {"type": "Account"}, "Customer_Number__c": "CN-100103", "Fax": "1"},
        {"attributes": {"type": "Account"}, "Customer_Number__c": "CN-777777", "Name": "New"},
    ]
    path = "/composite/sobjects/Account/Customer_Number__c"
    answer = (await org.call("PATCH", path, {"records": records})).json()
    assert [(each["success"], each["created"]) for each in answer] == [(True, False), (True, True)]
