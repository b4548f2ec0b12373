"""Cross-site requests are refused: Fetch Metadata first, Origin where that is missing, nothing by default."""

from __future__ import annotations

from urllib.parse import urlsplit

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from portico.errors import CrossSiteRequest, MediaTypeWrong
from portico.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class CrossSite:
    """Middleware before the session's: an unsafe request that is not ours never learns who is signed in."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._origin = origin_of(settings.portal.url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: HTTPScope) -> None:
        if scope["method"] in SAFE_METHODS or scope["route_handler"].opt.get("access") == "hook":
            return
        headers = Headers.from_scope(scope)
        if not self._is_ours(headers):
            raise CrossSiteRequest(headers.get("sec-fetch-site", "-"), origin=headers.get("origin", "-"))
        if scope["path"].startswith("/api/") and _has_body(headers) and not _is_json(headers):
            raise MediaTypeWrong(headers.get("content-type", "-"))

    def _is_ours(self, headers: Headers) -> bool:
        if headers.get("sec-fetch-site") in ("same-origin", "none"):
            return True
        return headers.get("origin") == self._origin


def origin_of(url: str) -> str:
    """`https://host` or `https://host:port` of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _is_json(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
