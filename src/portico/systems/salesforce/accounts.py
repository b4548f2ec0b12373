"""Accounts: whom a customer number belongs to, and telling Salesforce that they use the portal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from uuid import UUID

from portico.customer import SfAccountId, WhmcsClientId
from portico.errors import NotFound, SystemSurprised
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.errors import SYSTEM
from portico.systems.salesforce.rows import Row
from portico.systems.salesforce.sf_id import account_id as checked_id
from portico.systems.salesforce.soql import Names, names, soql

Source = Literal["Sign-up", "Linked"]

SELECT = """
SELECT {fields}, (SELECT FirstName, LastName FROM Contacts ORDER BY CreatedDate LIMIT 1) FROM Account
WHERE {key} = {value} LIMIT 2
""".strip()


class PortalStatus(StrEnum):
    NOT_INVITED = "Not invited"
    ACTIVE = "Active"
    CLOSED = "Closed"


@dataclass(frozen=True)
class Account:
    id: SfAccountId
    name: str
    first_name: str | None
    """Of its oldest contact, where it has one; the same for `last_name`."""
    last_name: str | None
    customer_number: str | None
    phone: str | None
    postal_code: str | None
    street: str | None
    city: str | None
    state: str | None
    country: str | None
    portal_status: PortalStatus
    whmcs_client_id: WhmcsClientId | None
    eligibility: frozenset[str]
    """Names of what it may order."""
    internet_eligibility: str
    """The org's word, such as `Eligible`; empty where it holds none."""


async def find_account_by_number(sf: Salesforce, number: str) -> Account | None:
    """The account with this customer number. Salesforce ignores case; so do we, and nothing else."""
    found = await _accounts(sf, sf.fields.account_customer_number, number)
    matching = [account for account in found if _same_number(account.customer_number, number)]
    if len(matching) > 1:
        raise SystemSurprised(SYSTEM, "customer number of more than one account")
    return matching[0] if matching else None


async def get_account(sf: Salesforce, account_id: SfAccountId) -> Account:
    """Raises NotFound where there is none."""
    wanted = checked_id(account_id)
    found = await _accounts(sf, "Id", wanted)
    if not found:
        raise NotFound("no such account")
    if found[0].id != wanted:
        raise SystemSurprised(SYSTEM, "another account than asked for")
    return found[0]


async def mark_portal_active(
    sf: Salesforce,
    account_id: SfAccountId,
    *,
    user_id: UUID,
    whmcs_client_id: WhmcsClientId,
    source: Source,
) -> None:
    """Writes who of ours the account is. Repeating does no harm.

    Raises SystemRefused (DUPLICATE_VALUE) where another account has this WHMCS client id.
    """
    fields = sf.fields
    values = {
        fields.account_portal_status: PortalStatus.ACTIVE.value,
        fields.account_portal_source: source,
        fields.account_portal_user_id: str(user_id),
        fields.account_whmcs_client_id: str(whmcs_client_id),
    }
    await sf.update("Account", checked_id(account_id), values, name="update Account")


async def _accounts(sf: Salesforce, key: str, value: str) -> list[Account]:
    statement = soql(SELECT, fields=_fields(sf), key=names(key), value=value)
    return [_account(sf, row) for row in await sf.query(statement, name="query Account")]


def _fields(sf: Salesforce) -> Names:
    standard = ("Id", "Name", "Phone")
    address = ("BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry")
    fields = sf.fields
    ours = (
        fields.account_customer_number,
        fields.account_portal_status,
        fields.account_whmcs_client_id,
        fields.account_eligibility,
        fields.account_internet_eligibility,
    )
    return names(*standard, *address, *ours)


def _account(sf: Salesforce, row: Row) -> Account:
    fields = sf.fields
    contact = row.first_child("Contacts")
    client_id = row.whole_or_none(fields.account_whmcs_client_id)
    return Account(
        id=SfAccountId(row.id()),
        name=row.text("Name"),
        first_name=contact.text_or_none("FirstName") if contact else None,
        last_name=contact.text_or_none("LastName") if contact else None,
        customer_number=row.text_or_none(fields.account_customer_number),
        phone=row.text_or_none("Phone"),
        postal_code=row.text_or_none("BillingPostalCode"),
        street=row.text_or_none("BillingStreet"),
        city=row.text_or_none("BillingCity"),
        state=row.text_or_none("BillingState"),
        country=row.text_or_none("BillingCountry"),
        portal_status=row.as_type_or_none(fields.account_portal_status, PortalStatus) or PortalStatus.NOT_INVITED,
        whmcs_client_id=None if client_id is None else WhmcsClientId(client_id),
        eligibility=row.choices(fields.account_eligibility),
        internet_eligibility=row.text_or_none(fields.account_internet_eligibility) or "",
    )


def _same_number(held: str | None, wanted: str) -> bool:
    return held is not None and held.casefold() == wanted.casefold()
