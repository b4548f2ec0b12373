"""How Freebit is called: the only file that knows its form, its key and its envelope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode

from portico.errors import PorticoError, SystemDown, SystemSurprised
from portico.settings import FreebitSettings
from portico.systems.freebit.auth import AuthKey
from portico.systems.freebit.calls import CallId, address_of
from portico.systems.freebit.errors import SUCCESS, Result, error_for, setup_wrong
from portico.systems.http import Door, Limits, Reply

Document: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Freebit:
    """First argument of every function here; one per process."""

    door: Door
    settings: FreebitSettings
    auth_key: AuthKey

    async def aclose(self) -> None:
        await self.door.aclose()


def build_freebit(settings: FreebitSettings) -> Freebit:
    limits = Limits(settings.connect_seconds, settings.read_seconds, settings.write_seconds, settings.concurrency)
    door = Door("freebit", settings.url, limits, ca_path=settings.ca_path)
    return Freebit(door, settings, AuthKey(settings.auth_ttl_seconds))


async def call(freebit: Freebit, call_id: CallId, document: Mapping[str, Any], *, repeatable: bool) -> Document:
    """Calls with the key and returns the answer, known to be a success (which for writes means: accepted).

    A code in `auth_failure_codes` has the key fetched anew and the call replayed once, writes as well: such an
    answer means that nothing was done. Raises SystemDown, SetupWrong, SystemRefused (`vendor_code` = `400-356`),
    SystemSurprised.
    """
    key = await freebit.auth_key.current(lambda: _auth_oem(freebit))
    answer, result = await _send(freebit, call_id, {"authKey": key, **document}, repeatable)
    if result.is_among(freebit.settings.auth_failure_codes):
        freebit.auth_key.forget(key)
        key = await freebit.auth_key.current(lambda: _auth_oem(freebit))
        answer, result = await _send(freebit, call_id, {"authKey": key, **document}, repeatable)
    if result.result_code != SUCCESS:
        raise error_for(freebit.settings, call_id, result)
    return answer


async def ping(freebit: Freebit) -> None:
    """Fails where address or credentials are wrong. Fetches a key only where none is held."""
    await freebit.auth_key.current(lambda: _auth_oem(freebit))


async def _auth_oem(freebit: Freebit) -> str:
    """PA01-01."""
    settings = freebit.settings
    credentials = {"oemId": settings.oem_id, "oemKey": settings.oem_key.get_secret_value()}
    answer, result = await _send(freebit, "PA01-01", credentials, repeatable=True)
    if result.result_code != SUCCESS:
        raise error_for(settings, "PA01-01", result)
    key = answer.get("authKey")
    if not isinstance(key, str) or not key:
        raise SystemSurprised("freebit", "PA01-01: no authKey")
    return key


async def _send(
    freebit: Freebit, call_id: CallId, document: Mapping[str, Any], repeatable: bool
) -> tuple[Document, Result]:
    # A form with one field: portals that sent multipart or bare JSON had to change to this.
    form = urlencode({"json": json.dumps(document, ensure_ascii=False, separators=(",", ":"))})
    reply = await freebit.door.call(
        "POST",
        address_of(freebit.settings, call_id),
        name=call_id,
        repeatable=repeatable,
        headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        content=form.encode("ascii"),
    )
    answer = _read(reply)
    result = _result(answer) if answer is not None else None
    if answer is None or result is None:
        raise _no_answer(call_id, reply)
    return answer, result


def _read(reply: Reply) -> Document | None:
    try:
        answer: Any = json.loads(reply.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _result(answer: Document) -> Result | None:
    """The envelope; None where there is no result code. Codes come as numbers or text."""
    code = _code(answer.get("resultCode"))
    if not code:
        return None
    status = answer.get("status")
    if not isinstance(status, dict):
        return Result(code, "", "")
    return Result(code, _code(status.get("statusCode")), str(status.get("message") or ""))


def _code(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _no_answer(call_id: CallId, reply: Reply) -> PorticoError:
    """HTTP is a layer of its own here: what is no document of Freebit's is trouble on the way."""
    if reply.status in (401, 403, 404):
        return setup_wrong(call_id, f"HTTP {reply.status} without an answer of Freebit")
    if reply.status == 429 or reply.status >= 500 or 300 <= reply.status < 400:
        return SystemDown("freebit", f"{call_id}: HTTP {reply.status}")
    return SystemSurprised("freebit", f"{call_id}: HTTP {reply.status} without a result", body=reply.body)
