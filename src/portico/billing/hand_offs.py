"""Single-use links into WHMCS, made on a click and never kept; and what was true before the customer left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from portico.customer import Customer
from portico.errors import Trouble
from portico.identity.audit import record
from portico.portal import Portal
from portico.systems.whmcs import invoices as whmcs_invoices
from portico.systems.whmcs.invoices import Invoice
from portico.systems.whmcs.pay_methods import PayMethod, get_pay_methods
from portico.systems.whmcs.sso import SSO_SECONDS, OneInvoice, create_sso_token

log = structlog.get_logger()


@dataclass(frozen=True)
class HandOff:
    """Where to send the customer. The address is a complete sign-in: redirect to it at once, never log it."""

    url: str
    expires_at: datetime
    invoice: Invoice | None = None
    """As it was before, read live."""
    methods: list[PayMethod] | None = None
    """The same of the cards; None where they were not asked for, or could not be read."""


async def pay_link(portal: Portal, customer: Customer, invoice_id: int) -> HandOff:
    """Straight to that invoice inside WHMCS. Raises NotFound where it is not the customer's."""
    invoice = await whmcs_invoices.get_invoice(portal.whmcs, customer.whmcs_client_id, invoice_id)
    url = await create_sso_token(portal.whmcs, customer.whmcs_client_id, OneInvoice(invoice_id))
    return HandOff(url, await _noted(portal, customer, f"invoice {invoice_id}"), invoice=invoice)


async def payment_methods_link(portal: Portal, customer: Customer) -> HandOff:
    """To the customer's cards inside WHMCS."""
    url, methods = await asyncio.gather(
        create_sso_token(portal.whmcs, customer.whmcs_client_id, "payment_methods"), _methods_now(portal, customer)
    )
    return HandOff(url, await _noted(portal, customer, "payment methods"), methods=methods)


async def _methods_now(portal: Portal, customer: Customer) -> list[PayMethod] | None:
    """The way to the cards does not depend on this: then the return says less."""
    try:
        return await get_pay_methods(portal.whmcs, customer.whmcs_client_id)
    except Trouble as trouble:
        log.warning("billing.hand_off.unremembered", code=trouble.code)
        return None


async def _noted(portal: Portal, customer: Customer, what: str) -> datetime:
    """Who went where, and when; answers when the link ends."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        await record(tx, now, actor=str(customer.user_id), action="whmcs.sso", object=what)
    return now + timedelta(seconds=SSO_SECONDS)
