"""Around everything, unknown addresses included: request id, deadline, HEAD, security headers, the access line."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Histogram

from portico.settings import Settings
from portico.systems.http import deadline, only_looks
from portico.web.csrf import origin_of

log = structlog.get_logger("web")

PAGE_SECONDS = 5.0
"""What a page may wait for all its systems together."""
REQUEST_SECONDS = Histogram(
    "portico_request_seconds",
    "Duration of requests by route",
    ["route", "method", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def security_headers(settings: Settings) -> dict[str, str]:
    """On every answer that does not set its own."""
    headers = {
        "content-security-policy": "; ".join(
            (
                "default-src 'none'",
                "style-src 'self'",
                "script-src 'self'",
                "img-src 'self' data:",
                "connect-src 'self'",
                # A form's answer may send the browser to WHMCS (303 with a single-use link): browsers check that too.
                f"form-action 'self' {origin_of(settings.whmcs.url)}",
                "frame-ancestors 'none'",
                "base-uri 'none'",
            )
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
    }
    if settings.portal.is_secure:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers


class Outermost:
    def __init__(self, app: ASGIApp, settings: Settings, allowed: Mapping[str, str]) -> None:
        """`allowed`: path template → methods, as an answer to OPTIONS names them."""
        self._app = app
        self._allowed = allowed
        self._headers = [(name.encode(), value.encode()) for name, value in security_headers(settings).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started, method, request_id = time.perf_counter(), scope["method"], secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        if method == "HEAD":
            scope["method"] = HttpMethod.GET
        answer = _Answer(send, self._headers, request_id.encode(), is_head=method == "HEAD")
        if method == "OPTIONS":
            answer.allowed = lambda: self._allowed.get(scope.get("path_template") or "")
        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        until = deadline.set(asyncio.get_running_loop().time() + PAGE_SECONDS)
        looks = only_looks.set(scope["method"] == HttpMethod.GET)
        try:
            await self._app(scope, receive, answer.send)
        finally:
            only_looks.reset(looks)
            deadline.reset(until)
            structlog.contextvars.reset_contextvars(**bound)
            self._note(scope, method, answer.status, time.perf_counter() - started)

    def _note(self, scope: Any, method: str, status: int, seconds: float) -> None:
        # The template, never the address itself: addresses hold ids, and now and then a secret.
        route = scope.get("path_template") or "-"
        REQUEST_SECONDS.labels(route, method, str(status)).observe(seconds)
        customer = getattr(scope.get("user"), "customer", None)
        log.info(
            "web.request.done",
            request_id=scope["state"]["request_id"],
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            user_id=customer.user_id if customer else None,
        )


class _Answer:
    """Passes an answer on with our headers; of a HEAD answer only the headers."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]], request_id: bytes, *, is_head: bool) -> None:
        self._send = send
        self._defaults = headers
        self._request_id = request_id
        self._is_head = is_head
        self._ended = False
        self.status = 500
        self.allowed: Callable[[], str | None] = lambda: None
        """Litestar's own OPTIONS answer knows only the methods of the handler that was registered first."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._complete(list(message.get("headers", [])))
        elif self._is_head and message["type"] == "http.response.body":
            if self._ended:
                return
            self._ended = True
            message["body"], message["more_body"] = b"", False
        await self._send(message)

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if allowed := self.allowed():
            headers = [pair for pair in headers if pair[0].lower() != b"allow"] + [(b"allow", allowed.encode())]
        present = {name.lower() for name, _ in headers}
        headers += [pair for pair in self._defaults if pair[0] not in present]
        headers.append((b"x-request-id", self._request_id))
        return headers
