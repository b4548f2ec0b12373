"""A customer's invoices, as WHMCS has them."""

from __future__ import annotations

from portico.cache import cached
from portico.customer import Customer
from portico.freshness import INVOICE, INVOICES
from portico.portal import Portal
from portico.systems.whmcs import invoices as whmcs_invoices
from portico.systems.whmcs.invoices import Invoice, InvoiceRow

__all__ = ["Invoice", "InvoiceRow", "invoice_for", "invoices_of"]


@cached(INVOICES)
async def invoices_of(portal: Portal, customer: Customer) -> list[InvoiceRow]:
    """All, newest first, without drafts."""
    return await whmcs_invoices.get_invoices_of(portal.whmcs, customer.whmcs_client_id)


@cached(INVOICE)
async def invoice_for(portal: Portal, customer: Customer, invoice_id: int) -> Invoice:
    """One with its lines. Raises NotFound: unknown, a draft, or somebody else's."""
    return await whmcs_invoices.get_invoice(portal.whmcs, customer.whmcs_client_id, invoice_id)
