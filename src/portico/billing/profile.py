"""The billing profile: WHMCS is authoritative for names and addresses."""

from __future__ import annotations

from portico.cache import cached
from portico.customer import Customer
from portico.errors import Trouble
from portico.freshness import PROFILE
from portico.money import Money
from portico.portal import Portal
from portico.systems.whmcs import clients
from portico.systems.whmcs.clients import Address, Client

__all__ = ["Address", "Client", "credit_of", "profile_of"]


@cached(PROFILE)
async def profile_of(portal: Portal, customer: Customer) -> Client:
    return await clients.get_clients_details(portal.whmcs, customer.whmcs_client_id)


async def credit_of(portal: Portal, customer: Customer) -> Money | None:
    """What is paid in advance and comes off the next invoices; None while WHMCS is away."""
    try:
        return (await profile_of(portal, customer)).value.credit
    except Trouble:
        return None
