"""All of the above as parts of one Litestar app."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.middleware import DefineMiddleware
from litestar.plugins import InitPlugin
from litestar.routes import HTTPRoute

from portico.settings import Settings
from portico.web import preferences, static
from portico.web.csrf import CrossSite
from portico.web.failures import answer_failure
from portico.web.gate import check_routes, gate
from portico.web.outermost import Outermost
from portico.web.pages import Web
from portico.web.style_book import style_book

MOST_BODY_BYTES = 1_000_000


def web_parts(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for Litestar: `Litestar(route_handlers=[…], middleware=[session], **web_parts(settings))`.

    The plugin adds its own middleware (before those given), guard, exception handler, routes (/static, /preferences,
    /style-book in the demo) and state (`app.state.web`). At start-up it checks the routes and puts `Outermost` around
    the app; where no lifespan runs, call `seal(app)`.
    """
    return {
        "plugins": [WebPlugin(settings)],
        "request_max_body_size": MOST_BODY_BYTES,
        "logging_config": None,
        "debug": False,
    }


class WebPlugin(InitPlugin):
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        web = Web.made_for(self._settings)
        app_config.state.web = web
        app_config.middleware = [DefineMiddleware(CrossSite, settings=self._settings), *app_config.middleware]
        app_config.guards = [gate, *app_config.guards]
        app_config.exception_handlers = {Exception: answer_failure, **app_config.exception_handlers}
        routes = [static.static_file, static.favicon, preferences.choose_language, preferences.choose_theme]
        if self._settings.portal.demo:
            routes.append(style_book)
        app_config.route_handlers = [*app_config.route_handlers, *routes]
        app_config.on_startup = [seal, *app_config.on_startup]
        return app_config


def seal(app: Litestar) -> None:
    """Puts the outermost layer around the app, once. Raises RoutesUndeclared if a route does not say who may enter."""
    if isinstance(app.asgi_handler, Outermost):
        return
    check_routes(app)
    routes = (route for route in app.routes if isinstance(route, HTTPRoute))
    allowed = {route.path_format: ", ".join(sorted(route.methods)) for route in routes}
    app.asgi_handler = Outermost(app.asgi_handler, app.state.web.settings, allowed)
