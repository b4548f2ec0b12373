"""The stand-in's door: call id → path → function, with the dials in front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from litestar import Litestar, Request, Response, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from portico_sandbox.dials import REQUEST_MODES, play
from portico_sandbox.freebit.auth import auth_oem, check_key
from portico_sandbox.freebit.codes import Invented
from portico_sandbox.freebit.details import cancel_account, get_details, get_usage
from portico_sandbox.freebit.esim import add_account
from portico_sandbox.freebit.wire import Document, FreebitRequest, Refused, answer, document_of, faults_of
from portico_sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Call:
    id: str
    paths: tuple[str, ...]
    """Below `/emptool/api`. More than one where the sources disagree."""

    work: Callable[[Sandbox, Document], Document]
    """The request's document → what the answer holds beside the envelope. Raises Refused."""


CALLS = (
    Call("PA01-01", ("/authOem/",), auth_oem),
    Call("PA02-04", ("/master/cnclAcnt/",), cancel_account),
    Call("PA03-02", ("/mvno/getDetail/", "/master/getAcnt/"), get_details),
    Call("PA05-01", ("/mvno/getTrafficInfo/",), get_usage),
    Call("PA05-41", ("/mvno/esim/addAcnt/",), add_account),
)


def build_app(sandbox: Sandbox) -> ASGIApp:
    handlers = [_route(sandbox, call) for call in CALLS]
    return Litestar(handlers, logging_config=None, openapi_config=None, exception_handlers={HTTPException: _no_page})


def _route(sandbox: Sandbox, call: Call) -> HTTPRouteHandler:
    @post([f"/emptool/api{path}" for path in call.paths], name=call.id, status_code=200)
    async def serve(request: Request) -> Response[bytes]:  # type: ignore[type-arg]
        async def work() -> Response[bytes]:
            return await _worked(sandbox, call, request)

        return await play(sandbox.dials.take("freebit", call.id, *REQUEST_MODES), work, faults_of(sandbox))

    return serve


async def _worked(sandbox: Sandbox, call: Call, request: FreebitRequest) -> Response[bytes]:
    try:
        document = await document_of(request)
        if call.id != "PA01-01":
            check_key(sandbox, document)
        return answer(sandbox, **call.work(sandbox, document))
    except Refused as refusal:
        return answer(sandbox, refusal.code, refusal.detail)
    except HTTPException:
        return answer(sandbox, Invented.INPUT_WRONG, "the body is no form")


def _no_page(_request: FreebitRequest, error: HTTPException) -> Response[bytes]:
    body = f"<html><body><h1>{error.status_code}</h1></body></html>"
    return Response(body.encode(), status_code=error.status_code, media_type="text/html")
