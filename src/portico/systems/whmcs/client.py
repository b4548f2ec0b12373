"""How WHMCS is called: the only file that knows its envelope, its credentials and its forms.

Classic API, https://developers.whmcs.com/api/ : one address, `POST {base}/includes/api.php`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from portico.errors import PorticoError, SystemDown, SystemSurprised
from portico.settings import WhmcsSettings
from portico.systems.http import Door, Limits, Reply
from portico.systems.whmcs.errors import error_for, setup_wrong
from portico.systems.whmcs.php_form import FormValue, encode_form
from portico.systems.whmcs.shapes import Row, as_int, as_raw, record, rows, unflatten

_READS = ("Get", "ValidateLogin", "CreateSsoToken", "WhmcsDetails")
_PAGE = 100
_MOST_PAGES = 30


@dataclass(frozen=True)
class Whmcs:
    """First argument of every function here; one per process."""

    door: Door
    settings: WhmcsSettings

    @cached_property
    def timezone(self) -> ZoneInfo:
        return ZoneInfo(self.settings.timezone)

    async def aclose(self) -> None:
        await self.door.aclose()


def build_whmcs(settings: WhmcsSettings) -> Whmcs:
    limits = Limits(settings.connect_seconds, settings.read_seconds, settings.write_seconds, settings.concurrency)
    return Whmcs(Door("whmcs", settings.url, limits, ca_path=settings.ca_path), settings)


async def call(whmcs: Whmcs, action: str, params: Mapping[str, FormValue], *, repeatable: bool) -> Row:
    """Calls an action and returns its answer, known to be a success, with bracketed keys nested.

    `repeatable`: a read, or a write that may be sent twice. Raises SystemDown, SetupWrong, SystemRefused with a code
    of errors.py or the named refusal there, SystemSurprised (also for a write that succeeded with a `warning`:
    such writes have been seen not to have happened).
    """
    reply = await whmcs.door.call(
        "POST",
        f"{whmcs.settings.url.rstrip('/')}/includes/api.php",
        name=action,
        repeatable=repeatable,
        headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        content=encode_form({**params, **_credentials(whmcs.settings), "action": action, "responsetype": "json"}),
    )
    answer = _read(reply)
    if answer is None:
        raise _no_answer(action, reply)
    # By what it says before its HTTP status: versions, proxies and hooks differ in the status.
    result = answer.get("result", answer.get("status"))
    if result == "error":
        raise error_for(action, as_raw(answer, "message"), reply.status)
    if answer.get("result") != "success":
        raise SystemSurprised("whmcs", f"{action}: no result", body=reply.body)
    if answer.get("warning") and not action.startswith(_READS):
        raise SystemSurprised("whmcs", f"{action}: success with a warning", body=reply.body)
    return unflatten(answer)


async def call_for_all(
    whmcs: Whmcs, action: str, params: Mapping[str, FormValue], container: str, item: str
) -> list[Row]:
    """All rows of a paged read, each id once. Pages by what really came: the page size may be capped over there."""
    found: dict[int, Row] = {}
    offset = 0
    for _ in range(_MOST_PAGES):
        page, total = await call_for_page(whmcs, action, params, container, item, offset=offset, limit=_PAGE)
        found |= {as_int(row, "id"): row for row in page}
        offset += len(page)
        if not page or offset >= total:
            return list(found.values())
    raise SystemSurprised("whmcs", f"{action}: more than {_MOST_PAGES} pages")


async def call_for_page(
    whmcs: Whmcs,
    action: str,
    params: Mapping[str, FormValue],
    container: str,
    item: str,
    *,
    offset: int,
    limit: int,
) -> tuple[list[Row], int]:
    """One page of a read and the total. A total without rows on the first page is a surprise, not an empty list."""
    page = {"limitstart": offset, "limitnum": limit}
    answer = await call(whmcs, action, {**params, **page}, repeatable=True)
    found = rows(answer, container, item)
    total = as_int(answer, "totalresults") if answer.get("totalresults") not in (None, "") else len(found)
    if total and not found and offset == 0:
        raise SystemSurprised("whmcs", f"{action}: {total} rows announced, none sent")
    return found, total


async def ping(whmcs: Whmcs) -> str:
    """The version of WHMCS; fails where address, credential or rights are wrong."""
    answer = await call(whmcs, "WhmcsDetails", {}, repeatable=True)
    return as_raw(record(answer, "whmcs"), "version")


def _credentials(settings: WhmcsSettings) -> dict[str, FormValue]:
    return {
        "identifier": settings.identifier.get_secret_value(),
        "secret": settings.secret.get_secret_value(),
        "accesskey": settings.access_key.get_secret_value() if settings.access_key else None,
    }


def _read(reply: Reply) -> Row | None:
    """The JSON object in the answer; None where there is none."""
    try:
        # Strict UTF-8: a wrong charset must not become wrong names. Exact decimals: amounts may come as numbers.
        answer: Any = json.loads(reply.body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _no_number(name: str) -> None:
    raise ValueError(name)


def _no_answer(action: str, reply: Reply) -> PorticoError:
    """What an answer means that is not WHMCS's own: a proxy, a firewall, maintenance, a hook that printed something."""
    if reply.status in (401, 403, 404):
        return setup_wrong(action, f"HTTP {reply.status} without an answer of WHMCS")
    if reply.status == 429 or reply.status >= 500 or 300 <= reply.status < 400:
        return SystemDown("whmcs", f"{action}: HTTP {reply.status}")
    return SystemSurprised("whmcs", f"{action}: HTTP {reply.status} without an answer of WHMCS", body=reply.body)
