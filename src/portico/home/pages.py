"""`/home`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from portico.billing.payment_methods import today
from portico.home.summary import summary_of
from portico.home.tasks import pay_address, product_of, tasks_of
from portico.portal import Portal
from portico.subscriptions.words import CYCLE_WORDS, SERVICE_WORDS
from portico.support.words import case_words
from portico.web import render

SHOWN = 5


@get("/home", access="customer", include_in_schema=False)
async def home_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    summary = await summary_of(portal, request.user.customer)
    services, cases = summary.services.value or [], summary.cases.value or []
    rows = [
        (service, *SERVICE_WORDS[service.status], CYCLE_WORDS[service.billing_cycle]) for service in services[:SHOWN]
    ]
    return render(
        request,
        "home/home.html",
        summary=summary,
        tasks=tasks_of(portal, summary, request.user.unread),
        pay_at=pay_address(summary.due.value) if summary.due.value else "",
        orders=[(one, product_of(one.known.order)) for one in summary.orders.value.under_way[:SHOWN]]
        if summary.orders.value
        else [],
        services=rows,
        more_services=len(services) - SHOWN,
        cases=[(case, *case_words(case)) for case in cases[:SHOWN]],
        more_cases=len(cases) - SHOWN,
        today=today(portal),
    )
