"""Cases, over a real socket: read by their owner only, opened once, unpublished words never read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from portico.customer import SfAccountId
from portico.errors import NotFound, SystemDown, SystemRefused, SystemSurprised
from portico.settings import SalesforceFields
from portico.systems.salesforce.cases import (
    CaseExists,
    NewCase,
    SfContactId,
    add_comment,
    create_case,
    find_cases_by_marker,
    find_contact,
    get_case,
    get_cases,
    said_already,
)
from portico.systems.salesforce.client import Salesforce
from tests.systems.salesforce.stand_in import StandIn


@pytest.fixture
def account(org: StandIn) -> SfAccountId:
    """Of a customer who has not asked anything yet."""
    return SfAccountId(org.person("ready", 1).sf_account_id)


@pytest.fixture
def new_case(org: StandIn, account: SfAccountId) -> NewCase:
    contact = SfContactId(org.person("ready", 1).sf_contact_id)
    return NewCase("PTC-Case0001", account, contact, "No signal", "Since noon.\nPlace: 渋谷 'A' \\ \"B\"", "high")


def rows_of(org: StandIn, entity: str) -> list[dict[str, Any]]:
    return list(org.sandbox.store.table(f"sf:{entity}").values())


async def test_a_case_is_opened_and_read_back(org: StandIn, sf: Salesforce, new_case: NewCase) -> None:
    case_id = await create_case(sf, new_case)
    read = await get_case(sf, new_case.account_id, case_id)
    case = read.case
    assert (case.id, case.subject, read.description) == (case_id, new_case.subject, new_case.description)
    assert (case.state, case.status, case.is_closed, case.priority) == ("received", "New", False, "high")
    assert case.opened_here
    assert read.comments == ()
    assert case.last_comment is None
    [row] = [row for row in rows_of(org, "Case") if row["Id"] == case_id]
    assert (row["Origin"], row["ContactId"]) == ("Portal Website", new_case.contact_id)
    assert row["Portal_Case_Id__c"] == new_case.marker


async def test_both_sides_are_told_apart_and_staff_notes_are_not_read(
    org: StandIn, sf: Salesforce, new_case: NewCase
) -> None:
    case_id = await create_case(sf, new_case)
    ours = await add_comment(sf, new_case.account_id, case_id, "Now it works\nagain.")
    theirs = (await org.press("answer-case", case=case_id, text="Good.", status="Closed"))["comment"]
    hidden = {"ParentId": case_id, "CommentBody": "internal remark", "IsPublished": False}
    await sf.create("CaseComment", hidden, name="POST row")
    read = await get_case(sf, new_case.account_id, case_id)
    assert [(comment.id, comment.author, comment.text) for comment in read.comments] == [
        (ours, "customer", "Now it works\nagain."),
        (theirs, "support", "Good."),
    ]
    assert (read.case.state, read.case.is_closed) == ("closed", True)
    [listed] = [case for case in await get_cases(sf, new_case.account_id) if case.id == case_id]
    assert listed.last_comment == read.comments[-1]
    assert "internal" not in repr((read, listed))


async def test_emails_belong_to_the_conversation_where_the_org_has_them(org: StandIn, sf: Salesforce) -> None:
    ken = SfAccountId(org.person("ready", 0).sf_account_id)
    async with org.connection(case_emails=True) as with_emails:
        [case] = [case for case in await get_cases(with_emails, ken) if case.status == "Working"]
        read = await get_case(with_emails, ken, case.id)
    assert [(said.author, said.channel) for said in read.comments] == [
        ("support", "portal"),
        ("customer", "email"),
        ("support", "email"),
    ]
    assert case.last_comment == read.comments[-1]
    told = repr((case, read))
    assert "原因がわかりました" not in told and "返金は未定" not in told, "a draft, and what staff write to each other"
    assert said_already(read.comments, read.comments[1].text) == [], "a message of ours went through the portal"
    without = await get_case(sf, ken, case.id)
    assert without.comments == read.comments[:1]


async def test_our_own_user_is_known_by_the_token(org: StandIn, new_case: NewCase) -> None:
    """Not by the user name of the settings: with a secret instead of a key there is none."""
    async with org.connection() as sf:
        sf.settings = sf.settings.model_copy(update={"username": ""})
        case_id = await create_case(sf, new_case)
        await add_comment(sf, new_case.account_id, case_id, "Hello")
        assert [said.author for said in (await get_case(sf, new_case.account_id, case_id)).comments] == ["customer"]


async def test_a_stranger_finds_what_nobody_has(org: StandIn, sf: Salesforce, new_case: NewCase) -> None:
    case_id = await create_case(sf, new_case)
    stranger = SfAccountId(org.person("ready", 0).sf_account_id)
    wrong = ((stranger, case_id), (stranger, "5005g00000NOBDY"), (new_case.account_id, "500x' OR 'a' = 'a"))
    told = set()
    for owner, wanted in (*wrong, (new_case.account_id, new_case.account_id)):
        with pytest.raises(NotFound) as caught:
            await get_case(sf, owner, wanted)
        told.add((caught.value.status, caught.value.code, str(caught.value.for_customer)))
    assert len(told) == 1
    assert case_id not in {case.id for case in await get_cases(sf, stranger)}


async def test_nothing_is_said_in_a_strangers_case(org: StandIn, sf: Salesforce, new_case: NewCase) -> None:
    case_id = await create_case(sf, new_case)
    stranger = SfAccountId(org.person("ready", 0).sf_account_id)
    with pytest.raises(SystemRefused):
        await add_comment(sf, stranger, case_id, "Hello")
    assert org.ledger("create CaseComment") == []


async def test_newest_first_across_pages(sf: Salesforce, org: StandIn) -> None:
    company = SfAccountId(org.person("ready", 3).sf_account_id)
    sf.batch_size = 200
    cases = await get_cases(sf, company)
    assert len(cases) == 11
    assert [case.created_at for case in cases] == sorted((case.created_at for case in cases), reverse=True)
    assert {case.state for case in cases} == {"closed", "escalated"}
    assert not cases[0].opened_here


async def test_words_of_the_org_that_we_do_not_know(org: StandIn, sf: Salesforce, new_case: NewCase) -> None:
    case_id = await create_case(sf, new_case)
    for field, value in (("Status", "Parked at carrier"), ("Priority", "P1"), ("Subject", ""), ("Description", "")):
        await org.press("change-field", type="Case", id=case_id, field=field, value=value)
    read = await get_case(sf, new_case.account_id, case_id)
    assert (read.case.state, read.case.status, read.case.priority) == ("other", "Parked at carrier", None)
    assert (read.case.subject, read.description) == ("", "")


async def test_the_marker_keeps_a_second_case_away(org: StandIn, sf: Salesforce, new_case: NewCase) -> None:
    outcomes = await asyncio.gather(*(create_case(sf, new_case) for _ in range(5)), return_exceptions=True)
    assert sorted({type(outcome) for outcome in outcomes}, key=str) == [CaseExists, str]
    assert await find_cases_by_marker(sf, new_case.marker) == [each for each in outcomes if isinstance(each, str)]
    assert len(org.ledger("create Case")) == 1


@pytest.mark.parametrize(("mode", "error"), [("commit_then_hang", SystemDown), ("malformed", SystemSurprised)])
async def test_done_but_unanswered_is_unknown_and_found(
    org: StandIn, sf: Salesforce, new_case: NewCase, mode: str, error: type[Exception]
) -> None:
    org.dial(mode, "POST row", times=1)  # type: ignore[arg-type]
    with pytest.raises(error) as caught:
        await create_case(sf, new_case)
    assert getattr(caught.value, "sent", True)
    [found] = await find_cases_by_marker(sf, new_case.marker)
    org.dial(mode, "POST row", times=1)  # type: ignore[arg-type]
    with pytest.raises(error):
        await add_comment(sf, new_case.account_id, found, "Is  anybody there? ")
    read = await get_case(sf, new_case.account_id, found)
    assert len(said_already(read.comments, "Is anybody\r\nthere?")) == 1
    assert said_already(read.comments, "Is anybody here?") == []


async def test_a_comment_is_certainly_not_sent_where_the_case_could_not_be_looked_at(
    org: StandIn, sf: Salesforce, new_case: NewCase
) -> None:
    case_id = await create_case(sf, new_case)
    org.dial("down", "query")
    with pytest.raises(SystemDown) as caught:
        await add_comment(sf, new_case.account_id, case_id, "Hello")
    assert not caught.value.sent


async def test_a_comment_is_4000_bytes_long_at_most(sf: Salesforce, new_case: NewCase) -> None:
    case_id = await create_case(sf, new_case)
    await add_comment(sf, new_case.account_id, case_id, "あ" * 1333)
    with pytest.raises(SystemRefused) as caught:
        await add_comment(sf, new_case.account_id, case_id, "あ" * 1334)
    assert caught.value.vendor_code == "STRING_TOO_LONG"


async def test_a_comment_on_a_case_that_goes_meanwhile_is_refused(
    org: StandIn, sf: Salesforce, new_case: NewCase
) -> None:
    case_id = await create_case(sf, new_case)
    org.dial("refuse", "POST row", code="ENTITY_IS_DELETED")
    with pytest.raises(SystemRefused):
        await add_comment(sf, new_case.account_id, case_id, "Hello")


async def test_the_contact_is_who_writes_or_nobody(org: StandIn, sf: Salesforce, account: SfAccountId) -> None:
    person = org.person("ready", 1)
    assert await find_contact(sf, account, person.email.upper()) == person.sf_contact_id
    assert await find_contact(sf, account, "new.address@mail.example") == person.sf_contact_id
    second = {"AccountId": account, "LastName": "Second", "Email": "second@mail.example"}
    second_id = await sf.create("Contact", second, name="POST row")
    assert await find_contact(sf, account, "second@mail.example") == second_id
    assert await find_contact(sf, account, "new.address@mail.example") is None


async def test_the_org_may_name_things_otherwise(org: StandIn, new_case: NewCase) -> None:
    words: dict[str, Any] = {
        "case_origin": "Web",
        "case_statuses": {"new": "in_progress"},
        "case_priorities": {"medium": "Medium"},
        "fields": SalesforceFields(case_portal_id="SuppliedName"),
    }
    async with org.connection(**words) as sf:
        case_id = await create_case(sf, replace(new_case, contact_id=None))
        read = await get_case(sf, new_case.account_id, case_id)
        assert (read.case.state, read.case.opened_here, read.case.priority) == ("in_progress", True, "medium")
        assert await find_cases_by_marker(sf, new_case.marker) == [case_id]
