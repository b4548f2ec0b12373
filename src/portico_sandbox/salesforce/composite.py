"""Several calls in one: `/composite`, whose parts may refer to each other, and the collections of rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Changes, changing
from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.objects import BY_PREFIX
from portico_sandbox.salesforce.rest import Answer, Call, Route, answer, part_of, refused, type_of
from portico_sandbox.store import Row

_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_NAME = re.compile(r"\w+")
_OUTER_ONLY_HEADERS = {"accept", "authorization", "content-type"}
_HALTED = Fault(
    "PROCESSING_HALTED",
    "The transaction was rolled back since another operation in the same transaction failed.",
)
_ROLLED_BACK = Fault(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)


class _RollBack(Exception):
    """Undoes the open transaction; the answers are already made."""


def composite(call: Call, routes: tuple[Route, ...], refuse_first: str = "") -> Answer:
    """`POST /composite`. `refuse_first` is a dial's code: the first part fails with it."""
    parts = _parts(call.json_object())
    if call.body.get("allOrNone") is True:
        return _together(call, routes, parts, refuse_first)
    answers: dict[str, Answer] = {}
    for part in parts:
        first_refusal = refuse_first if not answers else ""
        answers[part["referenceId"]] = _one(call, routes, part, answers, None, first_refusal)
    return _composed(answers)


def create_rows(call: Call) -> Answer:
    return _collection(call, _records(call), _created)


def update_rows(call: Call) -> Answer:
    return _collection(call, _records(call), _updated)


def upsert_rows(call: Call) -> Answer:
    """`PATCH /composite/sobjects/{T}/{ExtField}`: the external id stands in each record."""
    field_name = call.path[3]

    def upserted(changes: Changes, record: Row) -> Row:
        field = rows.external_field(type_of(record), field_name)
        named = {name: value for name, value in record.items() if name.lower() != field.name.lower()}
        value = next((value for name, value in record.items() if name.lower() == field.name.lower()), None)
        if value is None:
            raise Refusal(Fault("MISSING_ARGUMENT", f"{field.name} not specified", ()))
        try:
            record_id, created = rows.upsert(changes, type_of(record), field_name, str(value), named)
        except rows.SeveralMatches as several:
            raise Refusal(Fault("DUPLICATE_EXTERNAL_ID", f"{len(several.record_ids)} records match", ())) from several
        return {"id": record_id, "created": created}

    return _collection(call, _records(call), upserted)


def delete_rows(call: Call) -> Answer:
    ids = [each for each in call.query.get("ids", "").split(",") if each]
    return _collection(call, [{"id": each} for each in _few(ids)], _deleted)


def _together(call: Call, routes: tuple[Route, ...], parts: list[Row], refuse_first: str) -> Answer:
    """All parts in one transaction: one failure, and every other part is reported as halted."""
    answers: dict[str, Answer] = {}
    with suppress(_RollBack), changing(call.sandbox, call.caller) as changes:
        for part in parts:
            name = part["referenceId"]
            answers[name] = _one(call, routes, part, answers, changes, refuse_first if not answers else "")
            if answers[name].failed:
                answers = {each["referenceId"]: _halted() for each in parts} | {name: answers[name]}
                raise _RollBack
    return _composed(answers)


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
        headers = {name.lower(): value for name, value in (part.get("httpHeaders") or {}).items()}
        inner = part_of(call, part["method"], address, body, {**call.headers, **headers}, changes)
    except Refusal as wrong:
        return refused(wrong)
    return answer(routes, inner)


def _parts(body: Row) -> list[Row]:
    """The subrequests. Raises Refusal for the whole call where the envelope is wrong."""
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not parts:
        raise _envelope("The compositeRequest is missing or empty")
    if len(parts) > 25:
        raise _envelope("Limit of 25 reached for subrequests")
    names: set[str] = set()
    for part in parts:
        _check_part(part, names)
        names.add(part["referenceId"])
    heavy = sum(1 for part in parts if re.search(r"/(query(All)?|composite/sobjects)\b", part["url"]))
    if heavy > 5:
        raise _envelope("Limit of 5 reached for query and collection subrequests")
    return parts


def _check_part(part: Any, names: set[str]) -> None:
    if not isinstance(part, dict) or not all(
        isinstance(part.get(key), str) for key in ("method", "url", "referenceId")
    ):
        raise _envelope("A subrequest wants method, url and referenceId")
    if not _NAME.fullmatch(part["referenceId"]) or part["referenceId"] in names:
        raise _envelope(f"The referenceId {part['referenceId']} is invalid or used twice")
    if {name.lower() for name in part.get("httpHeaders") or {}} & _OUTER_ONLY_HEADERS:
        raise _envelope("A subrequest may not have the headers Accept, Authorization and Content-Type")


def _envelope(message: str) -> Refusal:
    return Refusal(Fault("JSON_PARSER_ERROR", message))


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
    return str(here)


def _composed(answers: Mapping[str, Answer]) -> Answer:
    parts = [
        {
            "body": each.body,
            "httpHeaders": dict(each.headers),
            "httpStatusCode": each.status,
            "referenceId": name,
        }
        for name, each in answers.items()
    ]
    return Answer(200, {"compositeResponse": parts})


def _halted() -> Answer:
    return Answer(400, [_HALTED.for_row()], failed=True)


def _collection(call: Call, records: list[Row], work: Callable[[Changes, Row], Row]) -> Answer:
    """Each record by itself; with allOrNone one failure undoes all. A composite's own allOrNone rules over ours."""
    all_or_none = call.changes is not None or _flag(call)
    results: list[Row] = []
    with suppress(_RollBack), call.writing() as changes:
        results = [_result(changes, each, work) for each in records]
        if all_or_none and not all(each["success"] for each in results):
            results = [each if not each["success"] else _failure(_ROLLED_BACK) for each in results]
            if call.changes is None:
                raise _RollBack
    return Answer(200, results, failed=all_or_none and not all(each["success"] for each in results))


def _result(changes: Changes, record: Row, work: Callable[[Changes, Row], Row]) -> Row:
    try:
        return {**work(changes, record), "success": True, "errors": []}
    except Refusal as refusal:
        return _failure(*refusal.faults)


def _failure(*faults: Fault) -> Row:
    return {"success": False, "errors": [fault.for_collection() for fault in faults]}


def _created(changes: Changes, record: Row) -> Row:
    return {"id": rows.create(changes, type_of(record), record)}


def _updated(changes: Changes, record: Row) -> Row:
    record_id = next((value for name, value in record.items() if name.lower() == "id"), None)
    if not isinstance(record_id, str):
        raise Refusal(Fault("MISSING_ARGUMENT", "Id not specified in an update call", ()))
    body = {name: value for name, value in record.items() if name.lower() != "id"}
    rows.update(changes, type_of(record), record_id, body)
    return {"id": record_id}


def _deleted(changes: Changes, record: Row) -> Row:
    entity = BY_PREFIX.get(record["id"][:3])
    if entity is None:
        raise Refusal(Fault("MALFORMED_ID", f"malformed id {record['id']}", ()))
    rows.delete(changes, entity, record["id"])
    return {"id": record["id"]}


def _records(call: Call) -> list[Row]:
    records = call.json_object().get("records")
    if not isinstance(records, list) or not records:
        raise _envelope("The records are missing or empty")
    return _few(records)


def _few(records: list[Any]) -> list[Any]:
    if len(records) > 200:
        raise Refusal(Fault("EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records"))
    return records


def _flag(call: Call) -> bool:
    if call.method == "DELETE":
        return call.query.get("allOrNone", "").lower() == "true"
    return call.json_object().get("allOrNone") is True
