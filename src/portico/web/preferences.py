"""Language and theme: chosen in the footer, kept in a cookie, else taken from the browser."""

from __future__ import annotations

from typing import Any, Literal

from litestar import Request, Response, post

from portico.i18n import LANGUAGES
from portico.settings import Settings
from portico.web.cookies import YEAR, cookie, cookie_name
from portico.web.forms import read_form
from portico.web.redirects import own_path, redirect

Theme = Literal["system", "light", "dark"]
THEMES: tuple[Theme, ...] = ("system", "light", "dark")


def language_of(settings: Settings, cookies: dict[str, str], accept_language: str) -> str:
    """The cookie's language if we speak it, else the best of Accept-Language, else the first of the settings."""
    spoken = [language for language in settings.portal.languages if language in LANGUAGES] or ["en"]
    chosen = cookies.get(cookie_name(settings, "lang"), "")
    if chosen in spoken:
        return chosen
    wished = sorted(_wishes(accept_language), key=lambda wish: -wish[1])
    return next((language for language, weight in wished if weight > 0 and language in spoken), spoken[0])


def theme_of(settings: Settings, cookies: dict[str, str]) -> Theme:
    chosen = cookies.get(cookie_name(settings, "theme"), "")
    return next((theme for theme in THEMES if theme == chosen), "system")


@post("/preferences/language", access="public", include_in_schema=False, status_code=303)
async def choose_language(request: Request[Any, Any, Any]) -> Response[bytes]:
    return await _remember(request, "lang", "language", tuple(LANGUAGES))


@post("/preferences/theme", access="public", include_in_schema=False, status_code=303)
async def choose_theme(request: Request[Any, Any, Any]) -> Response[bytes]:
    return await _remember(request, "theme", "theme", THEMES)


async def _remember(
    request: Request[Any, Any, Any], name: str, field: str, choices: tuple[str, ...]
) -> Response[bytes]:
    form = await read_form(request)
    answer = redirect(request, own_path(form.text("next")) or "/")
    chosen = form.text(field)
    if chosen in choices:
        answer.set_cookie(cookie(request.app.state.web.settings, name, chosen, YEAR))
    return answer


def _wishes(accept_language: str) -> list[tuple[str, float]]:
    wishes = []
    for part in accept_language[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        wishes.append((tag.partition("-")[0].lower(), _number(weight)))
    return wishes


def _number(weight: str) -> float:
    try:
        return float(weight) if weight else 1.0
    except ValueError:
        return 0.0
