"""One address for people and tests: a form is sent back to a page with a notice, JSON gets JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from litestar.response import Redirect

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.panel.render import Notices

PanelRequest = Request[Any, Any, Any]
_BACK = "back"


@dataclass(frozen=True)
class Input:
    values: dict[str, Any]
    is_form: bool
    back: str = "/"


async def input_of(request: PanelRequest) -> Input:
    """The fields of the request. Raises ButtonRefused where the body is neither a form nor a JSON object."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = {name: str(value).strip() for name, value in (await request.form()).items()}
        return Input(form, is_form=True, back=_own_path(form.pop(_BACK, "/")))
    return Input(_object(await request.body()), is_form=False)


def text_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """Scalars as trimmed text; numbers and booleans as JSON writes them."""
    fields = {}
    for name, value in values.items():
        if isinstance(value, list | dict):
            raise ButtonRefused(f"{name} must be text or a number.")
        fields[name] = "" if value is None else value.strip() if isinstance(value, str) else json.dumps(value)
    return fields


def answered(given: Input, notices: Notices, sentence: str, facts: Any, *, status: int = 200) -> Response[Any]:
    if given.is_form:
        return _sent_back(given, notices, "done", sentence)
    return Response(facts, status_code=status)


def refused(given: Input, notices: Notices, sentence: str) -> Response[Any]:
    if given.is_form:
        return _sent_back(given, notices, "refused", sentence)
    return Response({"detail": sentence}, status_code=422)


def _sent_back(given: Input, notices: Notices, kind: str, sentence: str) -> Response[Any]:
    key = notices.keep(kind, sentence)
    path, hash_sign, anchor = given.back.partition("#")
    joint = "&" if "?" in path else "?"
    return Redirect(f"{path}{joint}notice={key}{hash_sign}{anchor}", status_code=303)


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ButtonRefused("The body is neither a form nor JSON.") from error
    if not isinstance(document, dict):
        raise ButtonRefused("The JSON must be an object.")
    return document


def _own_path(path: str) -> str:
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours else "/"
