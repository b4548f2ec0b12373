"""Several calls in one: `/composite` and `/composite/graph`, whose parts may refer to each other, and the batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from portico_sandbox.salesforce.changes import Changes, changing
from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.rest import Answer, Call, Route, answer, envelope, part_of, refused
from portico_sandbox.store import Row

MOST_PARTS = 25
_MOST_HEAVY = 5
_MOST_NODES = 500
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_NAME = re.compile(r"\w+", re.ASCII)
_HEAVY = re.compile(r"/(query(All)?|composite/sobjects)\b", re.IGNORECASE)
_NEVER_NESTED = re.compile(r"/v\d+\.0/composite(/(batch|graph|tree/\w+))?/?(\?|$)", re.IGNORECASE)
_OUTER_ONLY_HEADERS = {"accept", "authorization", "content-type"}
_HALTED = Fault(
    "PROCESSING_HALTED",
    "The transaction was rolled back since another operation in the same transaction failed.",
)
_BATCH_HALTED = Fault("BATCH_PROCESSING_HALTED", "Batch processing halted per request")


class _RollBack(Exception):
    """Undoes the open transaction; the answers are already made."""


def composite(call: Call, routes: tuple[Route, ...], refuse_first: str = "") -> Answer:
    """`POST /composite`. `refuse_first` is a dial's code: the first part fails with it."""
    body = call.json_object()
    parts = _parts(call, body, MOST_PARTS)
    heavy = sum(1 for part in parts if _HEAVY.search(part["url"].split("?")[0]))
    if heavy > _MOST_HEAVY:
        raise _too_much(call, f"Limit of {_MOST_HEAVY} reached for query and collection subrequests")
    if body.get("allOrNone") is True:
        return _composed(parts, _together(call, routes, parts, refuse_first))
    answers: dict[str, Answer] = {}
    for part in parts:
        first_refusal = refuse_first if not answers else ""
        answers[part["referenceId"]] = _one(call, routes, part, answers, None, first_refusal)
    return _composed(parts, answers)


def graph(call: Call, routes: tuple[Route, ...]) -> Answer:
    """`POST /composite/graph`: each graph is one transaction, whatever becomes of the others."""
    graphs = call.json_object().get("graphs")
    if not isinstance(graphs, list) or not graphs:
        raise envelope("The graphs are missing or empty")
    names = [each.get("graphId") if isinstance(each, dict) else None for each in graphs]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise envelope("Every graph needs a graphId of its own")
    parts_of = [_parts(call, each, _MOST_NODES) for each in graphs]
    if sum(map(len, parts_of)) > _MOST_NODES:
        raise _too_much(call, f"Limit of {_MOST_NODES} nodes reached")
    results = []
    for name, parts in zip(names, parts_of, strict=True):
        answers = _together(call, routes, parts, "")
        ok = not any(each.failed for each in answers.values())
        results.append({"graphId": name, "graphResponse": _composed(parts, answers).body, "isSuccessful": ok})
    return Answer(200, {"graphs": results})


def batch(call: Call, routes: tuple[Route, ...]) -> Answer:
    """`POST /composite/batch`: independent calls, one after the other."""
    body = call.json_object()
    requests = body.get("batchRequests")
    if not isinstance(requests, list) or not requests:
        raise envelope("The batchRequests are missing or empty")
    if len(requests) > MOST_PARTS:
        raise _too_much(call, f"Limit of {MOST_PARTS} reached for batch requests")
    results: list[Answer] = []
    for request in requests:
        if body.get("haltOnError") is True and any(each.status >= 400 for each in results):
            results.append(Answer(412, [_BATCH_HALTED.for_row()], failed=True))
        else:
            results.append(_batched(call, routes, request))
    failed = any(each.status >= 400 for each in results)
    return Answer(200, {"hasErrors": failed, "results": [_batch_result(each) for each in results]})


def _batched(call: Call, routes: tuple[Route, ...], request: Any) -> Answer:
    if not isinstance(request, dict) or not all(isinstance(request.get(key), str) for key in ("method", "url")):
        raise envelope("A batch request wants method and url")
    url = request["url"].lstrip("/")
    address = f"/{url}" if url.startswith("services/") else f"/services/data/{url}"
    if _NEVER_NESTED.search(address):
        raise envelope("Composite resources can't stand in a batch")
    try:
        return answer(routes, part_of(call, request["method"], address, request.get("richInput"), call.headers, None))
    except Refusal as wrong:
        return refused(wrong)


def _batch_result(answered: Answer) -> Row:
    return {"statusCode": answered.status, "result": None if answered.status == 204 else answered.body}


def _together(call: Call, routes: tuple[Route, ...], parts: list[Row], refuse_first: str) -> dict[str, Answer]:
    """All parts in one transaction: one failure, and every other part is reported as halted."""
    answers: dict[str, Answer] = {}
    with suppress(_RollBack), changing(call.sandbox, call.caller) as changes:
        for part in parts:
            name = part["referenceId"]
            answers[name] = _one(call, routes, part, answers, changes, refuse_first if not answers else "")
            if answers[name].failed:
                halted = Answer(400, [_HALTED.for_row()], failed=True)
                answers = {each["referenceId"]: halted for each in parts} | {name: answers[name]}
                raise _RollBack
    return answers


def _one(
    call: Call,
    routes: tuple[Route, ...],
    part: Row,
    answers: Mapping[str, Answer],
    changes: Changes | None,
    refusal: str,
) -> Answer:
    if refusal:
        return refused(Refusal(Fault(refusal, f"{refusal}: refused by a dial", ())))
    try:
        address = _resolved(part["url"], answers)
        body = _resolved(part.get("body"), answers)
        headers = {name.lower(): str(value) for name, value in (part.get("httpHeaders") or {}).items()}
        inner = part_of(call, part["method"], address, body, {**call.headers, **headers}, changes)
    except Refusal as wrong:
        return refused(wrong)
    return answer(routes, inner)


def _parts(call: Call, body: Row, most: int) -> list[Row]:
    """The subrequests. Raises Refusal for the whole call where the envelope is wrong."""
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not parts:
        raise envelope("The compositeRequest is missing or empty")
    if len(parts) > most:
        raise _too_much(call, f"Limit of {most} reached for subrequests")
    names: set[str] = set()
    for part in parts:
        _check_part(part, names)
        names.add(part["referenceId"])
    return parts


def _check_part(part: Any, names: set[str]) -> None:
    keys = ("method", "url", "referenceId")
    if not isinstance(part, dict) or not all(isinstance(part.get(key), str) for key in keys):
        raise envelope("A subrequest wants method, url and referenceId")
    if not _NAME.fullmatch(part["referenceId"]) or part["referenceId"] in names:
        raise envelope(f"The referenceId {part['referenceId']} is invalid or used twice")
    if not isinstance(part.get("httpHeaders") or {}, dict):
        raise envelope("The httpHeaders of a subrequest are an object")
    if {name.lower() for name in part.get("httpHeaders") or {}} & _OUTER_ONLY_HEADERS:
        raise envelope("A subrequest may not have the headers Accept, Authorization and Content-Type")
    if not part["url"].startswith("/services/data/") or _NEVER_NESTED.search(part["url"]):
        raise envelope(f"The url {part['url']} can't stand in a subrequest")


def _too_much(call: Call, message: str) -> Refusal:
    return Refusal(Fault(knob(call.sandbox, "too_many_subrequests"), message))


def _resolved(value: Any, answers: Mapping[str, Answer]) -> Any:
    """The same value with every `@{ref.path}` in its texts replaced. Raises Refusal where one leads nowhere."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _referred(found, answers), value)
    if isinstance(value, list):
        return [_resolved(each, answers) for each in value]
    if isinstance(value, dict):
        return {name: _resolved(each, answers) for name, each in value.items()}
    return value


def _referred(found: re.Match[str], answers: Mapping[str, Answer]) -> str:
    answered = answers.get(found[1])
    here = answered.body if answered and not answered.failed else None
    for name, index in _STEP.findall(found[2]):
        if name:
            here = here.get(name) if isinstance(here, dict) else None
        else:
            here = here[int(index)] if isinstance(here, list) and int(index) < len(here) else None
    if here is None or isinstance(here, (dict, list)):
        message = f"Invalid reference specified. No value for {found[1]}{found[2]} found in {found[1]}"
        raise Refusal(Fault("PROCESSING_HALTED", message))
    return str(here).lower() if isinstance(here, bool) else str(here)


def _composed(parts: list[Row], answers: Mapping[str, Answer]) -> Answer:
    """Collating changes the order of the work, never that of the answers."""
    composed = [
        {
            "body": None if answers[name].status in (204, 304) else answers[name].body,
            "httpHeaders": dict(answers[name].headers),
            "httpStatusCode": answers[name].status,
            "referenceId": name,
        }
        for name in (part["referenceId"] for part in parts)
    ]
    return Answer(200, {"compositeResponse": composed})
