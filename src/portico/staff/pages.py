"""`/staff`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from portico.change_stream import stream_report
from portico.portal import Portal
from portico.staff.runs import open_runs
from portico.web import render


@get("/staff", access="staff", include_in_schema=False)
async def staff_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    async with portal.db.begin() as tx:
        stream = await stream_report(tx, portal.clock.now(), portal.settings.salesforce.events_per_day)
    return render(request, "staff/staff.html", runs=await open_runs(portal), stream=stream)
