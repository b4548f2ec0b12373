"""The app of the control port: panel, `/control/…` and the mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from litestar import Litestar, Response, get
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from portico_sandbox.buttons import Button
from portico_sandbox.mailbox import pages as mailbox_pages
from portico_sandbox.panel import api, pages
from portico_sandbox.panel.api import Reset
from portico_sandbox.panel.render import Notices, page
from portico_sandbox.panel.requests import PanelRequest
from portico_sandbox.sandbox import Sandbox

_STYLE = (files("portico_sandbox.panel") / "panel.css").read_bytes()


def build_app(sandbox: Sandbox, buttons: Sequence[Button], reset: Reset) -> ASGIApp:
    notices = Notices()

    @get("/panel.css", media_type="text/css")
    async def style() -> bytes:
        return _STYLE

    def wrong(request: PanelRequest, error: HTTPException) -> Response[Any]:
        if request.url.path.startswith("/control") or request.url.path.endswith(".json"):
            return Response({"detail": error.detail}, status_code=error.status_code)
        return page(sandbox, "panel/wrong.html", status=error.status_code, title=error.detail, here="")

    return Litestar(
        [
            style,
            *pages.routes(sandbox, buttons, notices),
            *api.routes(sandbox, buttons, reset, notices),
            *mailbox_pages.routes(sandbox),
        ],
        before_request=_refuse_strangers,
        exception_handlers={HTTPException: wrong},
        logging_config=None,
        openapi_config=None,
    )


async def _refuse_strangers(request: PanelRequest) -> Response[Any] | None:
    """Some other page open in the same browser must not press buttons here."""
    if request.method in ("POST", "DELETE") and request.headers.get("sec-fetch-site") == "cross-site":
        return Response({"detail": "Only pages of the control panel may press its buttons."}, status_code=403)
    return None
