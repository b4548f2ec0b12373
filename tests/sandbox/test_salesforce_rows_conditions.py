"""Rows under conditions, what changed lately, and the way back out of the recycle bin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import pytest

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.salesforce.org_control import show_a_field, undelete_row
from tests.sandbox.salesforce_calling import Salesforce, salesforce_at


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        yield caller


async def test_accounts_have_strong_validators(org: Salesforce) -> None:
    path = f"/sobjects/Account/{await org.create('Account', Name='Tagged')}"
    tag = (await org.call("GET", path)).headers["ETag"]
    same = await org.call("GET", path, If_None_Match=f'"other", {tag}')
    assert (same.status_code, same.content) == (304, b"")
    assert (await org.call("PATCH", path, {"Phone": "1"}, If_Match=tag)).status_code == 204
    late = await org.call("PATCH", path, {"Phone": "2"}, If_Match=tag)
    assert (late.status_code, late.json()[0]["errorCode"]) == (412, "PRECONDITION_FAILED")
    fresh = await org.call("GET", path, If_None_Match=tag)
    assert (fresh.status_code, fresh.json()["Phone"]) == (200, "1")
    assert (await org.call("GET", path, If_Match="*")).status_code == 200


async def test_other_rows_know_times_alone(org: Salesforce) -> None:
    path = f"/sobjects/Contact/{await org.create('Contact', LastName='Timed')}"
    first = await org.call("GET", path)
    assert "ETag" not in first.headers
    assert (await org.call("PATCH", path, {"Phone": "1"}, If_Match='"x"')).status_code == 204
    changed = (await org.call("GET", path)).headers["Last-Modified"]
    assert (await org.call("GET", path, If_Modified_Since=changed)).status_code == 304
    before = format_datetime(org.sandbox.clock.now() - timedelta(hours=1), usegmt=True)
    assert (await org.call("GET", path, If_Modified_Since=before)).status_code == 200
    refused = await org.call("PATCH", path, {"Phone": "2"}, If_Unmodified_Since=before)
    assert refused.status_code == 412
    assert (await org.call("PATCH", path, {"Phone": "2"}, If_Unmodified_Since=changed)).status_code == 204
    assert (await org.call("GET", path, If_Modified_Since="not a date")).status_code == 200


async def test_descriptions_change_with_rights(org: Salesforce) -> None:
    path = "/sobjects/Contact/describe"
    seen = (await org.call("GET", path)).headers["Last-Modified"]
    assert (await org.call("GET", path, If_Modified_Since=seen)).status_code == 304
    await show_a_field(org.sandbox, "Contact", "Title")
    fresh = await org.call("GET", path, If_Modified_Since=seen)
    assert fresh.status_code == 200
    assert "Title" not in [each["name"] for each in fresh.json()["fields"]]
    assert (await org.call("GET", path, If_Modified_Since=fresh.headers["Last-Modified"])).status_code == 304


async def test_changed_and_deleted_rows_are_listed(org: Salesforce) -> None:
    kept, gone = [await org.create("Account", Name=name) for name in ("Kept", "Gone")]
    await org.call("DELETE", f"/sobjects/Account/{gone}")
    now = org.sandbox.clock.now()

    def span(start: datetime, end: datetime) -> str:
        return f"?start={quote(start.isoformat(timespec='seconds'))}&end={quote(end.isoformat(timespec='seconds'))}"

    around = span(now - timedelta(minutes=5), now + timedelta(minutes=5))
    updated = (await org.call("GET", f"/sobjects/Account/updated/{around}")).json()
    assert kept in updated["ids"]
    assert gone not in updated["ids"]
    assert updated["latestDateCovered"].endswith("+0000")
    deleted = (await org.call("GET", f"/sobjects/Account/deleted/{around}")).json()
    assert gone in [each["id"] for each in deleted["deletedRecords"]]
    earlier = span(now - timedelta(days=2), now - timedelta(days=1))
    assert (await org.call("GET", f"/sobjects/Account/updated/{earlier}")).json()["ids"] == []
    for wrong in (span(now, now - timedelta(days=1)), span(now - timedelta(days=40), now)):
        answer = await org.call("GET", f"/sobjects/Account/updated/{wrong}")
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")
    assert (await org.call("GET", "/sobjects/Account/updated/?start=yesterday")).status_code == 400


async def test_recent_rows(org: Salesforce) -> None:
    account = await org.create("Account", Name="Just now")
    items = (await org.call("GET", "/sobjects/Account")).json()
    assert items["objectDescribe"]["name"] == "Account"
    assert account in [each["Id"] for each in items["recentItems"]]
    recent = (await org.call("GET", "/recent?limit=3")).json()
    assert [set(each) for each in recent] == [{"attributes", "Id", "Name"}] * 3


async def test_a_post_may_stand_for_a_patch(org: Salesforce) -> None:
    account = await org.create("Account", Name="Tunnel")
    answer = await org.call("POST", f"/sobjects/Account/{account}?_HttpMethod=PATCH", {"Phone": "9"})
    assert answer.status_code == 204
    assert (await org.call("GET", f"/sobjects/Account/{account}")).json()["Phone"] == "9"


async def test_out_of_the_recycle_bin(org: Salesforce) -> None:
    account = await org.create("Account", Name="Back", Customer_Number__c="BACK-1")
    contact = await org.create("Contact", LastName="Back", AccountId=account)
    earlier = await org.create("Contact", LastName="Earlier", AccountId=account)
    await org.call("DELETE", f"/sobjects/Contact/{earlier}")
    org.sandbox.clock.move(timedelta(seconds=2))
    await org.call("DELETE", f"/sobjects/Account/{account}")
    assert await org.records("SELECT Id FROM Account WHERE Customer_Number__c = 'BACK-1'") == []
    await undelete_row(org.sandbox, account)
    soql = "SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Customer_Number__c = 'BACK-1'"
    [back] = await org.records(soql)
    assert [each["Id"] for each in back["Contacts"]["records"]] == [contact]
    with pytest.raises(ButtonRefused, match="not in the recycle bin"):
        await undelete_row(org.sandbox, account)


async def test_a_taken_key_keeps_a_row_in_the_bin(org: Salesforce) -> None:
    account = await org.create("Account", Name="First", Customer_Number__c="BACK-2")
    await org.call("DELETE", f"/sobjects/Account/{account}")
    await org.create("Account", Name="Second", Customer_Number__c="BACK-2")
    with pytest.raises(ButtonRefused, match="DUPLICATE_VALUE"):
        await undelete_row(org.sandbox, account)
