"""Telling Salesforce whose account is in use at the portal: the last step of sign-up and of linking."""

from __future__ import annotations

from portico import freshness
from portico.customer import Customer
from portico.portal import Portal
from portico.systems.salesforce.accounts import Source, mark_portal_active


async def tell_salesforce(portal: Portal, customer: Customer, customer_number: str, source: Source) -> None:
    """Writes the account's portal status. Repeating does no harm, so callers retry it for ever."""
    await _drop_copies(portal, customer, customer_number)
    await mark_portal_active(
        portal.salesforce,
        customer.sf_account_id,
        user_id=customer.user_id,
        whmcs_client_id=customer.whmcs_client_id,
        source=source,
    )
    await _drop_copies(portal, customer, customer_number)


async def _drop_copies(portal: Portal, customer: Customer, customer_number: str) -> None:
    number = (freshness.CUSTOMER_NUMBER, customer_number)
    await portal.cache.drop_all([number, (freshness.ELIGIBILITY, customer.sf_account_id)])
