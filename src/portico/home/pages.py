"""`/home`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from portico.billing.payment_methods import today
from portico.home.summary import summary_of
from portico.portal import Portal
from portico.subscriptions.words import CYCLE_WORDS, SERVICE_WORDS
from portico.web import render

SHOWN = 5


@get("/home", access="customer", include_in_schema=False)
async def home_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    summary = await summary_of(portal, request.user.customer)
    services = summary.services.value or []
    rows = [
        (service, *SERVICE_WORDS[service.status], CYCLE_WORDS[service.billing_cycle]) for service in services[:SHOWN]
    ]
    return render(
        request, "home/home.html", summary=summary, services=rows, more_services=len(services) - SHOWN,
        today=today(portal),
    )  # fmt: skip
