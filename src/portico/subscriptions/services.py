"""What the customer has: plans, lines, options."""

from __future__ import annotations

from portico.cache import cached
from portico.customer import Customer
from portico.freshness import SUBSCRIPTION, SUBSCRIPTIONS
from portico.portal import Portal
from portico.systems.whmcs import services as whmcs_services
from portico.systems.whmcs.services import Service

__all__ = ["Service", "service_for", "services_of"]


@cached(SUBSCRIPTIONS)
async def services_of(portal: Portal, customer: Customer) -> list[Service]:
    """All, newest first, of any status."""
    return await whmcs_services.get_clients_products(portal.whmcs, customer.whmcs_client_id)


@cached(SUBSCRIPTION)
async def service_for(portal: Portal, customer: Customer, service_id: int) -> Service:
    """Raises NotFound: unknown, or somebody else's."""
    return await whmcs_services.get_client_product(portal.whmcs, customer.whmcs_client_id, service_id)
