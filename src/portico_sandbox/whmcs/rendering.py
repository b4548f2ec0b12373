"""Templates of the client area and what every page is given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.sessions import Session

SITE = "Demo billing (WHMCS sandbox)"
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def yen(amount: Decimal | str) -> str:
    value = Decimal(amount)
    return f"{'−' if value < 0 else ''}¥{abs(value):,.0f}"


def _environment() -> Environment:
    loader = PackageLoader("portico_sandbox.whmcs", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["yen"] = yen
    return made


_ENVIRONMENT = _environment()


def page(
    sandbox: Sandbox, template: str, session: Session | None = None, status: int = 200, **values: Any
) -> Response[str]:
    shared = {
        "site": SITE,
        "portal_return": f"{sandbox.settings.portal_url}/billing/return",
        "session": session,
        "client": session.client if session else None,
        "notice": session.take_notice() if session else None,
    }
    html = _ENVIRONMENT.get_template(template).render({**shared, **values})
    return Response(html, media_type="text/html; charset=utf-8", status_code=status, headers=_HEADERS)


def message(sandbox: Sandbox, title: str, text: str, status: int, session: Session | None = None) -> Response[str]:
    """A page that says one thing, and offers the way back to the portal."""
    return page(sandbox, "message.html", session, status, title=title, text=text)
