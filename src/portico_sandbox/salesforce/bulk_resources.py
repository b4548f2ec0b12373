"""The Bulk API 2.0: query jobs, and jobs that write tables. Work is done at once; states are those of a quick org."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portico_sandbox.salesforce import bulk_csv, rows, soql_run
from portico_sandbox.salesforce.access import is_closed
from portico_sandbox.salesforce.changes import Changes, changing, wire_time
from portico_sandbox.salesforce.errors import Fault, Refusal, not_found, unknown_type
from portico_sandbox.salesforce.ids import with_suffix
from portico_sandbox.salesforce.knobs import code_said
from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.rest import Answer, Call
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.store import Row

_TABLE = "sf_bulk_jobs"
_CSV = {"Content-Type": "text/csv; charset=UTF-8"}
_CHUNK = 200
_MOST_IN_PAGE = 50_000
_INNER = ("query", "ids", "paths", "data", "results")
"""What a job remembers and does not tell."""


def create_query_job(call: Call) -> Answer:
    body = call.json_object()
    text, operation = str(body.get("query", "")), body.get("operation", "query")
    result = soql_run.run(call.sandbox, text, deleted=operation == "queryAll")
    if result.groups is not None or result.query.counting:
        raise Refusal(Fault("API_ERROR", "Aggregate Relationships not supported in Bulk Query"))
    entity = entity_named(result.query.entity)
    assert entity  # a query that runs has an object
    paths = soql_run.columns(call.sandbox, text)
    done = {"numberRecordsProcessed": len(result.ids), "query": text, "ids": result.ids, "paths": paths}
    return Answer(200, _told(_new_job(call, entity, {**body, "operation": operation}, "UploadComplete", done)))


def create_ingest_job(call: Call) -> Answer:
    body = call.json_object()
    entity = entity_named(str(body.get("object", "")))
    if entity is None or is_closed(call.sandbox, entity):
        raise unknown_type(str(body.get("object", "")))
    if str(body.get("operation")) not in _OPERATIONS:
        raise Refusal(Fault("INVALIDJOB", f"Operation {body.get('operation')} is not supported"))
    return Answer(200, _told(_new_job(call, entity, body, "Open", {"data": "", "results": []})))


def read_job(call: Call) -> Answer:
    job = _job(call)
    if job["state"] == "UploadComplete":  # of a query: told once, as long as nobody asked how far it is
        job = _change(call, job, state="JobComplete")
    return Answer(200, _told(job))


def upload(call: Call) -> Answer:
    job = _job(call)
    if job["state"] != "Open" or not isinstance(call.body, str):
        raise Refusal(Fault("INVALIDJOBSTATE", f"Upload not permitted in state {job['state']}"))
    _change(call, job, data=call.body)
    return Answer(201, b"", {"Content-Type": "text/plain"})


def change_state(call: Call) -> Answer:
    job, wanted = _job(call), call.json_object().get("state")
    if wanted == "Aborted":
        return Answer(200, _told(_change(call, job, state="Aborted")))
    if wanted != "UploadComplete" or job["state"] != "Open":
        raise Refusal(Fault("INVALIDJOBSTATE", f"From {job['state']} a job can't become {wanted}"))
    results = _worked_off(call, job)
    failed = sum(1 for each in results if each["error"])
    counted = {"numberRecordsProcessed": len(results), "numberRecordsFailed": failed}
    job = _change(call, job, state="JobComplete", results=results, **counted)
    return Answer(200, {**_told(job), "state": "UploadComplete"})


def delete_job(call: Call) -> Answer:
    job = _job(call)
    with call.sandbox.store.begin() as tx:
        tx.delete(_TABLE, job["id"])
    return Answer(204)


def query_results(call: Call) -> Answer:
    job = _job(call)
    most, start = call.query.get("maxRecords", ""), call.query.get("locator", "")
    first = int(start) if start.isdigit() else 0
    last = first + min(int(most) if most.isdigit() and int(most) else _MOST_IN_PAGE, _MOST_IN_PAGE)
    records = soql_run.records(call.sandbox, job["query"], job["ids"][first:last], call.version)
    paths = [path.split(".") for path in job["paths"]]
    lines = ([bulk_csv.value_at(record, path) for path in paths] for record in records)
    locator = str(last) if last < len(job["ids"]) else "null"
    headers = {**_CSV, "Sforce-NumberOfRecords": str(len(records)), "Sforce-Locator": locator}
    return Answer(200, bulk_csv.written(job["paths"], lines, job), headers)


def ingest_results(call: Call) -> Answer:
    """`successfulResults`, `failedResults`, `unprocessedrecords`."""
    job, kind = _job(call), call.path[3].lower()
    if kind not in ("successfulresults", "failedresults", "unprocessedrecords"):
        raise not_found()
    second = {"successfulresults": ["sf__Id", "sf__Created"], "failedresults": ["sf__Id", "sf__Error"]}.get(kind, [])
    wanted = [each for each in job["results"] if second and bool(each["error"]) == (kind == "failedresults")]
    columns = list(job["results"][0]["line"]) if job["results"] else []
    told = "error" if kind == "failedresults" else "created"
    lines = ([each["id"], each[told], *each["line"].values()] for each in wanted)
    return Answer(200, bulk_csv.written([*second, *columns], lines, job), _CSV)


def _new_job(call: Call, entity: Entity, body: Row, state: str, more: Row) -> Row:
    delimiter, ending = str(body.get("columnDelimiter", "COMMA")), str(body.get("lineEnding", "LF"))
    if delimiter not in bulk_csv.DELIMITERS or ending not in bulk_csv.LINE_ENDINGS:
        raise Refusal(Fault("INVALIDJOB", "columnDelimiter or lineEnding is unknown"))
    now = wire_time(call.sandbox.clock.now())
    with call.sandbox.store.begin() as tx:
        job_id = with_suffix(f"7505g1{tx.next('sf_bulk_jobs'):09d}")
        job = {
            "id": job_id,
            "operation": body["operation"],
            "object": entity.name,
            "createdById": call.caller.user_id,
            "createdDate": now,
            "systemModstamp": now,
            "state": state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(call.version),
            "lineEnding": ending,
            "columnDelimiter": delimiter,
            "jobType": "V2Query" if "query" in more else "V2Ingest",
            **({"externalIdFieldName": body["externalIdFieldName"]} if body.get("externalIdFieldName") else {}),
            **({} if "query" in more else {"contentUrl": _content_url(call, job_id)}),
            **more,
        }
        tx.put(_TABLE, job_id, job)
    return job


def _content_url(call: Call, job_id: str) -> str:
    return f"services/data/v{call.version}/jobs/ingest/{job_id}/batches"


def _job(call: Call) -> Row:
    job = call.sandbox.store.get(_TABLE, call.path[2])
    kind = "V2Query" if call.path[1].lower() == "query" else "V2Ingest"
    if job is None or job["jobType"] != kind:
        raise not_found()
    return job


def _change(call: Call, job: Row, **values: Any) -> Row:
    with call.sandbox.store.begin() as tx:
        return tx.change(_TABLE, job["id"], **values, systemModstamp=wire_time(call.sandbox.clock.now()))


def _told(job: Row) -> Row:
    return {name: value for name, value in job.items() if name not in _INNER}


def _worked_off(call: Call, job: Row) -> list[Row]:
    entity = entity_named(job["object"])
    assert entity  # looked up when the job was made
    lines = bulk_csv.read(job["data"], job)
    results: list[Row] = []
    for start in range(0, len(lines), _CHUNK):
        with changing(call.sandbox, call.caller) as changes:
            results += [_one(changes, entity, job, line) for line in lines[start : start + _CHUNK]]
    return results


def _one(changes: Changes, entity: Entity, job: Row, line: dict[str, str]) -> Row:
    record = bulk_csv.record_of(line)
    result: Row = {"id": "", "created": False, "error": "", "line": line}
    try:
        record_id, created = _OPERATIONS[job["operation"]](changes, entity, job, record)
    except Refusal as refusal:
        said = ((code_said(changes.sandbox, each.code), each) for each in refusal.faults)
        faults = (f"{code}:{each.message}:{','.join(each.fields or ())}--" for code, each in said)
        return {**result, "error": ";".join(faults)}
    except rows.SeveralMatches as several:
        return {**result, "error": f"DUPLICATE_EXTERNAL_ID:{several}:--"}
    return {**result, "id": record_id, "created": created}


def _insert(changes: Changes, entity: Entity, _job: Row, record: Row) -> tuple[str, bool]:
    return rows.create(changes, entity, record), True


def _update(changes: Changes, entity: Entity, _job: Row, record: Row) -> tuple[str, bool]:
    record_id = _taken(record, "id")
    rows.update(changes, entity, record_id, record)
    return record_id, False


def _upsert(changes: Changes, entity: Entity, job: Row, record: Row) -> tuple[str, bool]:
    name = str(job.get("externalIdFieldName", "Id"))
    return rows.upsert(changes, entity, name, _taken(record, name), record)


def _delete(changes: Changes, entity: Entity, _job: Row, record: Row) -> tuple[str, bool]:
    record_id = _taken(record, "id")
    rows.delete(changes, entity, record_id)
    return record_id, False


def _taken(record: Row, name: str) -> str:
    """Takes a key out of the record, whatever its case."""
    found = next((key for key in record if key.lower() == name.lower()), None)
    if found is None:
        raise Refusal(Fault("MISSING_ARGUMENT", f"{name} not specified", ()))
    return str(record.pop(found))


_OPERATIONS: dict[str, Callable[[Changes, Entity, Row, Row], tuple[str, bool]]] = {
    "insert": _insert,
    "update": _update,
    "upsert": _upsert,
    "delete": _delete,
    "hardDelete": _delete,
}
