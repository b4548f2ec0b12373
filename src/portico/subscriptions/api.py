"""`/api/v1/subscriptions`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import msgspec
from litestar import Request, get

from portico.billing.invoices import Invoice
from portico.billing.payment_methods import today
from portico.portal import Portal
from portico.subscriptions.details import details_for
from portico.subscriptions.services import Service, services_of
from portico.web.shapes import Listing, MoneyShape, money_shape, whole


class SubscriptionOut(msgspec.Struct, frozen=True):
    id: str
    name: str
    status: str
    billing_cycle: str
    price: MoneyShape
    """Net, of one cycle (of the one payment for a one-time service)."""
    next_due: date | None
    registered: date | None
    line_number: str | None


class BillOut(msgspec.Struct, frozen=True):
    id: str
    number: str
    status: str
    overdue: bool
    due_date: date | None
    total: MoneyShape
    balance: MoneyShape


class SubscriptionDetailOut(SubscriptionOut, frozen=True, kw_only=True):
    iccid: str | None
    cancellation: Literal["at_once", "end_of_period"] | None
    """Filed and not carried out yet; null also where it can not be known just now."""
    invoices: list[BillOut] | None
    """The latest that have a line for this service, newest first; null where they can not be read just now."""
    as_of: datetime


@get("/api/v1/subscriptions", access="customer")
async def subscriptions(request: Request[Any, Any, Any]) -> Listing[SubscriptionOut]:
    copy = await services_of(request.app.state.portal, request.user.customer)
    return whole([_subscription(service) for service in copy.value], copy.as_of)


@get("/api/v1/subscriptions/{subscription_id:int}", access="customer", ids={"subscription_id": "service"})
async def subscription(request: Request[Any, Any, Any], subscription_id: int) -> SubscriptionDetailOut:
    portal: Portal = request.app.state.portal
    known = await details_for(portal, request.user.customer, subscription_id)
    filed, bills = known.cancellation, known.bills
    return SubscriptionDetailOut(
        **msgspec.structs.asdict(_subscription(known.service)),
        iccid=known.service.iccid or None,
        cancellation=None if filed is None else "at_once" if filed.at_once else "end_of_period",
        invoices=[_bill(invoice, today(portal)) for invoice in bills.invoices] if bills else None,
        as_of=known.as_of,
    )


def _subscription(service: Service) -> SubscriptionOut:
    return SubscriptionOut(
        id=str(service.id),
        name=service.name,
        status=service.status,
        billing_cycle=service.billing_cycle,
        price=money_shape(service.first_payment if service.billing_cycle == "one_time" else service.recurring),
        next_due=service.next_due,
        registered=service.registered,
        line_number=service.line_number or None,
    )


def _bill(invoice: Invoice, day: date) -> BillOut:
    return BillOut(
        id=str(invoice.id),
        number=invoice.number,
        status=invoice.status,
        overdue=invoice.is_overdue(day),
        due_date=invoice.due_date,
        total=money_shape(invoice.total),
        balance=money_shape(invoice.balance),
    )
