"""Accounts, over a real socket."""

from __future__ import annotations

from uuid import uuid4

import pytest

from portico.customer import SfAccountId, WhmcsClientId
from portico.errors import NotFound, SystemRefused
from portico.systems.salesforce.accounts import PortalStatus, find_account_by_number, get_account, mark_portal_active
from portico.systems.salesforce.client import Salesforce
from tests.systems.salesforce.stand_in import StandIn

HOSTILE = [
    "' OR Name != '",
    "\\' OR Name != '",
    "x\\",
    "%",
    "_____",
    "') OR (Id != '",
    "*",
    "\x00",
    "\n",
    "'",
    "ＣＮ－１",
    "😀",
    "\ud800",
]


async def test_a_customer_number_leads_to_its_account(org: StandIn, sf: Salesforce) -> None:
    person = org.person("free")
    account = await find_account_by_number(sf, person.customer_number)
    assert account is not None
    assert account.id == person.sf_account_id
    assert (account.first_name, account.last_name) == (person.first_name, person.last_name)
    assert (account.postal_code, account.city) == (person.address.postal_code, person.address.city)
    assert account.customer_number == person.customer_number
    assert account.portal_status != PortalStatus.ACTIVE
    assert account.whmcs_client_id is None
    assert account.eligibility == frozenset(person.eligibility)


async def test_case_does_not_matter(org: StandIn, sf: Salesforce) -> None:
    person = org.person("free")
    account = await find_account_by_number(sf, person.customer_number.lower())
    assert account is not None
    assert account.id == person.sf_account_id


@pytest.mark.parametrize("number", HOSTILE)
async def test_hostile_numbers_find_nobody(sf: Salesforce, number: str) -> None:
    assert await find_account_by_number(sf, number) is None


async def test_an_account_that_uses_the_portal_tells_its_client(org: StandIn, sf: Salesforce) -> None:
    person = org.person("ready")
    account = await get_account(sf, SfAccountId(person.sf_account_id))
    assert account.portal_status == PortalStatus.ACTIVE
    assert account.whmcs_client_id == person.whmcs_client_id


async def test_fifteen_characters_are_the_same_account(org: StandIn, sf: Salesforce) -> None:
    person = org.person("ready")
    account = await get_account(sf, SfAccountId(person.sf_account_id[:15]))
    assert account.id == person.sf_account_id


@pytest.mark.parametrize("account_id", ["0015g00000NOBDYAAA", "", "x", "801xx", "001' OR Name != '"])
async def test_unknown_and_malformed_ids_are_not_found(sf: Salesforce, account_id: str) -> None:
    with pytest.raises(NotFound):
        await get_account(sf, SfAccountId(account_id))


async def test_marking_an_account_twice_is_as_good_as_once(org: StandIn, sf: Salesforce) -> None:
    person, user = org.person("free"), uuid4()
    for _ in range(2):
        await mark_portal_active(
            sf,
            SfAccountId(person.sf_account_id),
            user_id=user,
            whmcs_client_id=WhmcsClientId(4711),
            source="Sign-up",
        )
    account = await get_account(sf, SfAccountId(person.sf_account_id))
    assert account.portal_status == PortalStatus.ACTIVE
    assert account.whmcs_client_id == 4711


async def test_a_client_of_another_account_is_refused(org: StandIn, sf: Salesforce) -> None:
    taken = org.person("ready").whmcs_client_id
    assert taken is not None
    with pytest.raises(SystemRefused) as caught:
        await mark_portal_active(
            sf,
            SfAccountId(org.person("free").sf_account_id),
            user_id=uuid4(),
            whmcs_client_id=WhmcsClientId(taken),
            source="Linked",
        )
    assert caught.value.vendor_code == "DUPLICATE_VALUE"


async def test_an_account_that_is_gone_is_not_found(org: StandIn, sf: Salesforce) -> None:
    gone = SfAccountId(org.person("free").sf_account_id)
    await org.press("delete-account", account=gone)
    with pytest.raises(NotFound):
        await get_account(sf, gone)
    with pytest.raises(NotFound):
        await mark_portal_active(sf, gone, user_id=uuid4(), whmcs_client_id=WhmcsClientId(1), source="Linked")
