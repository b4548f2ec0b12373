"""`/services` and `/services/{id}`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from portico.billing.payment_methods import today
from portico.billing.words import invoice_words
from portico.errors import Trouble
from portico.portal import Portal
from portico.subscriptions.details import details_for
from portico.subscriptions.services import Service, services_of
from portico.subscriptions.words import CYCLE_WORDS, SERVICE_WORDS
from portico.web import paging, render


@get("/services", access="customer", include_in_schema=False)
async def services_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    try:
        copy = await services_of(portal, request.user.customer)
    except Trouble:
        return render(request, "subscriptions/services.html", rows=None)
    services = sorted(copy.value, key=_rank)
    where = paging(request, len(services))
    shown = services[where.offset : where.offset + where.size]
    rows = [(service, *SERVICE_WORDS[service.status], CYCLE_WORDS[service.billing_cycle]) for service in shown]
    return render(request, "subscriptions/services.html", rows=rows, where=where, as_of_time=copy.as_of)


@get("/services/{service_id:int}", access="customer", ids={"service_id": "service"}, include_in_schema=False)
async def service_page(request: Request[Any, Any, Any], service_id: int) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    known, day = await details_for(portal, request.user.customer, service_id), today(portal)
    words, tone = SERVICE_WORDS[known.service.status]
    return render(
        request,
        "subscriptions/service.html",
        service=known.service,
        words=words,
        tone=tone,
        cycle=CYCLE_WORDS[known.service.billing_cycle],
        bills=known.bills,
        invoices=[(one, *invoice_words(one, day)) for one in known.bills.invoices] if known.bills else [],
        cancellation=known.cancellation,
        today=day,
        as_of_time=known.as_of,
    )


def _rank(service: Service) -> int:
    """What is had comes first, then fees that were charged once, then what has ended. Each newest first, as it came."""
    if service.status not in ("active", "suspended", "pending"):
        return 2
    return 1 if service.billing_cycle == "one_time" else 0
