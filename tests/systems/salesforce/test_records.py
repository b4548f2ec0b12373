"""Records beyond one plain row."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from portico.customer import SfAccountId
from portico.errors import NotFound, SystemRefused
from portico.systems.salesforce import records
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.errors import SEVERAL_MATCH
from portico.systems.salesforce.soql import names, soql
from tests.systems.raw_server import answer, raw_server
from tests.systems.salesforce.stand_in import StandIn
from tests.systems.salesforce.test_client import token_answer

MARKER = "Customer_Number__c"


@pytest.fixture
def account_id(org: StandIn) -> SfAccountId:
    return SfAccountId(org.person("ready").sf_account_id)


async def test_upsert_creates_and_then_updates(org: StandIn, sf: Salesforce) -> None:
    number = f"U/{uuid4()}"  # a slash: the value is quoted in the address
    created = await records.upsert(sf, "Account", MARKER, number, {"Name": "First"}, name="upsert Account")
    updated = await records.upsert(sf, "Account", MARKER, number, {"Name": "Second"}, name="upsert Account")
    assert created == updated
    assert [len(org.ledger(f"{effect} Account")) for effect in ("create", "update")] == [1, 1]


async def test_two_first_upserts_at_once_end_as_one_record(org: StandIn, sf: Salesforce) -> None:
    number = str(uuid4())
    org.dial("refuse", "PATCH row", times=1, code="DUPLICATE_VALUE")
    org.dial("refuse", "upsert", times=1, code="DUPLICATE_VALUE")
    both = (
        records.upsert(sf, "Account", MARKER, number, {"Name": name}, name="upsert Account") for name in ("One", "Two")
    )
    first, second = await asyncio.gather(*both)
    assert first == second and len(org.ledger("create Account")) == 1


async def test_an_external_id_that_several_bear_is_a_refusal(org: StandIn) -> None:
    async with raw_server() as server:
        several = answer(300, b'["/services/data/v68.0/sobjects/Account/1", "/services/data/v68.0/sobjects/Account/2"]')
        server.scripts = (answer(200, token_answer(server.url)), several)
        async with org.connection(login_url=server.url) as sf:
            with pytest.raises(SystemRefused) as caught:
                await records.upsert(sf, "Account", MARKER, "x", {}, name="upsert Account")
    assert caught.value.vendor_code == SEVERAL_MATCH


async def test_each_of_many_has_its_own_fate(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    rows = [{"Name": "Good"}, {"Name": ""}, {"Name": "Good too"}]
    written = await records.create_many(sf, "Account", rows, name="create Accounts")
    assert [bool(each.id) for each in written] == [True, False, True]
    assert written[1].faults[0].code == "REQUIRED_FIELD_MISSING"
    changes: dict[str, dict[str, object]] = {account_id: {"Phone": "03-55-00"}, str(written[0].id): {"Nothing__c": 1}}
    [done, refused] = await records.update_many(sf, "Account", changes, name="update Accounts")
    assert done.id == account_id and refused.faults


async def test_all_or_none_of_many(org: StandIn, sf: Salesforce) -> None:
    rows = [{"Name": "Good"}, {"Name": ""}]
    written = await records.create_many(sf, "Account", rows, name="create Accounts", all_or_none=True)
    assert [each.id for each in written] == [None, None]
    assert written[0].faults[0].code == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert org.ledger("create Account") == []


async def test_too_many_for_one_call_are_refused_before_it(sf: Salesforce) -> None:
    for count in (0, 201):
        with pytest.raises(ValueError, match="1 to 200"):
            await records.create_many(sf, "Account", [{"Name": "x"}] * count, name="create Accounts")


async def test_what_an_object_looks_like(sf: Salesforce) -> None:
    account = await records.describe(sf, "Account")
    assert account.name == "Account" and account.fields[MARKER]["externalId"]
    with pytest.raises(NotFound):
        await records.describe(sf, "Nothing__c")


async def test_a_file_is_attached_to_a_record(org: StandIn, sf: Salesforce, account_id: SfAccountId) -> None:
    content = bytes(range(256))
    version = await records.upload_file(sf, account_id, "領収書.pdf", content)
    asked = soql(
        "SELECT {fields} FROM ContentVersion WHERE Id = {id}",
        fields=names("Title", "ContentSize", "FirstPublishLocationId"),
        id=version,
    )
    [row] = await sf.query(asked, name="query ContentVersion")
    assert (row.text("Title"), row.whole("ContentSize"), row.id("FirstPublishLocationId")) == (
        "領収書.pdf",
        256,
        account_id,
    )
