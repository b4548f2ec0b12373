"""`/livez`: the loop turns. `/readyz`: our own database answers. A system that is down never makes us unready."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portico.portal import Portal


@get("/livez", access="operations", include_in_schema=False)
async def alive() -> dict[str, str]:
    return {"state": "alive"}


@get("/readyz", access="operations", include_in_schema=False)
async def ready(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """503 while Postgres is away or its schema is not ours. Redis away: ready, and says that it is degraded."""
    portal: Portal = request.app.state.portal
    try:
        async with portal.db.begin() as tx:
            await tx.execute(text("SELECT epoch FROM cache_epoch"))
    except (SQLAlchemyError, OSError, TimeoutError):
        return Response({"state": "database away"}, status_code=503)
    cache = "ok" if await portal.cache.ping() else "away"
    return Response({"state": "ready", "cache": cache})
