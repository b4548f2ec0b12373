"""Files: uploaded as base64 or in parts, read back byte by byte, linked to what they belong to."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest

from portico_sandbox.sandbox import open_sandbox
from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at

CONTENT = bytes(range(256)) + b"\r\n--x\r\n\r\n" + "日本".encode()


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        yield caller


async def a_case(org: Salesforce) -> str:
    [case] = await org.records("SELECT Id FROM Case WHERE Subject = 'My line is suspended'")
    return str(case["Id"])


async def test_a_file_in_json_hangs_on_its_case(org: Salesforce) -> None:
    case = await a_case(org)
    encoded = base64.b64encode(CONTENT).decode()
    version = await org.create(
        "ContentVersion", PathOnClient="dir/Bill.PDF", VersionData=encoded, FirstPublishLocationId=case
    )
    row = (await org.call("GET", f"/sobjects/ContentVersion/{version}")).json()
    assert (row["Title"], row["FileType"], row["ContentSize"], row["IsLatest"]) == ("Bill", "PDF", len(CONTENT), True)
    read = await org.call("GET", row["VersionData"])
    assert (read.status_code, read.content) == (200, CONTENT)
    soql = (
        "SELECT ContentDocumentId, ContentDocument.Title, ContentDocument.LatestPublishedVersionId "
        f"FROM ContentDocumentLink WHERE LinkedEntityId = '{case}'"
    )
    [link] = await org.records(soql)
    assert link["ContentDocument"]["LatestPublishedVersionId"] == version
    document = {"ContentDocumentId": link["ContentDocumentId"], "PathOnClient": "Bill2.pdf", "VersionData": "aGk="}
    second = await org.create("ContentVersion", **document)
    where = f"ContentDocumentId = '{link['ContentDocumentId']}'"
    soql = f"SELECT Id, IsLatest, VersionNumber FROM ContentVersion WHERE {where}"
    versions = {each["Id"]: (each["IsLatest"], each["VersionNumber"]) for each in await org.records(soql)}
    assert versions == {version: (False, "1"), second: (True, "2")}
    again = {"ContentDocumentId": link["ContentDocumentId"], "LinkedEntityId": case}
    answer = await org.call("POST", "/sobjects/ContentDocumentLink", again)
    assert answer.json()[0]["errorCode"] == "DUPLICATE_VALUE"
    await org.create("ContentDocumentLink", **{**again, "LinkedEntityId": org.account_id()})


async def test_a_file_in_parts(org: Salesforce) -> None:
    fields = json.dumps({"Title": "In parts", "PathOnClient": "parts.bin"}).encode()
    parts = (
        b'--line\r\nContent-Disposition: form-data; name="entity_content";\r\nContent-Type: application/json\r\n\r\n'
        + fields
        + b'\r\n--line\r\nContent-Disposition: form-data; name="VersionData"; filename="parts.bin"\r\n'
        + b"Content-Type: application/octet-stream\r\n\r\n"
        + CONTENT
        + b"\r\n--line--\r\n"
    )
    kind = 'multipart/form-data; boundary="line"'
    headers = {"Authorization": f"Bearer {org.token}", "Content-Type": kind}
    answer = await org.http.post(f"{ROOT}/sobjects/ContentVersion", content=parts, headers=headers)
    assert answer.status_code == 201, answer.text
    read = await org.call("GET", f"/sobjects/ContentVersion/{answer.json()['id']}/VersionData")
    assert read.content == CONTENT


async def test_a_file_needs_content(org: Salesforce) -> None:
    for data, code in ((None, "REQUIRED_FIELD_MISSING"), ("no base64!", "INVALID_TYPE_ON_FIELD_IN_RECORD")):
        body = {"Title": "Empty", "PathOnClient": "x.txt", "VersionData": data}
        answer = await org.call("POST", "/sobjects/ContentVersion", body)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert await org.records("SELECT Id FROM ContentDocument WHERE Title = 'Empty'") == []
    missing = await org.call("GET", f"/sobjects/ContentVersion/{'0685g00000nowhr'}/VersionData")
    assert missing.status_code == 404


async def test_files_outlive_a_restart(org: Salesforce) -> None:
    encoded = base64.b64encode(b"kept").decode()
    version = await org.create("ContentVersion", PathOnClient="kept.txt", VersionData=encoded)
    reopened = open_sandbox(org.sandbox.settings).store
    assert reopened.get("sf_content", f"{version}:VersionData") == {"base64": encoded}
    reopened.close()
