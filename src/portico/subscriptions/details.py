"""One service with what belongs to it: its invoices, and whether it is about to end. Read beside each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from portico.customer import Customer
from portico.portal import Portal
from portico.subscriptions.bills import ServiceBills, bills_of
from portico.subscriptions.cancellations import Cancellation, cancellation_of
from portico.subscriptions.services import Service, service_for

_STILL_RUNNING = ("active", "suspended", "pending")


@dataclass(frozen=True)
class Details:
    service: Service
    bills: ServiceBills | None
    """None while the invoices can't be read."""
    cancellation: Cancellation | None
    """Filed and not carried out yet. None also where it can't be known just now."""
    as_of: datetime


async def details_for(portal: Portal, customer: Customer, service_id: int) -> Details:
    """Raises NotFound: unknown, or somebody else's; Trouble where the service itself can't be read."""
    copy, bills, filed = await asyncio.gather(
        service_for(portal, customer, service_id),
        bills_of(portal, customer, service_id),
        cancellation_of(portal, service_id),
    )
    cancellation = filed if copy.value.status in _STILL_RUNNING else None
    return Details(copy.value, bills, cancellation, copy.as_of)
