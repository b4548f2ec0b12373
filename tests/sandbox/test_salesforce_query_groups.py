"""SOQL that counts and sums: GROUP BY, HAVING, the aggregate functions and their names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox.salesforce_calling import Salesforce, salesforce_at


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        for name, kind, staff, revenue in (
            ("G One", "Partner", 10, 100.5), ("G Two", "Partner", 20, 200.25), ("G Three", "Other", 30, None),
            ("g one", "Other", None, None),
        ):  # fmt: skip
            more = {"NumberOfEmployees": staff, "AnnualRevenue": revenue, "Fax": "sum"}
            await caller.create("Account", Name=name, Type=kind, **more)
        yield caller


async def groups(org: Salesforce, soql: str) -> list[dict[str, Any]]:
    answer = await org.query(soql)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["done"]
    assert body["totalSize"] == len(body["records"])
    for record in body["records"]:
        assert record.pop("attributes") == {"type": "AggregateResult"}
    return list(body["records"])


async def test_without_groups_there_is_one_result(org: Salesforce) -> None:
    soql = (
        "SELECT COUNT(Id), COUNT(NumberOfEmployees) staffed, COUNT_DISTINCT(Name), SUM(AnnualRevenue), "
        "AVG(NumberOfEmployees), MIN(Name), MAX(NumberOfEmployees) most FROM Account WHERE Fax = 'sum'"
    )
    [result] = await groups(org, soql)
    assert result == {
        "expr0": 4, "staffed": 3, "expr1": 3, "expr2": 300.75, "expr3": 20.0, "expr4": "G One", "most": 30,
    }  # fmt: skip
    [nothing] = await groups(org, "SELECT COUNT(Id), SUM(AnnualRevenue), MAX(Name) FROM Account WHERE Fax = 'none'")
    assert nothing == {"expr0": 0, "expr1": None, "expr2": None}


async def test_groups_are_counted_filtered_and_ordered(org: Salesforce) -> None:
    soql = "SELECT Type, COUNT(Id) n FROM Account WHERE Fax = 'sum' GROUP BY Type"
    assert await groups(org, f"{soql} ORDER BY Type") == [{"Type": "Other", "n": 2}, {"Type": "Partner", "n": 2}]
    assert await groups(org, f"{soql} HAVING SUM(NumberOfEmployees) > 30") == []
    assert await groups(org, f"{soql} HAVING MAX(NumberOfEmployees) = 30 AND Type LIKE 'o%'") == [
        {"Type": "Other", "n": 2}
    ]
    by_sum = await groups(org, f"{soql} ORDER BY SUM(AnnualRevenue) DESC NULLS LAST LIMIT 1")
    assert by_sum == [{"Type": "Partner", "n": 2}]
    assert len(await groups(org, f"{soql} ORDER BY COUNT(Id), Type LIMIT 5 OFFSET 1")) == 1


async def test_text_groups_without_case(org: Salesforce) -> None:
    found = await groups(org, "SELECT Name, COUNT(Id) FROM Account WHERE Fax = 'sum' GROUP BY Name ORDER BY Name")
    assert found == [{"Name": "G One", "expr0": 2}, {"Name": "G Three", "expr0": 1}, {"Name": "G Two", "expr0": 1}]


async def test_groups_by_relationship_and_by_date(org: Salesforce) -> None:
    soql = (
        "SELECT Pricebook2.Name book, COUNT(Id) FROM PricebookEntry GROUP BY Pricebook2.Name ORDER BY Pricebook2.Name"
    )
    assert [each["book"] for each in await groups(org, soql)] == ["Portal", "Standard Price Book"]
    soql = "SELECT CALENDAR_YEAR(CreatedDate) y, COUNT(Id) n FROM Product2 GROUP BY CALENDAR_YEAR(CreatedDate)"
    [year] = await groups(org, soql)
    [product] = await org.records("SELECT CreatedDate FROM Product2 LIMIT 1")
    assert year["y"] == int(product["CreatedDate"][:4])
    soql = (
        "SELECT DAY_ONLY(convertTimezone(CreatedDate)) d FROM Product2 GROUP BY DAY_ONLY(convertTimezone(CreatedDate))"
    )
    [day] = await groups(org, soql)
    assert day["d"] == org.sandbox.clock.today().isoformat()


async def test_groups_are_cut_by_a_limit(org: Salesforce) -> None:
    answer = await org.query("SELECT Id, COUNT(Name) FROM Product2 GROUP BY Id LIMIT 3")
    assert answer.json()["totalSize"] == 3


@pytest.mark.parametrize(
    ("soql", "words"),
    [
        ("SELECT Name, COUNT(Id) FROM Account", "Field must be grouped or aggregated: Name"),
        ("SELECT Phone FROM Account GROUP BY Name", "Field must be grouped or aggregated: Phone"),
        ("SELECT SUM(Name) FROM Account", "field Name does not support aggregate operator SUM"),
        ("SELECT MAX(IsDeleted) FROM Account", "does not support aggregate operator MAX"),
        ("SELECT COUNT(Description) FROM Account", "does not support aggregate operator COUNT"),
        ("SELECT COUNT(Id) FROM Account GROUP BY CreatedDate", "can not be grouped"),
        ("SELECT COUNT(Id) n, COUNT(Name) n FROM Account", "duplicate alias: n"),
        ("SELECT COUNT(), Name FROM Account", "unexpected token"),
        ("SELECT Name n FROM Account", "only aggregate expressions use field aliasing"),
        ("SELECT Id FROM Account HAVING COUNT(Id) > 1", "HAVING wants GROUP BY"),
        ("SELECT Id FROM Account WHERE COUNT(Id) > 1", "not allowed in WHERE"),
        ("SELECT Id FROM Account ORDER BY COUNT(Id)", "must be grouped"),
        ("SELECT CALENDAR_YEAR(CreatedDate) FROM Account", "needs GROUP BY"),
        ("SELECT NOSUCH(Name) FROM Account", "unexpected token: 'NOSUCH'"),
        ("SELECT Type FROM Account GROUP BY Type HAVING Phone = '1'", "Field must be grouped or aggregated: Phone"),
    ],
)
async def test_what_can_not_be_grouped(org: Salesforce, soql: str, words: str) -> None:
    answer = await org.query(soql)
    assert answer.status_code == 400
    [fault] = answer.json()
    assert fault["errorCode"] == "MALFORMED_QUERY"
    assert words in fault["message"]
