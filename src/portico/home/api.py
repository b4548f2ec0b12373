"""`/api/v1/me/status`: what the home page shows."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from litestar import Request, get

from portico.billing.payment_methods import today
from portico.home.summary import Part, Summary, summary_of
from portico.home.tasks import Code, tasks_of
from portico.portal import Portal
from portico.web import language
from portico.web.shapes import Moment, MoneyShape, money_shape


class DueOut(msgspec.Struct, frozen=True):
    """What is unpaid, together."""

    total: MoneyShape
    invoices: int
    overdue: int


class NextBillOut(msgspec.Struct, frozen=True):
    """What will be billed next for what there is now; credit and usage are not in it."""

    date: date
    net: MoneyShape
    gross: MoneyShape
    subscription_ids: list[str]


class TaskOut(msgspec.Struct, frozen=True):
    """What waits for the customer. `code` is stable, `message` is for people, `address` a page of the portal."""

    code: Code
    message: str
    address: str


class StatusOut(msgspec.Struct, frozen=True):
    """A part whose system is down is null, and its name stands in `unavailable`. `tasks`: the most urgent first, of the
    parts that could be read. `next_bill` is null also where nothing will be billed. `as_of` is of the oldest part, and
    null where none could be read."""

    due: DueOut | None
    active_services: int | None
    open_orders: int | None
    orders_that_need_you: int | None
    has_payment_method: bool | None
    next_bill: NextBillOut | None
    open_cases: int | None
    cases_that_need_you: int | None
    tasks: list[TaskOut]
    unavailable: list[str]
    as_of: Moment | None


@get("/api/v1/me/status", access="customer", operation_id="read_status", summary="What the home page shows")
async def status(request: Request[Any, Any, Any]) -> StatusOut:
    """One read for all parts; a system that is down takes only its own part away."""
    portal: Portal = request.app.state.portal
    summary = await summary_of(portal, request.user.customer)
    due, services, orders, cases = (
        summary.due.value, summary.services.value, summary.orders.value, summary.cases.value,
    )  # fmt: skip
    spoken = language(request)
    return StatusOut(
        due=DueOut(money_shape(due.total), len(due.invoices), due.overdue) if due else None,
        active_services=sum(s.status == "active" for s in services) if services is not None else None,
        open_orders=len(orders.under_way) if orders else None,
        orders_that_need_you=sum(one.status.code == "needs_you" for one in orders.under_way) if orders else None,
        has_payment_method=_has_usable(summary, today(portal)),
        next_bill=_next_bill(summary),
        open_cases=len(cases) if cases is not None else None,
        cases_that_need_you=sum(case.waits_for_customer for case in cases) if cases is not None else None,
        tasks=[
            TaskOut(task.code, task.message.in_language(spoken), task.address)
            for task in tasks_of(portal, summary, request.user.unread)
        ],
        unavailable=_unavailable(summary),
        as_of=min((part.as_of for part in summary.parts if part.as_of), default=None),
    )


def _has_usable(summary: Summary, day: date) -> bool | None:
    methods = summary.methods.value
    return None if methods is None else any(method.is_usable(day) for method in methods)


def _next_bill(summary: Summary) -> NextBillOut | None:
    bill = summary.next_bill
    if bill is None:
        return None
    ids = [str(service.id) for service in bill.services]
    return NextBillOut(bill.day, money_shape(bill.net), money_shape(bill.gross), ids)


def _unavailable(summary: Summary) -> list[str]:
    parts: dict[str, Part[Any]] = {
        "due": summary.due,
        "active_services": summary.services,
        "next_bill": summary.services,
        "open_orders": summary.orders,
        "has_payment_method": summary.methods,
        "open_cases": summary.cases,
    }
    return [name for name, part in parts.items() if part.trouble]
