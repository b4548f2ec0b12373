"""Pages of the panel and the mailbox: one layout, templates beside their routes, autoescape always on."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from portico_sandbox.clock import TOKYO
from portico_sandbox.sandbox import Sandbox

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
_KEPT_NOTICES = 50


class Notices:
    """What a press answered, shown once the browser has been sent back to a page: found by a key in the address."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def keep(self, kind: str, sentence: str) -> str:
        key = secrets.token_hex(4)
        self._kept[key] = (kind, sentence)
        while len(self._kept) > _KEPT_NOTICES:
            self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> tuple[str, str] | None:
        return self._kept.get(key)


def page(sandbox: Sandbox, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    body = _ENVIRONMENT.get_template(template).render(
        now=sandbox.clock.now(),
        offset=_offset_in_words(sandbox),
        dials_turned=len(sandbox.dials.active()),
        mails=len(sandbox.store.table("mail")),
        portal_url=sandbox.settings.portal_url,
        **{"notice": None, **context},
    )
    return Response(body, status_code=status, media_type="text/html", headers=_HEADERS)


def _offset_in_words(sandbox: Sandbox) -> str:
    minutes = round(sandbox.clock.offset.total_seconds() / 60)
    if not minutes:
        return ""
    days, rest = divmod(abs(minutes), 24 * 60)
    hours, minutes_left = divmod(rest, 60)
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes_left, "min")) if count]
    return f"{' '.join(parts)} {'behind' if minutes < 0 else 'ahead'}"


def _at(value: str | datetime) -> str:
    """In Japan, where this world lives."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(TOKYO).strftime("%Y-%m-%d %H:%M:%S")


def _yen(amount: float | str) -> str:
    return f"¥{float(amount):,.0f}"


_ENVIRONMENT = Environment(
    loader=PackageLoader("portico_sandbox", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(at=_at, yen=_yen)
