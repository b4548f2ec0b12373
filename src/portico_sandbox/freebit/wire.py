"""The request form, the answer's envelope, and what each fault looks like on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from portico_sandbox.dials import FaultAnswers
from portico_sandbox.freebit.codes import SUCCESS, Code, Invented, code_of
from portico_sandbox.freebit.switches import is_on
from portico_sandbox.sandbox import Sandbox

Document = dict[str, Any]
FreebitRequest = Request[Any, Any, Any]


class Refused(Exception):
    """A business refusal: it becomes an answer with HTTP 200 and this code."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(code.message)
        self.code = code
        self.detail = detail


async def document_of(request: FreebitRequest) -> Document:
    """The JSON in the form field `json`, from either form encoding. A bare JSON body is refused."""
    form = await request.form()
    text = form.get("json")
    if not isinstance(text, str):
        raise Refused(Invented.INPUT_WRONG, "the form field json is missing")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Refused(Invented.INPUT_WRONG, "the form field json holds no JSON") from error
    if not isinstance(document, dict):
        raise Refused(Invented.INPUT_WRONG, "the JSON is no object")
    return document


def text_in(document: Mapping[str, Any], name: str, pattern: str, *, required: bool = True, default: str = "") -> str:
    """A scalar as text (the documents send strings, numbers are borne). Refuses what `pattern` does not match whole."""
    value = document.get(name)
    if value is None or value == "":
        if required:
            raise Refused(Invented.INPUT_WRONG, f"{name} is missing")
        return default
    if isinstance(value, bool) or not isinstance(value, str | int) or not re.fullmatch(pattern, str(value)):
        raise Refused(Invented.INPUT_WRONG, f"{name} is not of the form {pattern}")
    return str(value)


def object_in(document: Mapping[str, Any], name: str) -> Document:
    value = document.get(name)
    if not isinstance(value, dict):
        raise Refused(Invented.INPUT_WRONG, f"{name} must be an object")
    return value


def answer(sandbox: Sandbox, code: Code = SUCCESS, detail: str = "", **fields: Any) -> Response[bytes]:
    """The envelope and whatever comes on top. Business errors travel with HTTP 200, as clients are seen to expect."""
    as_numbers = is_on(sandbox, "number-codes")
    message = f"{code.message} ({detail})" if detail else code.message
    document = {
        "resultCode": int(code.result_code) if as_numbers else code.result_code,
        "status": {"message": message, "statusCode": int(code.status_code) if as_numbers else code.status_code},
        **fields,
    }
    return Response(json.dumps(document, ensure_ascii=False).encode(), media_type="application/json;charset=UTF-8")


def faults_of(sandbox: Sandbox) -> FaultAnswers[Response[bytes]]:
    return FaultAnswers(
        down=lambda: _page(503, "Service Unavailable"),
        error=lambda: answer(sandbox, Invented.INTERNAL_ERROR),
        malformed=lambda: Response(b'{"resultCode": "100", "status": {"mess', media_type="application/json"),
        refuse=lambda code: answer(sandbox, code_of(code)),
    )


def _page(status: int, title: str) -> Response[bytes]:
    body = f"<html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>"
    return Response(body.encode(), status_code=status, media_type="text/html")
