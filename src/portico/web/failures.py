"""The one exception handler: any error becomes a page or a problem document, and a log line."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
    ValidationException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from portico import errors
from portico.errors import FieldFault, InputWrong, PorticoError
from portico.i18n import Message, _m
from portico.web.forms import sent_again
from portico.web.json_bodies import WRONG_FORM
from portico.web.pages import language, render, request_id
from portico.web.redirects import own_path

log = structlog.get_logger("web")

HEADINGS: dict[type[PorticoError], Message] = {
    errors.NotFound: _m("Page not found"),
    errors.NotAllowed: _m("Not allowed"),
    errors.StillRunning: _m("We are finishing this"),
    errors.SystemDown: _m("Please try again later"),
    errors.Trouble: _m("Please try again later"),
    errors.TooManyTries: _m("Please wait a little"),
    errors.InputWrong: _m("Something is missing or not right"),
    errors.Refusal: _m("That did not work"),
    PorticoError: _m("Something went wrong"),
}
MEANINGS: dict[type[PorticoError], Message] = {
    errors.StillRunning: _m("You can close this page or go on; nothing gets lost."),
    errors.Trouble: _m("Your services keep working. Only this page is affected."),
    errors.TooManyTries: _m("This protects your account from people who guess."),
    errors.Refusal: _m("Nothing was changed."),
    errors.NotAllowed: _m("Nothing was changed."),
    errors.NotFound: _m("Your account and your services are not affected."),
    PorticoError: _m("We have been told about it. Your services keep working."),
}
_OURS: tuple[tuple[type[HTTPException], type[PorticoError]], ...] = (
    (NotFoundException, errors.NotFound),
    (NotAuthorizedException, errors.SignInNeeded),
    (PermissionDeniedException, errors.NotAllowed),
    (MethodNotAllowedException, errors.MethodWrong),
    (RequestEntityTooLarge, errors.RequestTooLarge),
)


def answer_failure(request: Request[Any, Any, Any], exception: Exception) -> Response[Any]:
    """For `exception_handlers={Exception: …}`."""
    error = in_our_words(exception)
    _log(request, error, exception)
    headers = _headers(error, exception)
    if wants_json(request):
        return _document(request, error, headers)
    if isinstance(error, errors.SignInNeeded):
        return Response(b"", status_code=303, headers={"location": _sign_in_address(request)}, media_type="text/plain")
    return _page(request, error, headers)


def in_our_words(exception: Exception) -> PorticoError:
    """The error itself, or ours that says the same as Litestar's."""
    if isinstance(exception, PorticoError):
        return exception
    if isinstance(exception, ValidationException):
        return _input_wrong(exception)
    if isinstance(exception, HTTPException):
        for theirs, ours in _OURS:
            if isinstance(exception, theirs):
                return ours(exception.detail)
        if exception.status_code < 500:
            return errors.RequestWrong(exception.detail)
    return PorticoError(type(exception).__name__)


def wants_json(request: Request[Any, Any, Any]) -> bool:
    path, accept = request.scope["path"], request.headers.get("accept", "")
    return path.startswith(("/api/", "/hooks/")) or ("json" in accept and "text/html" not in accept)


def problem(request: Request[Any, Any, Any], error: PorticoError) -> dict[str, Any]:
    """The members of `application/problem+json` (RFC 9457 and ours)."""
    spoken = language(request)
    members: dict[str, Any] = {
        "type": f"urn:portico:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "detail": error.for_customer.in_language(spoken),
        "code": error.code,
        "trace_id": request_id(request),
    }
    if isinstance(error, InputWrong):
        members["errors"] = [
            {"pointer": fault.pointer, "detail": fault.message.in_language(spoken)} for fault in error.faults
        ]
    if error.retry_after:
        members["retry_after"] = error.retry_after
    return members


def _document(request: Request[Any, Any, Any], error: PorticoError, headers: dict[str, str]) -> Response[Any]:
    if isinstance(error, errors.StillRunning):
        address = f"/api/v1/operations/{quote(error.operation_id)}"
        running = {"operation_id": error.operation_id, "state": "running", "status_url": address}
        return Response(running, status_code=202, headers=headers | {"location": address})
    return Response(
        problem(request, error), status_code=error.status, headers=headers, media_type="application/problem+json"
    )


def _page(request: Request[Any, Any, Any], error: PorticoError, headers: dict[str, str]) -> Response[Any]:
    try:
        return render(
            request,
            "error.html",
            status=error.status,
            headers=headers,
            error=error,
            heading=_of_class(HEADINGS, error),
            meaning=_of_class(MEANINGS, error),
            faults=error.faults if isinstance(error, InputWrong) else (),
            again=_again(request) if error.status >= 500 else None,
            sent=sent_again(request) if isinstance(error, (errors.Trouble, errors.Busy)) else [],
        )
    except Exception as broken:
        log.exception("web.error_page.broken", error=type(broken).__name__)
        words = error.for_customer.in_language(language(request))
        return Response(words, status_code=error.status, headers=headers, media_type="text/plain")


def _of_class(words: dict[type[PorticoError], Message], error: PorticoError) -> Message | None:
    return next((words[kind] for kind in type(error).__mro__ if kind in words), None)


def _input_wrong(exception: ValidationException) -> PorticoError:
    found = exception.extra if isinstance(exception.extra, list) else []
    if any(item.get("source") == "path" for item in found):
        return errors.NotFound(exception.detail)
    faults = [_fault(item) for item in found]
    return InputWrong(*faults) if faults else errors.RequestWrong(exception.detail)


def _fault(item: dict[str, str]) -> FieldFault:
    return FieldFault("/" + item.get("key", "").replace(".", "/"), WRONG_FORM(problem=item.get("message", "")))


def _headers(error: PorticoError, exception: Exception) -> dict[str, str]:
    headers = dict(getattr(exception, "headers", None) or {})
    if error.retry_after:
        headers["retry-after"] = str(error.retry_after)
    return headers


def _sign_in_address(request: Request[Any, Any, Any]) -> str:
    """With the way back: to the page itself, or after a form to the page that it was on."""
    if request.method == "GET":
        query = request.scope["query_string"].decode("latin-1")
        back = own_path(request.scope["path"] + (f"?{query}" if query else ""))
    else:
        back = _referring_path(request)
    return f"/sign-in?next={quote(back, safe='/')}" if back else "/sign-in"


def _again(request: Request[Any, Any, Any]) -> str | None:
    return request.scope["path"] if request.method == "GET" else _referring_path(request)


def _referring_path(request: Request[Any, Any, Any]) -> str | None:
    referrer = urlsplit(request.headers.get("referer", ""))
    if not referrer.path or referrer.netloc != request.headers.get("host"):
        return None
    return own_path(f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path)


def _log(request: Request[Any, Any, Any], error: PorticoError, exception: Exception) -> None:
    facts = {
        "code": error.code,
        "status": error.status,
        "note": error.note,
        "route": request.scope.get("path_template"),
    }
    if isinstance(exception, (PorticoError, HTTPException)) and not isinstance(error, errors.Trouble):
        log.info("web.request.refused", **facts, facts=error.facts)
    elif isinstance(error, errors.Trouble):
        log.warning("web.request.trouble", **facts, system=error.system, facts=error.facts)
    else:
        log.error("web.request.crashed", **facts, exc_info=exception)
