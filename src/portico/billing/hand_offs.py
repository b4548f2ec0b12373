"""Single-use links into WHMCS, made on a click and never kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from portico.customer import Customer
from portico.identity.audit import record
from portico.portal import Portal
from portico.systems.whmcs import invoices as whmcs_invoices
from portico.systems.whmcs.sso import SSO_SECONDS, Destination, OneInvoice, create_sso_token


@dataclass(frozen=True)
class HandOff:
    """Where to send the customer. The address is a complete sign-in: redirect to it at once, never log it."""

    url: str
    expires_at: datetime


async def pay_link(portal: Portal, customer: Customer, invoice_id: int) -> HandOff:
    """Straight to that invoice inside WHMCS. Raises NotFound where it is not the customer's."""
    await whmcs_invoices.get_invoice(portal.whmcs, customer.whmcs_client_id, invoice_id)
    return await _hand_off(portal, customer, OneInvoice(invoice_id), f"invoice {invoice_id}")


async def payment_methods_link(portal: Portal, customer: Customer) -> HandOff:
    """To the customer's cards inside WHMCS."""
    return await _hand_off(portal, customer, "payment_methods", "payment methods")


async def _hand_off(portal: Portal, customer: Customer, destination: Destination, what: str) -> HandOff:
    now = portal.clock.now()
    url = await create_sso_token(portal.whmcs, customer.whmcs_client_id, destination)
    async with portal.db.begin() as tx:
        await record(tx, now, actor=str(customer.user_id), action="whmcs.sso", object=what)
    return HandOff(url, now + timedelta(seconds=SSO_SECONDS))
