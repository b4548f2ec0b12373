"""The rest of SOQL's words: date literals, FIELDS(), joins, names and escapes, and the limits of a statement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from portico_sandbox.salesforce.knobs import turn
from portico_sandbox.salesforce.soql_dates import days_of
from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at

TODAY = date(2026, 11, 23)  # a Monday


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        yield caller


@pytest.mark.parametrize(
    ("literal", "first", "last"),
    [
        ("TODAY", "2026-11-23", "2026-11-23"),
        ("YESTERDAY", "2026-11-22", "2026-11-22"),
        ("TOMORROW", "2026-11-24", "2026-11-24"),
        ("THIS_WEEK", "2026-11-22", "2026-11-28"),
        ("LAST_WEEK", "2026-11-15", "2026-11-21"),
        ("NEXT_MONTH", "2026-12-01", "2026-12-31"),
        ("LAST_MONTH", "2026-10-01", "2026-10-31"),
        ("LAST_90_DAYS", "2026-08-25", "2026-11-23"),
        ("NEXT_90_DAYS", "2026-11-24", "2027-02-21"),
        ("THIS_QUARTER", "2026-10-01", "2026-12-31"),
        ("NEXT_QUARTER", "2027-01-01", "2027-03-31"),
        ("THIS_FISCAL_QUARTER", "2026-10-01", "2026-12-31"),
        ("LAST_YEAR", "2025-01-01", "2025-12-31"),
        ("LAST_N_DAYS:3", "2026-11-20", "2026-11-23"),
        ("NEXT_N_DAYS:2", "2026-11-24", "2026-11-25"),
        ("N_DAYS_AGO:7", "2026-11-16", "2026-11-16"),
        ("LAST_N_WEEKS:2", "2026-11-08", "2026-11-21"),
        ("LAST_N_MONTHS:2", "2026-09-01", "2026-10-31"),
        ("N_MONTHS_AGO:11", "2025-12-01", "2025-12-31"),
        ("NEXT_N_YEARS:2", "2027-01-01", "2028-12-31"),
        ("N_FISCAL_YEARS_AGO:1", "2025-01-01", "2025-12-31"),
    ],
)
def test_date_literals_mean_days(literal: str, first: str, last: str) -> None:
    days = days_of(literal, TODAY)
    assert days
    assert (days[0].isoformat(), (days[1] - timedelta(days=1)).isoformat()) == (first, last)


@pytest.mark.parametrize("literal", ["SOMEDAY", "LAST_N_DAYS", "TODAY:3", "LAST_N_YEARS:99999", "NEXT_DECADE"])
def test_no_date_literals(literal: str) -> None:
    assert days_of(literal, TODAY) is None


async def test_dates_compare_with_literals(org: Salesforce) -> None:
    today = org.sandbox.clock.today()
    for days in (-40, 0, 40):
        moment = (today + timedelta(days=days)).isoformat()
        await org.create("Contact", LastName=f"Dated {days}", Birthdate=moment)
    for where, expected in (
        ("Birthdate = TODAY", [0]),
        ("Birthdate < TODAY", [-40]),
        ("Birthdate > LAST_N_DAYS:10", [40]),
        ("Birthdate >= LAST_N_DAYS:10", [0, 40]),
        ("Birthdate IN (TODAY, NEXT_N_DAYS:90)", [0, 40]),
        (f"CALENDAR_YEAR(Birthdate) = {today.year} AND Birthdate = TODAY", [0]),
        (f"DAY_IN_MONTH(Birthdate) = {today.day} AND Birthdate = TODAY", [0]),
        ("CreatedDate = THIS_YEAR AND Birthdate != null AND CreatedDate >= TODAY", [-40, 0, 40]),
    ):
        soql = f"SELECT LastName FROM Contact WHERE LastName LIKE 'Dated%' AND {where} ORDER BY Birthdate"
        assert [int(each["LastName"].split()[1]) for each in await org.records(soql)] == expected, where


async def test_groups_of_fields(org: Salesforce) -> None:
    [standard] = await org.records("SELECT FIELDS(STANDARD) FROM Product2 LIMIT 1")
    assert "Name" in standard
    assert not [name for name in standard if name.endswith("__c")]
    [custom] = await org.records("SELECT Id, FIELDS(CUSTOM) FROM Product2 LIMIT 1")
    assert {"Id", "Category__c"} < set(custom)
    assert "Name" not in custom
    [everything] = await org.records("SELECT FIELDS(ALL) FROM Product2 LIMIT 1")
    assert set(everything) == set(standard) | set(custom)


async def test_names_are_written_in_any_case(org: Salesforce) -> None:
    soql = "select id, OWNER.name, tolabel(TYPE) from ACCOUNT as a where a.customer_number__C in ('cn-100101') limit 1"
    [record] = await org.records(soql + " for view")
    assert set(record) == {"attributes", "Id", "Owner", "Type"}
    assert record["Owner"]["attributes"]["type"] == "User"


async def test_relationships_lead_several_levels_up(org: Salesforce) -> None:
    soql = (
        "SELECT Case.Account.Owner.Name FROM EmailMessage WHERE Parent.Account.Customer_Number__c = 'CN-100401' "
        "AND Parent.Account.Owner.IsActive = true LIMIT 1"
    )
    [mail] = await org.records(soql.replace("Case.", "Parent."))
    assert mail["Parent"]["Account"]["Owner"]["Name"]
    by_alias = "SELECT c.LastName, a.Name FROM Contact c, c.Account a WHERE a.Customer_Number__c = 'CN-100102'"
    assert [each["Account"]["Name"] for each in await org.records(by_alias)]


async def test_semi_joins(org: Salesforce) -> None:
    all_contacts = {each["Id"] for each in await org.records("SELECT Id FROM Contact WHERE AccountId != null")}
    inside = "SELECT Id FROM Account WHERE Customer_Number__c LIKE 'CN-1001%'"
    some = {each["Id"] for each in await org.records(f"SELECT Id FROM Contact WHERE AccountId IN ({inside})")}
    soql = f"SELECT Id FROM Contact WHERE AccountId != null AND AccountId NOT IN ({inside})"
    others = {each["Id"] for each in await org.records(soql)}
    assert some
    assert others
    assert (some | others, some & others) == (all_contacts, set())


async def test_conditions_nest(org: Salesforce) -> None:
    soql = (
        "SELECT StockKeepingUnit FROM Product2 WHERE ((Category__c = 'VPN' AND NOT (Item_Class__c = 'Service' OR "
        "IsActive = false)) OR ((StockKeepingUnit = 'OTH-MAIL'))) ORDER BY StockKeepingUnit DESC"
    )
    assert [each["StockKeepingUnit"] for each in await org.records(soql)] == ["VPN-ROUTER", "OTH-MAIL"]


async def test_escapes(org: Salesforce) -> None:
    await org.create("Account", Name="Tab\there \"and\" 'there' \\ é", Fax="escaped")
    for literal in (r"Tab\there \"and\" \'there\' \\ \u00e9", "Tab\\There \"and\" \\'there\\' \\\\ é"):
        found = await org.records(f"SELECT Id FROM Account WHERE Name = '{literal}' AND Fax = 'escaped'")
        assert len(found) == 1, literal
    for literal in (r"\q", r"\u12", r"\_", r"\%"):
        answer = await org.query(f"SELECT Id FROM Account WHERE Name = '{literal}'")
        assert answer.json()[0]["errorCode"] == "MALFORMED_QUERY", literal


async def test_binary_fields_are_addresses(org: Salesforce) -> None:
    file = await org.create("ContentVersion", Title="t", PathOnClient="t.txt", VersionData="aGk=")
    [record] = await org.records(f"SELECT VersionData FROM ContentVersion WHERE Id = '{file}'")
    assert record["VersionData"] == f"{ROOT}/sobjects/ContentVersion/{file}/VersionData"


async def test_pages_keep_their_size_and_grow_old(org: Salesforce) -> None:
    soql = "SELECT Id FROM Product2"
    first = (await org.query(soql, Sforce_Query_Options="batchSize=10")).json()
    second = (await org.call("GET", first["nextRecordsUrl"])).json()
    assert (len(second["records"]), second["done"]) == (10, False)
    turn(org.sandbox, "smallest_batch", "200")
    assert (await org.query(soql, Sforce_Query_Options="batchSize=10")).json()["done"]
    turn(org.sandbox, "smallest_batch", "1")
    turn(org.sandbox, "locator_hours", "-1")
    late = await org.call("GET", first["nextRecordsUrl"])
    assert (late.status_code, late.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    turn(org.sandbox, "locator_hours", "48")


async def test_plans_are_explained(org: Salesforce) -> None:
    plans = (await org.call("GET", "/query?explain=SELECT Id FROM Account WHERE Id = '001000000000000AAA'")).json()
    assert plans["plans"][0]["sobjectType"] == "Account"


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        ("SELECT FIELDS(ALL) FROM Product2", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT FIELDS(CUSTOM) FROM Product2 LIMIT 201", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT Id, id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Name, FIELDS(STANDARD) FROM Account", "INVALID_FIELD", "duplicate field selected: Name"),
        ("SELECT Id FROM Account WHERE CreatedDate = SOMEDAY", "MALFORMED_QUERY", "unexpected token: 'SOMEDAY'"),
        ("SELECT Id FROM Contact WHERE Birthdate = 2026-02-30", "INVALID_FIELD", "must be of type date"),
        ("SELECT Id FROM Account WHERE IsDeleted > true", "INVALID_QUERY_FILTER_OPERATOR", "boolean"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT Id FROM Account WHERE Name INCLUDES ('a')", "INVALID_QUERY_FILTER_OPERATOR", "multi-select"),
        ("SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "can not be sorted"),
        ("SELECT Id FROM Account WHERE Name IN (SELECT Id FROM Contact)", "MALFORMED_QUERY", "should be an id field"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Contact)", "MALFORMED_QUERY", "must be an id field"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Contact)", "MALFORMED_QUERY", "same object type"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Id, Name FROM Account)", "MALFORMED_QUERY", "only query one"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE AccountId IN "
         "(SELECT Id FROM Account))", "MALFORMED_QUERY", "Nesting of semi join"),
        ("SELECT (SELECT COUNT() FROM Contacts) FROM Account", "MALFORMED_QUERY", "Aggregate functions"),
        ("SELECT Id FROM ContentDocumentLink", "MALFORMED_QUERY", "requires a filter by a single Id"),
        ("SELECT Id FROM Account FOR NOTHING", "MALFORMED_QUERY", "unexpected token: 'NOTHING'"),
        ("SELECT Id FROM Account LIMIT 1 WHERE Id = null", "MALFORMED_QUERY", "unexpected token: 'WHERE'"),
        ("SELECT Id FROM Account WHERE " + "(" * 200 + "Id = null" + ")" * 200, "MALFORMED_QUERY", "too deeply"),
        ("SELECT Owner.Manager.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Manager'"),
    ],
)  # fmt: skip
async def test_wrong_queries(org: Salesforce, soql: str, code: str, words: str) -> None:
    answer = await org.query(soql)
    assert answer.status_code == 400
    [fault] = answer.json()
    assert (fault["errorCode"], words in fault["message"]) == (code, True), fault


async def test_a_fault_points_at_its_place(org: Salesforce) -> None:
    [fault] = (await org.query("SELECT Id,\n Nope FROM Account")).json()
    lines = fault["message"].splitlines()
    assert lines[3] == "ERROR at Row:2:Column:2"
    assert lines[1][lines[2].index("^") :].startswith("Nope")


async def test_statements_and_literals_have_a_longest(org: Salesforce) -> None:
    async def codes(soql: str) -> Any:
        # Too long for an address: a batch carries it in a body.
        asked = {"method": "GET", "url": f"v68.0/query?q={soql}"}
        answer = await org.call("POST", "/composite/batch", {"batchRequests": [asked]})
        [result] = answer.json()["results"]
        return result["statusCode"], result["result"]

    status, _ = await codes(f"SELECT Id FROM Account WHERE Name = '{'x' * 4_000}'")
    assert status == 200
    status, [fault] = await codes(f"SELECT Id FROM Account WHERE Name = '{'x' * 4_001}'")
    assert (status, fault["errorCode"]) == (400, "MALFORMED_QUERY")
    status, [fault] = await codes("SELECT Id FROM Account" + " " * 100_000)
    assert (status, "100000" in fault["message"]) == (400, True)
