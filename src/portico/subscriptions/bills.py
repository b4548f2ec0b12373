"""The invoices of one service. WHMCS' list has no lines, so that the newest ones are opened, through their copies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import structlog

from portico.billing.invoices import Invoice, InvoiceRow, invoice_for, invoices_of
from portico.customer import Customer
from portico.errors import NotFound, Trouble
from portico.portal import Portal

log = structlog.get_logger()

OPENED = 6
"""How many invoices are looked into: what is to be paid first, then the newest."""
PAYABLE = ("unpaid", "collections")


@dataclass(frozen=True)
class ServiceBills:
    invoices: Sequence[Invoice]
    """Those of the ones looked into that have a line for this service, newest first."""
    as_of: datetime

    @property
    def outstanding(self) -> Invoice | None:
        """What to pay first."""
        payable = [invoice for invoice in self.invoices if invoice.status in PAYABLE]
        return min(payable, key=lambda invoice: (invoice.due_date or date.max, invoice.id), default=None)


async def bills_of(portal: Portal, customer: Customer, service_id: int) -> ServiceBills | None:
    """None while WHMCS is away: that part of the page says so."""
    try:
        copy = await invoices_of(portal, customer)
        opened = await asyncio.gather(*(_opened(portal, customer, row.id) for row in _worth_opening(copy.value)))
    except Trouble as trouble:
        log.warning("subscriptions.bills.missing", code=trouble.code)
        return None
    found = [one for one in opened if one and any(line.service_id == service_id for line in one.lines)]
    found.sort(key=lambda invoice: (invoice.issued or date.min, invoice.id), reverse=True)
    return ServiceBills(found, copy.as_of)


def _worth_opening(rows: Sequence[InvoiceRow]) -> list[InvoiceRow]:
    """`rows` come newest first."""
    return sorted(rows, key=lambda row: row.status not in PAYABLE)[:OPENED]


async def _opened(portal: Portal, customer: Customer, invoice_id: int) -> Invoice | None:
    try:
        return (await invoice_for(portal, customer, invoice_id)).value
    except NotFound:  # gone since the list was read
        return None
