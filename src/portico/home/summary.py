"""What the home page shows: each part read beside the others, each failing alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import structlog

from portico.billing.invoices import invoices_of
from portico.billing.payment_methods import payment_methods_of, today
from portico.cache import Copy
from portico.customer import Customer
from portico.errors import NotFound, Trouble
from portico.money import Money
from portico.orders.orders import OrderWithJournal, orders_with_journals
from portico.orders.progress import Status, status_of
from portico.portal import Portal
from portico.subscriptions.services import services_of
from portico.systems.whmcs.invoices import InvoiceRow
from portico.systems.whmcs.pay_methods import PayMethod, has_usable
from portico.systems.whmcs.services import Service

log = structlog.get_logger()

T = TypeVar("T")

PAYABLE = ("unpaid", "collections")


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of the page, or the trouble that stands in its place."""

    value: T | None
    as_of: datetime | None
    trouble: Trouble | None = None


@dataclass(frozen=True)
class MoneyDue:
    total: Money
    invoices: Sequence[InvoiceRow]
    """To be paid, the most urgent first."""
    overdue: int
    nothing_billed_yet: bool


@dataclass(frozen=True)
class OpenOrder:
    known: OrderWithJournal
    status: Status


@dataclass(frozen=True)
class Summary:
    due: Part[MoneyDue]
    services: Part[Sequence[Service]]
    orders: Part[Sequence[OpenOrder]]
    has_payment_method: Part[bool]


async def summary_of(portal: Portal, customer: Customer) -> Summary:
    """Raises nothing for a system that is down: that part says so, the others are there."""
    due, services, orders, methods = await asyncio.gather(
        _part(_due(portal, customer)),
        _part(_services(portal, customer)),
        _part(_orders(portal, customer)),
        _part(_has_payment_method(portal, customer)),
    )
    return Summary(due, services, orders, methods)


async def _part(read: Awaitable[Copy[T]]) -> Part[T]:
    try:
        copy = await read
    except Trouble as trouble:
        log.warning("home.part.missing", system=trouble.system, code=trouble.code)
        return Part(None, None, trouble)
    except NotFound:  # the mapped client or account is gone over there: for us that is trouble too
        return Part(None, None, Trouble("mapping", "the mapped record does not exist"))
    return Part(copy.value, copy.as_of)


async def _due(portal: Portal, customer: Customer) -> Copy[MoneyDue]:
    copy = await invoices_of(portal, customer)
    payable = sorted(
        (row for row in copy.value if row.status in PAYABLE), key=lambda row: (row.due_date is None, row.due_date)
    )
    total = Money(portal.settings.portal.tax_rate * 0, portal.settings.portal.currency).rounded()
    for row in payable:
        total += row.total
    overdue = sum(row.is_overdue(today(portal)) for row in payable)
    return Copy(MoneyDue(total, payable, overdue, nothing_billed_yet=not copy.value), copy.as_of)


async def _services(portal: Portal, customer: Customer) -> Copy[Sequence[Service]]:
    copy = await services_of(portal, customer)
    return Copy([service for service in copy.value if _is_had(service)], copy.as_of)


def _is_had(service: Service) -> bool:
    """A fee that was charged once is a service to WHMCS, but nothing that one has."""
    return service.status in ("active", "suspended", "pending") and service.billing_cycle != "one_time"


async def _orders(portal: Portal, customer: Customer) -> Copy[Sequence[OpenOrder]]:
    known, as_of = await orders_with_journals(portal, customer)
    statuses = [OpenOrder(one, status_of(one.order, one.journal)) for one in known]
    return Copy([one for one in statuses if one.status.code not in ("complete", "cancelled")], as_of)


async def _has_payment_method(portal: Portal, customer: Customer) -> Copy[bool]:
    copy: Copy[list[PayMethod]] = await payment_methods_of(portal, customer)
    return Copy(has_usable(copy.value, today(portal)), copy.as_of)
