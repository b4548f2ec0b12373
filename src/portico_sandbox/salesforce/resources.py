"""Rows, queries, describes and limits as REST resources."""

from __future__ import annotations

import secrets
from typing import Any

from portico_sandbox.salesforce import rows, soql_run
from portico_sandbox.salesforce.describe import described, summary
from portico_sandbox.salesforce.errors import Fault, Refusal, not_found
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import value_of
from portico_sandbox.salesforce.objects import ENTITIES
from portico_sandbox.salesforce.rest import Answer, Call
from portico_sandbox.salesforce.schema import Entity, Field
from portico_sandbox.salesforce.soql_parse import parse
from portico_sandbox.store import Row

LARGEST_BATCH = 2000
_KEPT_LOCATORS = 50


def create_row(call: Call) -> Answer:
    with call.writing() as changes:
        record_id = rows.create(changes, call.entity, call.json_object())
    location = f"/services/data/v{call.version}/sobjects/{call.entity.name}/{record_id}"
    return Answer(201, {"id": record_id, "success": True, "errors": []}, {"Location": location})


def read_row(call: Call) -> Answer:
    return Answer(200, _row_body(call, rows.existing(call.sandbox.store, call.entity, call.path[2])))


def read_by_external_id(call: Call) -> Answer:
    field = rows.external_field(call.entity, call.path[2])
    found = rows.matches(call.sandbox.store, call.entity, field, call.path[3])
    if len(found) > 1:
        return _choice(call, found)
    if not found:
        raise not_found()
    return Answer(200, _row_body(call, rows.existing(call.sandbox.store, call.entity, found[0])))


def update_row(call: Call) -> Answer:
    with call.writing() as changes:
        rows.update(changes, call.entity, call.path[2], call.json_object())
    return Answer(204)


def upsert_row(call: Call) -> Answer:
    only = call.query.get("updateOnly", "").lower() == "true"
    try:
        with call.writing() as changes:
            record_id, created = rows.upsert(
                changes, call.entity, call.path[2], call.path[3], call.json_object(), update_only=only
            )
    except rows.SeveralMatches as several:
        return _choice(call, several.record_ids)
    return Answer(201 if created else 200, {"id": record_id, "success": True, "errors": [], "created": created})


def delete_row(call: Call) -> Answer:
    with call.writing() as changes:
        rows.delete(changes, call.entity, call.path[2])
    return Answer(204)


def delete_by_external_id(call: Call) -> Answer:
    field = rows.external_field(call.entity, call.path[2])
    found = rows.matches(call.sandbox.store, call.entity, field, call.path[3])
    if len(found) > 1:
        return _choice(call, found)
    with call.writing() as changes:
        rows.delete(changes, call.entity, found[0] if found else "")
    return Answer(204)


def describe_global(call: Call) -> Answer:
    objects = [summary(entity, call.version) for entity in ENTITIES]
    return Answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})


def describe_basics(call: Call) -> Answer:
    return Answer(200, {"objectDescribe": summary(call.entity, call.version), "recentItems": []})


def describe_object(call: Call) -> Answer:
    return Answer(200, described(call.entity, call.version))


def limits(call: Call) -> Answer:
    used, allowed = call.usage
    return Answer(
        200,
        {
            "DailyApiRequests": {"Max": allowed, "Remaining": max(allowed - used, 0)},
            "DailyDeliveredPlatformEvents": {"Max": 25000, "Remaining": 25000},
            "DataStorageMB": {"Max": 1024, "Remaining": 1000},
        },
    )


def resource_list(call: Call) -> Answer:
    root = f"/services/data/v{call.version}"
    return Answer(200, {name: f"{root}/{name}" for name in ("sobjects", "query", "queryAll", "composite", "limits")})


def query(call: Call) -> Answer:
    return _first_page(call, deleted=False)


def query_all(call: Call) -> Answer:
    return _first_page(call, deleted=True)


def query_more(call: Call) -> Answer:
    locator, _, offset = call.path[1].rpartition("-")
    kept = call.sandbox.store.get("sf_locators", locator)
    if kept is None or not offset.isdigit() or int(offset) > len(kept["ids"]):
        raise Refusal(Fault("INVALID_QUERY_LOCATOR", "invalid query locator"))
    return Answer(200, _page(call, kept["query"], kept["ids"], int(offset), locator))


def _first_page(call: Call, *, deleted: bool) -> Answer:
    text = call.query.get("q")
    if text is None:
        raise Refusal(Fault("MALFORMED_QUERY", "A query string has to be specified"))
    result = soql_run.run(call.sandbox, text, deleted=deleted)
    if result.query.counting:
        return Answer(200, {"totalSize": len(result.ids), "done": True, "records": []})
    locator = _keep(call, text, result.ids) if len(result.ids) > _batch_size(call) else ""
    return Answer(200, _page(call, text, result.ids, 0, locator))


def _page(call: Call, text: str, ids: list[str], offset: int, locator: str) -> Row:
    end = offset + _batch_size(call)
    body: Row = {"totalSize": len(ids), "done": end >= len(ids)}
    if end < len(ids):
        body["nextRecordsUrl"] = f"/services/data/v{call.version}/query/{locator}-{end}"
    return {**body, "records": soql_run.records(call.sandbox, parse(text), ids[offset:end], call.version)}


def _batch_size(call: Call) -> int:
    options = dict(part.strip().partition("=")[::2] for part in call.headers.get("sforce-query-options", "").split(","))
    asked = options.get("batchSize", "")
    size = int(asked) if asked.isdigit() else LARGEST_BATCH
    return min(max(size, int(knob(call.sandbox, "smallest_batch"))), LARGEST_BATCH)


def _keep(call: Call, text: str, ids: list[str]) -> str:
    """Keeps a result for the next pages; the oldest ones are forgotten."""
    locator = f"01g5g1{secrets.token_hex(6)}"
    with call.sandbox.store.begin() as tx:
        old = list(call.sandbox.store.table("sf_locators"))[: -_KEPT_LOCATORS + 1]
        for each in old:
            tx.delete("sf_locators", each)
        tx.put("sf_locators", locator, {"query": text, "ids": ids})
    return locator


def _row_body(call: Call, row: Row) -> Row:
    record: Row = {"attributes": soql_run.attributes(call.entity, row, call.version)}
    for field in _asked_fields(call.entity, call.query.get("fields")):
        record[field.name] = value_of(call.sandbox.store, call.entity, row, field)
    return record if "Id" in record else {**record, "Id": row["Id"]}


def _asked_fields(entity: Entity, names: str | None) -> list[Field]:
    if not names:
        return [field for field in entity.fields if not field.write_only]
    asked = []
    for name in names.split(","):
        field = entity.field(name.strip())
        if field is None or field.write_only:
            raise Refusal(Fault("INVALID_FIELD", f"No such column '{name.strip()}' on sobject of type {entity.name}"))
        asked.append(field)
    return asked


def _choice(call: Call, record_ids: list[str]) -> Answer:
    """300: the external id leads to several rows."""
    root = f"/services/data/v{call.version}/sobjects/{call.entity.name}"
    addresses: list[Any] = [f"{root}/{each}" for each in record_ids]
    return Answer(300, addresses, failed=True)
