"""Jobs of the Bulk API 2.0: states, tables in both directions, and what a job refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        yield caller


async def uploaded(org: Salesforce, text: str, **job: Any) -> str:
    """The id of an ingest job that has its table, and is not worked off yet."""
    made = await org.call("POST", "/jobs/ingest", {"object": "Account", "contentType": "CSV", **job})
    assert (made.status_code, made.json()["state"]) == (200, "Open")
    address = f"/{made.json()['contentUrl']}"
    headers = {"Authorization": f"Bearer {org.token}", "Content-Type": "text/csv"}
    answer: httpx2.Response = await org.http.put(address, content=text.encode(), headers=headers)
    assert answer.status_code == 201
    return str(made.json()["id"])


async def worked_off(org: Salesforce, text: str, **job: Any) -> str:
    job_id = await uploaded(org, text, **job)
    assert (await org.call("PATCH", f"/jobs/ingest/{job_id}", {"state": "UploadComplete"})).status_code == 200
    told = (await org.call("GET", f"/jobs/ingest/{job_id}")).json()
    assert told["state"] == "JobComplete"
    return job_id


async def results(org: Salesforce, job_id: str, kind: str) -> list[str]:
    answer = await org.call("GET", f"/jobs/ingest/{job_id}/{kind}")
    assert answer.headers["Content-Type"].startswith("text/csv")
    return answer.text.splitlines()


async def test_a_table_of_rows(org: Salesforce) -> None:
    text = 'Name|Parent.Customer_Number__c|NumberOfEmployees|Phone\r\nFirst|CN-100101|7|\r\n"Second|x"|CN-0||1\r\n'
    job = await worked_off(org, text, operation="insert", columnDelimiter="PIPE", lineEnding="CRLF")
    good = await results(org, job, "successfulResults")
    assert good[0] == '"sf__Id"|"sf__Created"|"Name"|"Parent.Customer_Number__c"|"NumberOfEmployees"|"Phone"'
    assert good[1].endswith('"true"|"First"|"CN-100101"|"7"|""')
    [_, bad] = await results(org, job, "failedResults")
    assert "INVALID_FIELD" in bad
    assert bad.endswith('"Second|x"|"CN-0"|""|"1"')
    assert len(await results(org, job, "unprocessedrecords")) == 1
    [row] = await org.records("SELECT ParentId, NumberOfEmployees, Phone FROM Account WHERE Name = 'First'")
    assert (row["ParentId"], row["NumberOfEmployees"], row["Phone"]) == (org.account_id(), 7, None)


async def test_empty_cells_keep_and_marks_clear(org: Salesforce) -> None:
    account = await org.create("Account", Name="Cells", Phone="1", Fax="2")
    await worked_off(org, f"Id,Phone,Fax\n{account},,#N/A\n", operation="update")
    row = (await org.call("GET", f"/sobjects/Account/{account}")).json()
    assert (row["Phone"], row["Fax"]) == ("1", None)


async def test_jobs_have_states(org: Salesforce) -> None:
    job = await uploaded(org, "Name\nNever\n", operation="insert")
    assert (await org.call("PATCH", f"/jobs/ingest/{job}", {"state": "Aborted"})).json()["state"] == "Aborted"
    late = await org.call("PATCH", f"/jobs/ingest/{job}", {"state": "UploadComplete"})
    assert (late.status_code, late.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")
    assert await org.records("SELECT Id FROM Account WHERE Name = 'Never'") == []
    assert (await org.call("DELETE", f"/jobs/ingest/{job}")).status_code == 204
    assert (await org.call("GET", f"/jobs/ingest/{job}")).status_code == 404


async def test_a_query_job_in_pages(org: Salesforce) -> None:
    soql = "SELECT Id, CreatedDate, IsActive, Promotion__c FROM Product2"
    job = (await org.call("POST", "/jobs/query", {"operation": "query", "query": soql})).json()
    assert (await org.call("GET", f"/jobs/query/{job['id']}")).json()["state"] == "JobComplete"
    lines, locator = [], ""
    while locator != "null":
        page = await org.call("GET", f"/jobs/query/{job['id']}/results?maxRecords=10&locator={locator}")
        assert len(page.text.splitlines()) == int(page.headers["Sforce-NumberOfRecords"]) + 1
        lines += page.text.splitlines()[1:]
        locator = page.headers["Sforce-Locator"]
    assert len(lines) == len(await org.records("SELECT Id FROM Product2"))
    assert '.000Z","true",' in lines[0]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("query", {"query": "SELECT Nope FROM Account"}, "INVALID_FIELD"),
        ("query", {"query": "SELECT COUNT(Id) FROM Account"}, "API_ERROR"),
        ("query", {"query": "SELECT Id, (SELECT Id FROM Contacts) FROM Account"}, "API_ERROR"),
        ("ingest", {"object": "Nope", "operation": "insert"}, "INVALID_TYPE"),
        ("ingest", {"object": "Account", "operation": "juggle"}, "INVALIDJOB"),
        ("ingest", {"object": "Account", "operation": "insert", "columnDelimiter": "DOT"}, "INVALIDJOB"),
    ],
)
async def test_no_jobs(org: Salesforce, path: str, body: dict[str, Any], code: str) -> None:
    answer = await org.call("POST", f"{ROOT}/jobs/{path}", body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
