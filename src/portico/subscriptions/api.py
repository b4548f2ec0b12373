"""`/api/v1/subscriptions`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec
from litestar import Request, get

from portico.subscriptions.services import Service, service_for, services_of
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


class SubscriptionDetailOut(SubscriptionOut, frozen=True, kw_only=True):
    iccid: str | None
    as_of: datetime


@get("/api/v1/subscriptions", access="customer")
async def subscriptions(request: Request[Any, Any, Any]) -> Listing[SubscriptionOut]:
    copy = await services_of(request.app.state.portal, request.user.customer)
    return whole([_subscription(service) for service in copy.value], copy.as_of)


@get("/api/v1/subscriptions/{subscription_id:int}", access="customer", ids={"subscription_id": "service"})
async def subscription(request: Request[Any, Any, Any], subscription_id: int) -> SubscriptionDetailOut:
    copy = await service_for(request.app.state.portal, request.user.customer, subscription_id)
    basics = msgspec.structs.asdict(_subscription(copy.value))
    return SubscriptionDetailOut(**basics, iccid=copy.value.iccid or None, as_of=copy.as_of)


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
