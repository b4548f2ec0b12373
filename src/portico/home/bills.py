"""What is to be paid now, and what the next bill will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portico.billing.invoices import InvoiceRow
from portico.billing.payment_methods import today
from portico.money import Money
from portico.portal import Portal
from portico.subscriptions.services import Service

PAYABLE = ("unpaid", "collections")


@dataclass(frozen=True)
class MoneyDue:
    total: Money
    invoices: Sequence[InvoiceRow]
    """To be paid, the most urgent first."""
    overdue: int
    overdue_total: Money
    nothing_billed_yet: bool


@dataclass(frozen=True)
class NextBill:
    """What WHMCS will bill next for what the customer has now; credit and usage are not in it."""

    day: date
    services: Sequence[Service]
    net: Money
    gross: Money


def money_due(portal: Portal, rows: Sequence[InvoiceRow], day: date) -> MoneyDue:
    payable = sorted(
        (row for row in rows if row.status in PAYABLE), key=lambda row: (row.due_date is None, row.due_date)
    )
    overdue = [row for row in payable if is_overdue(row, day)]
    total, of_overdue = _sum(portal, [row.total for row in payable]), _sum(portal, [row.total for row in overdue])
    return MoneyDue(total, payable, len(overdue), of_overdue, nothing_billed_yet=not rows)


def is_overdue(row: InvoiceRow, day: date) -> bool:
    """What is with a collection agency was overdue before."""
    return row.status == "collections" or row.is_overdue(day)


def next_bill(portal: Portal, services: Sequence[Service], due: MoneyDue | None) -> NextBill | None:
    """Of the next day on which anything is due that no open invoice is for already. None: nothing will be billed."""
    billed = {row.due_date for row in due.invoices} if due else set[date | None]()
    coming: dict[date, list[Service]] = {}
    for service in services:
        if service.status == "active" and service.next_due and service.recurring.amount > 0:
            coming.setdefault(service.next_due, []).append(service)
    days = sorted(day for day in coming if day >= today(portal) and day not in billed)
    if not days:
        return None
    found = coming[days[0]]
    net = _sum(portal, [service.recurring for service in found])
    tax = _sum(portal, [service.recurring.tax(portal.settings.portal.tax_rate) for service in found])
    return NextBill(days[0], found, net, net + tax)


def _sum(portal: Portal, amounts: Sequence[Money]) -> Money:
    total = Money(Decimal(0), portal.settings.portal.currency).rounded()
    for amount in amounts:
        total += amount
    return total
