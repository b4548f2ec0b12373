"""Answers that send the browser on: inside the portal with a message, or out to another system."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request, Response

from portico.i18n import Message
from portico.web.cookies import Flash, FlashKind, flash_cookie

_OWN_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")  # printable ASCII but no space and no backslash


def own_path(value: str) -> str | None:
    """The value if it is a path (with query) of ours; None for anything that a browser could read as another site."""
    return value if len(value) <= 2000 and _OWN_PATH.fullmatch(value) else None


def redirect(
    request: Request[Any, Any, Any], path: str, flash: Message | None = None, kind: FlashKind = "success"
) -> Response[bytes]:
    """303 to a page of ours; `flash` is shown there once. ValueError for a path that is not ours."""
    if own_path(path) is None:
        raise ValueError(f"not a path of ours: {path!r}")
    answer = Response(b"", status_code=303, headers={"location": path}, media_type="text/plain")
    if flash is not None:
        answer.set_cookie(flash_cookie(request.app.state.web.settings, Flash(flash, kind)))
    return answer


def hand_off(url: str) -> Response[bytes]:
    """303 to another system (a single-use sign-on link): never kept, and the other side learns no address of ours."""
    headers = {"location": url, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(b"", status_code=303, headers=headers, media_type="text/plain")
