"""`POST /includes/api.php`: who may call, which action, and the envelope of the answer."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

from litestar import Request, Response, post

from portico_sandbox.dials import REQUEST_MODES, Dial, FaultAnswers, play
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs import clients, invoices, orders, paymethods, products, services, sso, transactions, users
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call
from portico_sandbox.whmcs.php_form import PhpValue, parse_form
from portico_sandbox.whmcs.shapes import encoded, shaped

_TOPICS = (clients, invoices, orders, paymethods, products, services, sso, transactions, users)
ACTIONS: dict[str, Action] = {name: action for topic in _TOPICS for name, action in topic.ACTIONS.items()}
_NAMES = {name.lower(): name for name in ACTIONS}

_FORBIDDEN = (
    "Invalid IP",
    "Invalid Permissions",
    "Authentication Failed",
    "Invalid or missing credentials",
    "Invalid password provided",
    "Access Denied",
    "Administrator Account Disabled",
)
"""Messages that come with a 403; the dial `refuse` plays them by their text."""

_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>{1}</p></body></html>"
_OUTPUT_EMITTED = "Unable to emit response: output has already been emitted (includes/hooks/legacy_banner.php:12)."


@post("/includes/api.php", status_code=200)
async def api_php(request: Request[Any, Any, Any]) -> Response[bytes]:
    sandbox: Sandbox = request.app.state.sandbox
    params = _params(request.headers.get("content-type", ""), await request.body())
    sent = params.get("action", "")
    name = _NAMES.get(sent.lower(), sent) if isinstance(sent, str) else ""
    dial = sandbox.dials.take("whmcs", name, *REQUEST_MODES)

    async def work() -> Response[bytes]:
        return answer(sandbox, name, params)

    playing = play(dial, work, _faults(dial))
    if dial and dial.mode == "commit_then_hang":
        return await _until_gone(request, asyncio.ensure_future(playing))
    return await playing


def answer(sandbox: Sandbox, name: str, params: dict[str, PhpValue]) -> Response[bytes]:
    """Runs one call and wraps its outcome."""
    call = Call(sandbox, params)
    try:
        outcome: Answer = {"result": "success", **_outcome(call, name)}
        if call.switches.warning.lower() == name.lower():
            outcome["warning"] = "Payment information could not be verified."
    except ApiRefusal as refusal:
        return _error(refusal.message, refusal.status)
    return _encode(call, shaped(outcome, call.switches))


def _outcome(call: Call, name: str) -> Answer:
    if not name:
        raise ApiRefusal("Empty action request", 400)
    _authenticate(call)
    action = ACTIONS.get(name)
    if action is None:
        raise ApiRefusal("Action Not Found")  # invented: what the real one says is not known
    return action(call)


def _authenticate(call: Call) -> None:
    settings = call.sandbox.settings
    identifier = call.text("identifier") or call.text("username")
    secret = call.text("secret") or call.text("password")
    if not identifier or not secret:
        raise ApiRefusal("Invalid or missing credentials", 403)
    right_name = hmac.compare_digest(identifier.encode(), settings.whmcs_identifier.encode())
    right_secret = hmac.compare_digest(secret.encode(), settings.whmcs_secret.encode())
    if not (right_name and right_secret):
        raise ApiRefusal("Authentication Failed", 403)


def _params(content_type: str, body: bytes) -> dict[str, PhpValue]:
    """PHP fills `$_POST` from forms only: a JSON body reads as an empty call."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return {}
    return parse_form(body)


def _encode(call: Call, outcome: Answer) -> Response[bytes]:
    if call.text("responsetype").lower() == "json":
        return Response(encoded(outcome), media_type="application/json")
    # The deprecated form of name/value pairs: what comes without `responsetype` is not known, so never JSON.
    text = "".join(f"{key}={value};" for key, value in outcome.items())
    return Response(text.encode(), media_type="text/plain; charset=utf-8")


def _error(message: str, status: int) -> Response[bytes]:
    body = encoded({"result": "error", "message": message})
    return Response(body, media_type="application/json", status_code=status)


def _faults(dial: Dial | None) -> FaultAnswers[Response[bytes]]:
    return FaultAnswers(
        down=lambda: _html("503 Service Unavailable", "Please try again later.", 503),
        error=lambda: _html("Oops!", _OUTPUT_EMITTED, 500),
        malformed=lambda: _malformed(dial.code if dial else ""),
        refuse=_refused,
    )


def _malformed(kind: str) -> Response[bytes]:
    """`code` of the dial chooses: html, empty, latin1, or (left out) JSON cut short."""
    match kind:
        case "html":
            return _html("Down for Maintenance", "We are currently performing maintenance.", 200)
        case "empty":
            return Response(b"", media_type="application/json")
        case "latin1":
            return Response(b'{"result":"success","client":{"city":"M\xfcnchen"}}', media_type="application/json")
    return Response(b'{"result":"success","totalresults":1,"client":{"id":47', media_type="application/json")


def _refused(message: str) -> Response[bytes]:
    return _error(message, 403 if message.startswith(_FORBIDDEN) else 200)


def _html(title: str, text: str, status: int) -> Response[bytes]:
    page = _HTML.format(title, text).encode()
    return Response(page, media_type="text/html; charset=utf-8", status_code=status)


async def _until_gone(request: Request[Any, Any, Any], playing: asyncio.Future[Response[bytes]]) -> Response[bytes]:
    """A server that hangs is let go of when its caller has left: ASGI does not cancel by itself."""
    await asyncio.sleep(0)  # let the work begin, even when the caller is gone already
    while (await request.receive())["type"] != "http.disconnect":
        pass
    playing.cancel()
    return Response(b"", status_code=503)
