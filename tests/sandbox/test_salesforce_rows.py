"""Single rows over the wire: create, read, update, upsert, delete, describe, and each refusal's code."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from portico_sandbox.sf_id import to_18
from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        yield caller


async def test_a_row_lives_and_dies(org: Salesforce) -> None:
    made = await org.call("POST", "/sobjects/Account/", {"Name": " Tea House ", "phone": "03-1", "Website": ""})
    assert made.status_code == 201
    record_id = made.json()["id"]
    assert made.json() == {"id": to_18(record_id), "success": True, "errors": []}
    assert record_id.startswith("001")
    assert made.headers["Location"].endswith(record_id)
    row = (await org.call("GET", f"/sobjects/Account/{record_id[:15]}?fields=Name,Phone,Website,CreatedDate")).json()
    assert (row["Name"], row["Phone"], row["Website"], row["Id"]) == ("Tea House", "03-1", None, record_id)
    assert row["CreatedDate"].endswith(".000+0000")
    changed = await org.call("PATCH", f"/sobjects/Account/{record_id}", {"Phone": None})
    assert (changed.status_code, changed.content) == (204, b"")
    assert (await org.call("DELETE", f"/sobjects/Account/{record_id}")).status_code == 204
    for method, body in (("GET", None), ("PATCH", {"Phone": "1"}), ("DELETE", None)):
        gone = await org.call(method, f"/sobjects/Account/{record_id}", body)
        assert (gone.status_code, gone.json()[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
    effects = [(line["effect"], line["reference"]) for line in org.sandbox.ledger.lines("salesforce")]
    expected = ["create Account", "update Account", "delete Account"]
    assert [effect for effect, reference in effects if reference == record_id] == expected


@pytest.mark.parametrize(
    ("entity", "body", "code", "fields"),
    [
        ("Account", {"Nope": 1}, "INVALID_FIELD", []),
        ("Account", {"Phone": "1"}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ("Account", {"Name": "x" * 256}, "STRING_TOO_LONG", ["Name"]),
        ("Account", {"Name": 5}, "JSON_PARSER_ERROR", ["Name"]),
        ("Account", {"Name": "x", "NumberOfEmployees": "many"}, "JSON_PARSER_ERROR", ["NumberOfEmployees"]),
        ("Account", {"Name": "x", "AnnualRevenue": 1e17}, "NUMBER_OUTSIDE_VALID_RANGE", ["AnnualRevenue"]),
        ("Account", {"Name": "x", "Id": "001000000000000"}, "INVALID_FIELD", ["Id"]),
        ("Account", {"Name": "x", "CreatedDate": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE",
         ["CreatedDate"]),
        ("Account", {"Name": "x", "Portal_Status__c": "Open"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
         ["Portal_Status__c"]),
        ("Account", {"Name": "x", "ParentId": "0015"}, "MALFORMED_ID", ["ParentId"]),
        ("Account", {"Name": "x", "ParentId": "0015g00000nowhr"}, "INVALID_CROSS_REFERENCE_KEY", ["ParentId"]),
        ("Account", {"Name": "x", "ParentId": "0035g00000nowhr"}, "FIELD_INTEGRITY_EXCEPTION", ["ParentId"]),
        ("Account", {"Name": "x", "Customer_Number__c": "cn-100101"}, "DUPLICATE_VALUE", []),
        ("Contact", {"LastName": "x", "Birthdate": "yesterday"}, "JSON_PARSER_ERROR", ["Birthdate"]),
        ("Contact", {"LastName": "x", "Email": "nobody"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ("Contact", {"LastName": "x", "Account": {"Customer_Number__c": "CN-0"}}, "INVALID_FIELD", ["AccountId"]),
        ("User", {"LastName": "x", "Username": "y"}, "INSUFFICIENT_ACCESS_OR_READONLY", []),
    ],
)  # fmt: skip
async def test_refusals(org: Salesforce, entity: str, body: Any, code: str, fields: list[str]) -> None:
    before = len(org.sandbox.ledger.lines())
    answer = await org.call("POST", f"/sobjects/{entity}", body)
    assert answer.status_code in (400, 403)
    [fault] = answer.json()
    assert (fault["errorCode"], fault.get("fields", [])) == (code, fields)
    assert len(org.sandbox.ledger.lines()) == before


async def test_a_duplicate_names_the_row_that_is_there(org: Salesforce) -> None:
    answer = await org.call("POST", "/sobjects/Account", {"Name": "x", "Customer_Number__c": "CN-100101"})
    [fault] = answer.json()
    assert fault["message"].endswith(f"on record with id: {org.account_id()[:15]}")


async def test_external_ids_in_the_path(org: Salesforce) -> None:
    path = "/sobjects/Account/Customer_Number__c/A%2Fb%20'1'"
    first = await org.call("PATCH", path, {"Name": "Upserted"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    second = await org.call("PATCH", path, {"Phone": "03-2"})
    assert (second.status_code, second.json()["created"]) == (200, False)
    assert second.json()["id"] == first.json()["id"]
    row = (await org.call("GET", path)).json()
    assert (row["Name"], row["Phone"], row["Customer_Number__c"]) == ("Upserted", "03-2", "A/b '1'")
    again = await org.call("PATCH", path, {"Name": "x", "Customer_Number__c": "A/b '1'"})
    assert (again.status_code, again.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    only = await org.call("PATCH", "/sobjects/Account/Customer_Number__c/none?updateOnly=true", {"Name": "x"})
    assert (only.status_code, only.json()[0]["errorCode"]) == (404, "NOT_FOUND")
    no_such_key = await org.call("GET", "/sobjects/Account/Phone/1")
    assert no_such_key.status_code == 404


async def test_several_matches_are_300(org: Salesforce) -> None:
    orders = [await org.draft_order(WHMCS_Order_Id__c="77") for _ in range(2)]
    for method, body in (("GET", None), ("PATCH", {"Description": "x"})):
        answer = await org.call(method, "/sobjects/Order/WHMCS_Order_Id__c/77", body)
        assert answer.status_code == 300
        assert answer.json() == [f"{ROOT}/sobjects/Order/{each}" for each in orders]


async def test_a_parent_by_its_external_id(org: Salesforce) -> None:
    contact = await org.create("Contact", LastName="Sato", Account={"Customer_Number__c": "CN-100101"})
    row = (await org.call("GET", f"/sobjects/Contact/{contact}")).json()
    assert row["AccountId"] == org.account_id()


async def test_cases_and_comments(org: Salesforce) -> None:
    [person] = await org.records("SELECT Id, AccountId FROM Contact WHERE Account.Customer_Number__c = 'CN-100102'")
    case = await org.create("Case", Subject="No signal", Origin="Portal Website", ContactId=person["Id"])
    row = (await org.call("GET", f"/sobjects/Case/{case}")).json()
    assert (row["Status"], row["Priority"], row["IsClosed"], row["ClosedDate"]) == ("New", "Medium", False, None)
    assert (row["AccountId"], row["ContactEmail"]) == (person["AccountId"], "emma.fischer@mail.example")
    assert row["CaseNumber"].isdigit()
    await org.create("CaseComment", ParentId=case, CommentBody="あ" * 1333, IsPublished=True)
    long = await org.call("POST", "/sobjects/CaseComment", {"ParentId": case, "CommentBody": "あ" * 1334})
    assert long.json()[0]["errorCode"] == "STRING_TOO_LONG"
    await org.update("Case", case, Status="Closed", Comments="Done")
    soql = f"SELECT IsClosed, ClosedDate, (SELECT IsPublished FROM CaseComments) FROM Case WHERE Id = '{case}'"
    [closed] = await org.records(soql)
    assert closed["IsClosed"]
    assert closed["ClosedDate"]
    assert [each["IsPublished"] for each in closed["CaseComments"]["records"]] == [True, False]


async def test_prices(org: Salesforce) -> None:
    product = await org.create("Product2", Name="New", StockKeepingUnit="NEW-1", IsActive=True)
    [book] = await org.records("SELECT Id FROM Pricebook2 WHERE IsStandard = true")
    portal = (await org.records("SELECT Id FROM Pricebook2 WHERE IsStandard = false"))[0]["Id"]
    entry = {"Product2Id": product, "IsActive": True}
    early = await org.call("POST", "/sobjects/PricebookEntry", {**entry, "Pricebook2Id": portal, "UnitPrice": 100})
    assert early.json()[0]["errorCode"] == "STANDARD_PRICE_NOT_DEFINED"
    standard = await org.create("PricebookEntry", **entry, Pricebook2Id=book["Id"], UnitPrice=100)
    mine = await org.create("PricebookEntry", **entry, Pricebook2Id=portal, UseStandardPrice=True)
    twice = await org.call("POST", "/sobjects/PricebookEntry", {**entry, "Pricebook2Id": portal, "UnitPrice": 1})
    assert twice.json()[0]["errorCode"] == "DUPLICATE_VALUE"
    await org.update("PricebookEntry", standard, UnitPrice=120.5)
    assert (await org.call("GET", f"/sobjects/PricebookEntry/{mine}")).json()["UnitPrice"] == 120.5
    moved = await org.call("PATCH", f"/sobjects/PricebookEntry/{mine}", {"Pricebook2Id": book["Id"]})
    assert moved.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


async def test_describe_tells_the_truth(org: Salesforce) -> None:
    described = (await org.call("GET", "/sobjects/Order/describe")).json()
    fields = {each["name"]: each for each in described["fields"]}
    assert described["keyPrefix"] == "801"
    assert [each["relationshipName"] for each in described["childRelationships"]] == ["OrderItems"]
    marker = fields["Portal_Order_Id__c"]
    assert (marker["externalId"], marker["unique"], marker["length"], marker["custom"]) == (True, True, 64, True)
    assert (fields["AccountId"]["referenceTo"], fields["AccountId"]["nillable"]) == (["Account"], False)
    assert fields["OrderNumber"]["createable"] is False
    assert "Approved" in [each["value"] for each in fields["Status"]["picklistValues"]]
    everything = (await org.call("GET", "/sobjects")).json()
    assert {"Account", "OrderItem", "CaseComment"} <= {each["name"] for each in everything["sobjects"]}


async def test_what_is_not_there(org: Salesforce) -> None:
    for method, path, status, code in (
        ("GET", "/sobjects/Account/0015g00000nowhr", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Nope/0015g00000nowhr", 404, "NOT_FOUND"),
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("GET", "/services/data/v12.0/limits", 404, "NOT_FOUND"),
        ("PUT", "/sobjects/Account/0015g00000nowhr", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/query?q=" + "x" * 16_400, 414, "URI_TOO_LONG"),
    ):
        answer = await org.call(method, path)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)


async def test_bodies_in_all_their_shapes(org: Salesforce) -> None:
    address = f"{ROOT}/sobjects/Account"
    headers = {"Authorization": f"OAuth {org.token}", "Content-Type": "application/json; charset=UTF-8"}
    body = json.dumps({"Name": "Packed"}).encode()
    packed = await org.http.post(address, content=gzip.compress(body), headers={**headers, "Content-Encoding": "gzip"})
    assert packed.status_code == 201
    broken = await org.http.post(address, content=b'{"Name": ', headers=headers)
    assert (broken.status_code, broken.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    half = await org.http.post(address, content=b'{"Name": "\\ud800"}', headers=headers)
    assert (half.status_code, half.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    form = await org.http.post(address, content=b"Name=x", headers={**headers, "Content-Type": "text/plain"})
    assert form.status_code == 415
    listing = await org.call("GET", "/sobjects/Account/describe", Accept_Encoding="gzip")
    assert listing.headers["Content-Encoding"] == "gzip"
