"""Who may enter: every route declares it, one guard obeys it, and an app with an undeclared route does not start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from portico.errors import NotAllowed, SignInNeeded

ACCESS = frozenset({"public", "customer", "staff", "hook", "operations"})
"""public: anyone · customer: signed in · staff: signed in as staff · hook: proves itself by signature · operations:
health for the orchestrator."""


class RoutesUndeclared(Exception):
    """Routes that do not say who may enter, or what their path parameters are. The text names each of them."""


async def gate(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of the whole app. Raises SignInNeeded or NotAllowed."""
    if connection.scope.get("method") == "OPTIONS":  # answered by Litestar with the methods, nothing else
        return
    access = handler.opt.get("access")
    if access in ("public", "hook", "operations"):
        return
    user = connection.scope.get("user")
    if user is None:
        raise SignInNeeded(access or "undeclared")
    if access == "staff" and user.is_staff:
        return
    if access == "customer" and user.customer is not None:
        return
    raise NotAllowed(access or "undeclared")


def check_routes(app: Litestar) -> None:
    """Raises RoutesUndeclared if a route lacks `access`, or `ids` for a path parameter."""
    faults = [fault for route in app.routes for fault in _faults(route)]
    if faults:
        raise RoutesUndeclared("\n".join(faults))


def _faults(route: BaseRoute) -> Iterator[str]:
    for handler in handlers_of(route):
        if handler.opt.get("access") not in ACCESS:
            yield f"{route.path} ({handler}): access= wants one of {', '.join(sorted(ACCESS))}"
        ids = handler.opt.get("ids", {})
        for name in route.path_parameters:
            if name not in ids:
                yield f"{route.path} ({handler}): ids= does not say what {{{name}}} is"


def handlers_of(route: BaseRoute) -> list[BaseRouteHandler]:
    """The route's handlers but for the OPTIONS answer that Litestar adds to each."""
    if isinstance(route, HTTPRoute):
        return [handler for handler in route.route_handlers if handler.http_methods != {"OPTIONS"}]
    return [route.route_handler]  # type: ignore[attr-defined]
