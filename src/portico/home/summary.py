"""What the home page shows: each part read beside the others, each failing alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import structlog

from portico.billing.invoices import invoices_of
from portico.billing.payment_methods import PayMethod, payment_methods_of, today
from portico.cache import Copy
from portico.customer import Customer
from portico.errors import NotFound, SystemDown, Trouble
from portico.home.bills import MoneyDue, NextBill, money_due, next_bill
from portico.orders.installs import installable
from portico.orders.orders import OrderWithJournal, orders_with_journals
from portico.orders.progress import Status, status_of
from portico.portal import Portal
from portico.subscriptions.services import Service, services_of
from portico.support.cases import Case, cases_of

log = structlog.get_logger()

T = TypeVar("T")

PANEL_SECONDS = 2.5
"""What a part may wait for its system: half of what the page may. What comes later is there at the next try."""
LIVE_SECONDS = 1.5
"""The same for what is never copied, so that a slow system would hold up every visit."""


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of the page, or the trouble that stands in its place."""

    value: T | None
    as_of: datetime | None
    trouble: Trouble | None = None


@dataclass(frozen=True)
class OpenOrder:
    known: OrderWithJournal
    status: Status
    is_installable: bool
    """An eSIM of it is ready, and its install code was not shown yet."""


@dataclass(frozen=True)
class OrdersPart:
    under_way: Sequence[OpenOrder]
    installable: Sequence[OpenOrder]
    """Complete ones too."""
    any: bool
    """Whether anything was ever ordered."""


@dataclass(frozen=True)
class Summary:
    due: Part[MoneyDue]
    next_bill: NextBill | None
    """None also where the services can't be read."""
    services: Part[Sequence[Service]]
    orders: Part[OrdersPart]
    methods: Part[Sequence[PayMethod]]
    cases: Part[Sequence[Case]]
    """Open ones, those that wait for the customer first."""

    @property
    def parts(self) -> tuple[Part[Any], ...]:
        return self.due, self.services, self.orders, self.methods, self.cases

    @property
    def is_whole(self) -> bool:
        return not any(part.trouble for part in self.parts)

    @property
    def is_new(self) -> bool:
        """Nothing had, ordered or billed so far."""
        due, orders = self.due.value, self.orders.value
        nothing_billed = due is not None and due.nothing_billed_yet
        return nothing_billed and orders is not None and not orders.any and self.services.value == []


async def summary_of(portal: Portal, customer: Customer) -> Summary:
    """Raises nothing for a system that is down: that part says so, the others are there."""
    due, services, orders, methods, cases = await asyncio.gather(
        _part("whmcs", _due(portal, customer)),
        _part("whmcs", _services(portal, customer)),
        _part("salesforce", _orders(portal, customer)),
        _part("whmcs", payment_methods_of(portal, customer)),
        _part("salesforce", _cases(portal, customer), LIVE_SECONDS),
    )
    coming = next_bill(portal, services.value or [], due.value)
    return Summary(due, coming, services, orders, Part(methods.value, methods.as_of, methods.trouble), cases)


async def _part(system: str, read: Awaitable[Copy[T]], seconds: float | None = None) -> Part[T]:
    limit = seconds or PANEL_SECONDS
    try:
        async with asyncio.timeout(limit):
            copy = await read
    except Trouble as trouble:
        return _missing(trouble)
    except TimeoutError:
        return _missing(SystemDown(system, f"no answer within the panel's {limit} s"))
    except NotFound:  # the mapped client or account is gone over there: for us that is trouble too
        return _missing(Trouble("mapping", "the mapped record does not exist"))
    return Part(copy.value, copy.as_of)


def _missing(trouble: Trouble) -> Part[T]:
    log.warning("home.part.missing", system=trouble.system, code=trouble.code)
    return Part(None, None, trouble)


async def _due(portal: Portal, customer: Customer) -> Copy[MoneyDue]:
    copy = await invoices_of(portal, customer)
    return Copy(money_due(portal, copy.value, today(portal)), copy.as_of)


async def _services(portal: Portal, customer: Customer) -> Copy[Sequence[Service]]:
    copy = await services_of(portal, customer)
    return Copy([service for service in copy.value if _is_had(service)], copy.as_of)


def _is_had(service: Service) -> bool:
    """A fee that was charged once is a service to WHMCS, but nothing that one has."""
    return service.status in ("active", "suspended", "pending") and service.billing_cycle != "one_time"


async def _orders(portal: Portal, customer: Customer) -> Copy[OrdersPart]:
    known, as_of = await orders_with_journals(portal, customer)
    ready = await installable(portal, [one.order for one in known])
    read = [OpenOrder(one, status_of(one.order, one.journal), one.order.id in ready) for one in known]
    under_way = [one for one in read if one.status.code not in ("complete", "cancelled")]
    return Copy(OrdersPart(under_way, [one for one in read if one.is_installable], bool(read)), as_of)


async def _cases(portal: Portal, customer: Customer) -> Copy[Sequence[Case]]:
    """Live: cases are never copied."""
    as_of = portal.clock.now()
    read = [case for case in await cases_of(portal, customer) if not case.is_closed]
    return Copy(sorted(read, key=lambda case: not case.waits_for_customer), as_of)
