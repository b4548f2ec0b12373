"""`/api/v1/subscriptions`."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import msgspec
from litestar import Request, get

from portico.billing.invoices import Invoice
from portico.billing.payment_methods import today
from portico.portal import Portal
from portico.subscriptions.details import details_for
from portico.subscriptions.services import Service, services_of
from portico.web.openapi_problems import REMOTE
from portico.web.shapes import Listing, Moment, MoneyShape, money_shape, whole

ServiceStatus = Literal[
    "pending", "active", "suspended", "terminated", "cancelled", "fraud", "completed", "other"
]  # fmt: skip
ServiceCycle = Literal[
    "monthly", "quarterly", "semiannually", "annually", "biennially", "triennially", "one_time", "free", "other"
]  # fmt: skip
BillStatus = Literal["unpaid", "paid", "cancelled", "refunded", "collections", "payment_pending", "draft", "other"]


class SubscriptionOut(msgspec.Struct, frozen=True):
    """`price` is net, of one cycle (of the one payment for a one-time service)."""

    id: str
    name: str
    status: ServiceStatus
    billing_cycle: ServiceCycle
    price: MoneyShape
    next_due: date | None
    registered: date | None
    line_number: str | None


class BillOut(msgspec.Struct, frozen=True):
    """An invoice, in short."""

    id: str
    number: str
    status: BillStatus
    overdue: bool
    due_date: date | None
    total: MoneyShape
    balance: MoneyShape


class SubscriptionDetailOut(SubscriptionOut, frozen=True, kw_only=True):
    """`cancellation`: filed and not carried out yet. `invoices`: the latest that have a line for this service, newest
    first. Both are null where they can not be known just now."""

    iccid: str | None
    cancellation: Literal["at_once", "end_of_period"] | None
    invoices: list[BillOut] | None
    as_of: Moment


@get(
    "/api/v1/subscriptions",
    access="customer",
    operation_id="list_subscriptions",
    summary="Services of any status",
    refusals=REMOTE,
)
async def subscriptions(request: Request[Any, Any, Any]) -> Listing[SubscriptionOut]:
    """All in one page, newest first."""
    copy = await services_of(request.app.state.portal, request.user.customer)
    return whole([_subscription(service) for service in copy.value], copy.as_of)


@get(
    "/api/v1/subscriptions/{subscription_id:int}",
    access="customer",
    ids={"subscription_id": "service"},
    operation_id="read_subscription",
    summary="One service",
    refusals=REMOTE,
)
async def subscription(request: Request[Any, Any, Any], subscription_id: int) -> SubscriptionDetailOut:
    """With its latest invoices, and a cancellation that was filed."""
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
