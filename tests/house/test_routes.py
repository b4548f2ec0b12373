"""Every route says who may enter and what its path parameters are."""

from __future__ import annotations

import pytest
from litestar import Litestar, get
from litestar.params import FromPath
from litestar.routes import HTTPRoute

from portico.routes import ROUTES
from portico.settings import read_settings
from portico.web import RoutesUndeclared, check_routes, web_parts
from portico.web.csrf import SAFE_METHODS
from portico.web.gate import handlers_of


@pytest.fixture(scope="module")
def app() -> Litestar:
    """The route table of the whole portal; nothing is connected."""
    return Litestar(route_handlers=ROUTES, openapi_config=None, **web_parts(read_settings()))


def test_every_route_is_declared(app: Litestar) -> None:
    check_routes(app)


def test_an_undeclared_route_stops_the_start() -> None:
    @get("/forgotten/{thing_id:str}")
    async def forgotten(thing_id: FromPath[str]) -> str:
        return thing_id

    app = Litestar(route_handlers=[forgotten], openapi_config=None, **web_parts(read_settings()))
    with pytest.raises(RoutesUndeclared, match=r"access=.*\n.*thing_id"):
        check_routes(app)


def test_reading_and_changing_are_not_mixed(app: Litestar) -> None:
    """A handler that takes GET takes no other method: nothing can be changed by a link."""
    mixed = [
        f"{route.path}: {sorted(handler.http_methods)}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.http_methods & SAFE_METHODS and handler.http_methods - SAFE_METHODS
    ]
    assert mixed == []


def test_only_hooks_are_exempt_from_the_cross_site_check(app: Litestar) -> None:
    hooks = [route.path for route in app.routes for handler in handlers_of(route) if handler.opt["access"] == "hook"]
    assert all(path.startswith("/hooks/") for path in hooks)


def test_private_addresses_are_not_public(app: Litestar) -> None:
    """The first word of an address already says that it is somebody's."""
    private = ("/home", "/orders", "/billing", "/services", "/lines", "/support", "/profile", "/checkout", "/staff")
    open_doors = [
        route.path
        for route in app.routes
        for handler in handlers_of(route)
        if route.path.startswith(private) and handler.opt["access"] not in ("customer", "staff")
    ]
    assert open_doors == []
