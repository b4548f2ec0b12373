"""`/staff`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from portico.staff.runs import open_runs
from portico.web import render


@get("/staff", access="staff", include_in_schema=False)
async def staff_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return render(request, "staff/staff.html", runs=await open_runs(request.app.state.portal))
