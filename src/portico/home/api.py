"""`/api/v1/me/status`: what the home page shows."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get

from portico.home.summary import Part, summary_of
from portico.portal import Portal
from portico.web.shapes import MoneyShape, money_shape


class DueOut(msgspec.Struct, frozen=True):
    """What is unpaid, together."""

    total: MoneyShape
    invoices: int
    overdue: int


class StatusOut(msgspec.Struct, frozen=True):
    """A part whose system is down is null, and its name stands in `unavailable`."""

    due: DueOut | None
    active_services: int | None
    open_orders: int | None
    orders_that_need_you: int | None
    has_payment_method: bool | None
    unavailable: list[str]


@get("/api/v1/me/status", access="customer", operation_id="read_status", summary="What the home page shows")
async def status(request: Request[Any, Any, Any]) -> StatusOut:
    """One read for all parts; a system that is down takes only its own part away."""
    portal: Portal = request.app.state.portal
    summary = await summary_of(portal, request.user.customer)
    due, services, orders = summary.due.value, summary.services.value, summary.orders.value
    needy = [one for one in orders if one.status.code == "needs_you"] if orders is not None else None
    parts: dict[str, Part[Any]] = {
        "due": summary.due,
        "active_services": summary.services,
        "open_orders": summary.orders,
        "has_payment_method": summary.has_payment_method,
    }
    return StatusOut(
        due=DueOut(money_shape(due.total), len(due.invoices), due.overdue) if due else None,
        active_services=sum(s.status == "active" for s in services) if services is not None else None,
        open_orders=len(orders) if orders is not None else None,
        orders_that_need_you=len(needy) if needy is not None else None,
        has_payment_method=summary.has_payment_method.value,
        unavailable=[name for name, part in parts.items() if part.trouble],
    )
