"""What WHMCS' hooks mean to the customer's notices. A hook is a hint: the invoice is read before anything is said."""

from __future__ import annotations

from portico.customer import Customer, WhmcsClientId
from portico.errors import NotFound
from portico.i18n import Message, _m
from portico.identity.mapping import customer_by_client
from portico.inbox import Event
from portico.notifications.notices import tell
from portico.portal import Portal
from portico.systems.whmcs import invoices as whmcs_invoices
from portico.systems.whmcs.invoices import Invoice

NEW = _m("New invoice %(number)s: %(total)s.")
PAID = _m("Invoice %(number)s is paid. Thank you.")


async def invoice_created(portal: Portal, event: Event) -> None:
    """Reaction to InvoiceCreated. The mail about it is WHMCS' own."""
    found = await _invoice_of(portal, event)
    if found is not None and found[1].total.amount > 0:
        await _tell(portal, *found, "new", NEW)


async def invoice_paid(portal: Portal, event: Event) -> None:
    """Reaction to InvoicePaid."""
    found = await _invoice_of(portal, event)
    if found is not None and found[1].status == "paid":
        await _tell(portal, *found, "paid", PAID)


async def _invoice_of(portal: Portal, event: Event) -> tuple[Customer, Invoice] | None:
    """None where the hook names no invoice of a customer of ours."""
    client_id, invoice_id = event.body.get("whmcs_client_id"), event.body.get("ids", {}).get("invoice")
    if client_id is None or invoice_id is None:
        return None
    async with portal.db.begin() as tx:
        customer = await customer_by_client(tx, WhmcsClientId(client_id))
    if customer is None:
        return None
    try:
        return customer, await whmcs_invoices.get_invoice(portal.whmcs, customer.whmcs_client_id, invoice_id)
    except NotFound:
        return None


async def _tell(portal: Portal, customer: Customer, invoice: Invoice, what: str, sentence: Message) -> None:
    words = sentence(number=invoice.number, total=str(invoice.total))
    async with portal.db.begin() as tx:
        await tell(
            tx,
            portal.clock.now(),
            customer.user_id,
            occasion=f"invoice:{invoice.id}:{what}",
            message=words,
            address=f"/billing/invoices/{invoice.id}",
        )
