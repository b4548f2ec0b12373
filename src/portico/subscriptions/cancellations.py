"""Whether a service is about to end: filed with WHMCS, by staff or by the customer."""

from __future__ import annotations

from portico.cache import cached
from portico.errors import Trouble
from portico.freshness import CANCELLATIONS
from portico.portal import Portal
from portico.systems.whmcs import services as whmcs_services
from portico.systems.whmcs.services import Cancellation

__all__ = ["Cancellation", "cancellation_of", "cancellations"]


@cached(CANCELLATIONS)
async def cancellations(portal: Portal) -> list[Cancellation]:
    """Of all customers, since WHMCS has no other way to ask."""
    return await whmcs_services.get_cancelled_packages(portal.whmcs)


async def cancellation_of(portal: Portal, service_id: int) -> Cancellation | None:
    """None where none was ever filed, or it can't be known just now. Whose the service is must be known besides."""
    try:
        filed = (await cancellations(portal)).value
    except Trouble:
        return None
    return next((one for one in filed if one.service_id == service_id), None)
