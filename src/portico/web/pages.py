"""Renders a template for a request: language, theme, who is signed in, where we are, what was just done."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment
from litestar import Request, Response

from portico.i18n import LANGUAGES
from portico.settings import Settings
from portico.web.cookies import CART, Flash, cookie, cookie_name, flash_cookie, flash_of
from portico.web.forms import Form
from portico.web.preferences import Theme, language_of, theme_of
from portico.web.static import Assets
from portico.web.templates import environment
from portico.web.theme import theme_css

_WORTH_SQUEEZING = 1400
"""Bytes: what fits one packet is sent as it is."""
_SECTIONS = {
    "home": "home",
    "catalog": "catalog",
    "cart": "catalog",
    "checkout": "catalog",
    "orders": "orders",
    "services": "services",
    "lines": "services",
    "billing": "billing",
    "support": "support",
    "profile": "profile",
    "staff": "staff",
}


@dataclass(frozen=True, slots=True)
class Web:
    """What rendering needs, made once; `request.app.state.web`."""

    settings: Settings
    assets: Assets
    environments: dict[str, Environment] = field(repr=False)

    @classmethod
    def made_for(cls, settings: Settings) -> Web:
        assets = Assets({"theme.css": theme_css(settings.portal.accent)})
        zone = ZoneInfo(settings.portal.timezone)
        languages = [language for language in settings.portal.languages if language in LANGUAGES] or ["en"]
        return cls(settings, assets, {name: environment(name, zone, assets.url) for name in languages})


@dataclass(frozen=True, slots=True)
class Page:
    """`page` in every template."""

    path: str
    here: str
    """Path and query of a page that can be opened again: where the language buttons come back to."""
    section: str
    language: str
    languages: dict[str, str]
    theme: Theme
    user: Any
    """The signed-in person (`display_name`, `email`, `is_staff`) or None."""
    flash: Flash | None
    cart_count: int
    provider: str
    support_email: str
    demo: bool
    request_id: str


def render(
    request: Request[Any, Any, Any],
    template: str,
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response[bytes]:
    """The page made from a template such as `billing/invoices.html`.

    The context always has `page` (Page) and `form` (an empty one unless given); the status is the form's unless given.
    A form's refusal, or `trouble` or `refusal` in the context, says when to come back.
    """
    web: Web = request.app.state.web
    page = page_of(request)
    form = context.setdefault("form", Form())
    html = web.environments[page.language].get_template(template).render(context, page=page).encode()
    sent = dict(headers or {})
    refusal = form.refusal or context.get("trouble") or context.get("refusal")
    if refusal and refusal.retry_after:
        sent.setdefault("retry-after", str(refusal.retry_after))
    if len(html) > _WORTH_SQUEEZING and "gzip" in request.headers.get("accept-encoding", ""):
        html, sent["content-encoding"] = gzip.compress(html, 4), "gzip"
    answer = Response(html, status_code=status or form.status, headers=sent, media_type="text/html")
    answer.headers["content-language"] = page.language
    if page.flash:
        answer.set_cookie(flash_cookie(web.settings, None))
    return answer


def page_of(request: Request[Any, Any, Any]) -> Page:
    """What every page shows around its own content."""
    web: Web = request.app.state.web
    settings, cookies, path = web.settings, request.cookies, request.scope["path"]
    return Page(
        path=path,
        here=_here(request, path),
        section=_SECTIONS.get(f"{path}/".split("/", 2)[1], ""),
        language=language(request),
        languages={name: LANGUAGES[name] for name in web.environments},
        theme=theme_of(settings, cookies),
        user=request.scope.get("user"),
        flash=flash_of(settings, cookies),
        cart_count=_number(cookies.get(cookie_name(settings, CART), "")),
        provider=settings.portal.name,
        support_email=settings.portal.support_email,
        demo=settings.portal.demo,
        request_id=request_id(request),
    )


def language(request: Request[Any, Any, Any]) -> str:
    """`en` or `ja`, from the cookie or Accept-Language."""
    settings: Settings = request.app.state.web.settings
    return language_of(settings, request.cookies, request.headers.get("accept-language", ""))


def request_id(request: Request[Any, Any, Any]) -> str:
    """The id that log lines, error pages and problem documents share."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def show_cart_count(request: Request[Any, Any, Any], answer: Response[Any], count: int) -> None:
    """Remembers how many items the cart holds, for the number in the header: no page reads the cart for that."""
    answer.set_cookie(cookie(request.app.state.web.settings, CART, str(count), 30 * 24 * 3600))


def _here(request: Request[Any, Any, Any], path: str) -> str:
    query = request.scope["query_string"].decode("ascii", "replace")
    return f"{path}?{query}" if query else path


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
