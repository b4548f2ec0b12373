"""SOQL over the wire: grammar, filters, relationships, paging and errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Caller, seeding
from portico_sandbox.salesforce.objects import ACCOUNT
from portico_sandbox.salesforce.sessions import STAFF_USER_ID
from portico_sandbox.salesforce.soql_index import candidates
from portico_sandbox.salesforce.soql_parse import parse
from portico_sandbox.salesforce.soql_ways import Scope
from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    folder: Path = tmp_path_factory.mktemp("org")
    async with salesforce_at(folder) as caller:
        yield caller


async def names(org: Salesforce, rest: str) -> list[str]:
    return [each["StockKeepingUnit"] for each in await org.records(f"SELECT StockKeepingUnit FROM Product2 {rest}")]


async def test_records_carry_attributes_and_nulls(org: Salesforce) -> None:
    [record] = await org.records("SELECT Id, name, Portal_User_Id__c FROM account WHERE Customer_Number__c='CN-100101'")
    assert record == {
        "attributes": {"type": "Account", "url": f"{ROOT}/sobjects/Account/{org.account_id()}"},
        "Id": org.account_id(),
        "Name": "佐藤 陽菜",
        "Portal_User_Id__c": None,
    }


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("StockKeepingUnit = 'vpn-home'", ["VPN-HOME"]),
        ("StockKeepingUnit IN ('VPN-HOME', 'OTH-MAIL') AND Category__c = 'VPN'", ["VPN-HOME"]),
        ("StockKeepingUnit LIKE 'VPN-%' AND (NOT StockKeepingUnit LIKE '%-ROU_ER')", ["VPN-HOME", "VPN-TEAM"]),
        ("Category__c = 'VPN' AND Display_Order__c >= 320", ["VPN-TEAM", "VPN-ROUTER"]),
        ("IsActive = FALSE", ["NET-ADSL"]),
        ("IsActive != TRUE OR StockKeepingUnit = 'VPN-HOME'", ["NET-ADSL", "VPN-HOME"]),
        ("Category__c = 'Other' AND Eligibility__c = null", ["OTH-SUPPORT", "OTH-MAIL", "OTH-STAFF-LINE"]),
        ("Sim_Kind__c IN (null, 'Physical') AND Category__c = 'Mobile' AND Item_Class__c = 'Service'",
         ["MOB-SIM-10GB"]),
        ("Eligibility__c INCLUDES ('Internet') AND Item_Class__c = 'Installation' AND Display_Order__c < 240",
         ["NET-INST-STD"]),
        ("Eligibility__c EXCLUDES ('Internet','Mobile') AND Category__c NOT IN ('VPN') AND Portal_Visible__c = true",
         ["OTH-SUPPORT", "OTH-MAIL"]),
        ("Name LIKE 'VPN\\_%'", []),
        ("Promotion__c LIKE 'First%' AND CreatedDate = TODAY AND CreatedDate > LAST_N_DAYS:3", []),
        ("Promotion__c LIKE 'First%' AND CreatedDate >= LAST_N_DAYS:3 AND CreatedDate > 2020-01-01T00:00:00+09:00",
         ["NET-FIBER-10G"]),
        ("Id IN (SELECT Product2Id FROM PricebookEntry WHERE UnitPrice > 15000)", ["NET-INST-STD"]),
    ],
)  # fmt: skip
async def test_filters(org: Salesforce, where: str, expected: list[str]) -> None:
    assert await names(org, f"WHERE {where} ORDER BY Display_Order__c") == expected


async def test_text_is_unescaped(org: Salesforce) -> None:
    [record] = await org.records(r"SELECT Name, BillingStreet FROM Account WHERE Name = 'Oliver O\'Brien'")
    assert "\n" in record["BillingStreet"]
    assert await org.records(r"SELECT Id FROM Account WHERE Name LIKE 'Oliver O\'Br\u0069en'")


async def test_order_limit_and_offset(org: Salesforce) -> None:
    down = await names(org, "ORDER BY Display_Order__c DESC LIMIT 2")
    assert down == ["OTH-STAFF-LINE", "OTH-MAIL"]
    assert await names(org, "ORDER BY Display_Order__c DESC NULLS LAST LIMIT 1 OFFSET 1") == ["OTH-MAIL"]
    first = await names(org, "WHERE Category__c = 'Mobile' ORDER BY Sim_Kind__c, Display_Order__c LIMIT 1")
    last = await names(org, "WHERE Category__c = 'Mobile' ORDER BY Sim_Kind__c NULLS LAST, Display_Order__c LIMIT 1")
    assert (first, last) == (["MOB-ACT-ESIM"], ["MOB-ESIM-3GB"])


async def test_parents_and_children(org: Salesforce) -> None:
    soql = (
        "SELECT e.UnitPrice, Product2.Name, Product2.StockKeepingUnit, Pricebook2.IsStandard FROM PricebookEntry e "
        "WHERE Product2.StockKeepingUnit = 'VPN-HOME' ORDER BY Pricebook2.IsStandard"
    )
    portal, standard = await org.records(soql)
    assert (portal["UnitPrice"], portal["Product2"]["Name"]) == (500.0, "VPN Home")
    assert portal["Product2"]["attributes"]["type"] == "Product2"
    assert (portal["Pricebook2"]["IsStandard"], standard["Pricebook2"]["IsStandard"]) == (False, True)
    soql = "SELECT Name, Parent.Name, (SELECT LastName FROM Contacts LIMIT 1), (SELECT Id FROM Orders) FROM Account "
    [account] = await org.records(soql + "WHERE Customer_Number__c = 'CN-100102'")
    assert account["Parent"] is None
    assert account["Orders"] is None
    assert account["Contacts"]["totalSize"] == 1
    assert account["Contacts"]["records"][0]["LastName"] == "Fischer"


async def test_compound_and_mirrored_fields(org: Salesforce) -> None:
    [account] = await org.records("SELECT BillingAddress FROM Account WHERE Customer_Number__c = 'CN-100102'")
    assert account["BillingAddress"]["postalCode"] == "106-0032"
    [entry] = await org.records(f"SELECT Name, ProductCode FROM PricebookEntry WHERE Id = '{org.entry_id()}'")
    assert (entry["Name"], entry["ProductCode"]) == ("Mobile eSIM 3 GB", "MOB-ESIM-3GB")


async def test_counting(org: Salesforce) -> None:
    answer = (await org.query("SELECT COUNT() FROM Product2 WHERE Category__c = 'VPN'")).json()
    assert answer == {"totalSize": 3, "done": True, "records": []}


async def test_pages_follow_each_other(org: Salesforce) -> None:
    soql = "SELECT StockKeepingUnit FROM Product2 ORDER BY StockKeepingUnit"
    everything = await names(org, "ORDER BY StockKeepingUnit")
    page = (await org.query(soql, Sforce_Query_Options="batchSize=10")).json()
    seen = [each["StockKeepingUnit"] for each in page["records"]]
    while not page["done"]:
        assert page["nextRecordsUrl"].startswith(f"{ROOT}/query/01g")
        page = (await org.call("GET", page["nextRecordsUrl"], Sforce_Query_Options="batchSize=10")).json()
        assert page["totalSize"] == len(everything)
        seen += [each["StockKeepingUnit"] for each in page["records"]]
    assert seen == everything
    lost = await org.call("GET", f"{ROOT}/query/01g000000000000-10")
    assert (lost.status_code, lost.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


async def test_query_with_a_trailing_slash(org: Salesforce) -> None:
    answer = await org.call("GET", f"{ROOT}/query/?q=SELECT+Id+FROM+Product2+LIMIT+1")
    assert answer.json()["totalSize"] == 1


async def test_deleted_rows_only_in_query_all(org: Salesforce) -> None:
    gone = await org.create("Account", Name="Gone tomorrow")
    await org.call("DELETE", f"/sobjects/Account/{gone}")
    assert await org.records("SELECT Id FROM Account WHERE Name = 'Gone tomorrow'") == []
    everything = await org.call("GET", "/queryAll?q=SELECT IsDeleted FROM Account WHERE Name = 'Gone tomorrow'")
    assert [each["IsDeleted"] for each in everything.json()["records"]] == [True]


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Account WHERE Name = 'a", "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Phone = 'b' OR Phone = 'c'", "MALFORMED_QUERY", "token: 'OR'"),
        ("SELECT Id FROM Account WHERE Name = 'a\\q'", "MALFORMED_QUERY", "Illegal string literal"),
        ("SELECT Id FROM Account LIMIT many", "MALFORMED_QUERY", "unexpected token: 'many'"),
        ("UPDATE Account", "MALFORMED_QUERY", "unexpected token: 'UPDATE'"),
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'"),
        ("SELECT Owner.Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'User'"),
        ("SELECT Id FROM Account WHERE Nope = 1", "INVALID_FIELD", "No such column"),
        ("SELECT Boss.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Boss'"),
        ("SELECT (SELECT Nope FROM Contacts) FROM Account", "INVALID_FIELD", "No such column"),
        ("SELECT Id FROM Account WHERE NumberOfEmployees = '3'", "INVALID_FIELD", "must be of type double"),
        ("SELECT Id FROM Account WHERE CreatedDate > '2020-01-01'", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Account WHERE Id = '123'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported"),
        ("SELECT (SELECT Id FROM Nopes) FROM Account", "INVALID_TYPE", "Didn't understand relationship"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "offset"),
    ],
)
async def test_wrong_queries(org: Salesforce, soql: str, code: str, words: str) -> None:
    answer = await org.query(soql)
    assert answer.status_code == 400
    [fault] = answer.json()
    assert fault["errorCode"] == code
    assert words in fault["message"]


async def test_equality_on_unique_fields_is_a_look_up(org: Salesforce) -> None:
    """However many accounts there are, only the one that the index names is looked at."""
    sandbox = org.sandbox
    with seeding(sandbox, Caller(STAFF_USER_ID), sandbox.clock.now() - timedelta(days=1)) as changes:
        for number in range(200):
            rows.create(changes, ACCOUNT, {"Name": f"Bulk {number}", "Customer_Number__c": f"BULK-{number}"})
    query = parse("SELECT Id FROM Account WHERE Name LIKE 'Bulk%' AND Customer_Number__c = 'bulk-77'")
    looked_at = candidates(Scope(sandbox, ACCOUNT), query.where, lambda _query: [], deleted=False)
    assert [row["Name"] for row in looked_at] == ["Bulk 77"]
