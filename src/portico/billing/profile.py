"""The billing profile: WHMCS is authoritative for names and addresses."""

from __future__ import annotations

from portico.cache import cached
from portico.customer import Customer
from portico.freshness import PROFILE
from portico.portal import Portal
from portico.systems.whmcs import clients
from portico.systems.whmcs.clients import Client


@cached(PROFILE)
async def profile_of(portal: Portal, customer: Customer) -> Client:
    return await clients.get_clients_details(portal.whmcs, customer.whmcs_client_id)
