"""Queries as REST resources: first pages, further pages by locator, and what a query would cost."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from portico_sandbox.salesforce import soql_run
from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import rows_of
from portico_sandbox.salesforce.objects import entity_named
from portico_sandbox.salesforce.rest import Answer, Call
from portico_sandbox.store import Row

LARGEST_BATCH = 2000
_WIDE_BATCH = 200
"""With two long texts or more, whatever was asked for."""
_KEPT_LOCATORS = 50


def query(call: Call) -> Answer:
    return _first_page(call, deleted=False)


def query_all(call: Call) -> Answer:
    return _first_page(call, deleted=True)


def query_more(call: Call) -> Answer:
    locator, _, offset = call.path[1].rpartition("-")
    kept = _kept(call, locator)
    if kept is None or not offset.isdigit() or int(offset) > len(kept["ids"]):
        raise Refusal(Fault("INVALID_QUERY_LOCATOR", "invalid query locator"))
    size = _batch_size(call, kept["long_texts"]) if _asked_batch(call) else kept["size"]
    return Answer(200, _page(call, kept["query"], kept["ids"], int(offset), locator, size))


def _first_page(call: Call, *, deleted: bool) -> Answer:
    if "explain" in call.query:
        return _explained(call, call.query["explain"])
    text = call.query.get("q")
    if text is None:
        raise Refusal(Fault("MALFORMED_QUERY", "A query string has to be specified"))
    result = soql_run.run(call.sandbox, text, deleted=deleted)
    if result.query.counting:
        return Answer(200, {"totalSize": len(result.ids), "done": True, "records": []})
    if result.groups is not None:
        return Answer(200, {"totalSize": len(result.groups), "done": True, "records": result.groups})
    size = _batch_size(call, result.long_texts)
    locator = _keep(call, text, result, size) if len(result.ids) > size else ""
    return Answer(200, _page(call, text, result.ids, 0, locator, size))


def _page(call: Call, text: str, ids: Sequence[str], offset: int, locator: str, size: int) -> Row:
    end = offset + size
    body: Row = {"totalSize": len(ids), "done": end >= len(ids)}
    if end < len(ids):
        body["nextRecordsUrl"] = f"/services/data/v{call.version}/query/{locator}-{end}"
    return {**body, "records": soql_run.records(call.sandbox, text, ids[offset:end], call.version)}


def _batch_size(call: Call, long_texts: int) -> int:
    """Advisory: between the knob's smallest and 2,000; less where rows are wide."""
    largest = _WIDE_BATCH if long_texts > 1 else LARGEST_BATCH
    return min(max(_asked_batch(call) or largest, int(knob(call.sandbox, "smallest_batch"))), largest)


def _asked_batch(call: Call) -> int:
    options = call.headers.get("sforce-query-options", "").split(",")
    pairs = {name.strip().lower(): value.strip() for name, _, value in (each.partition("=") for each in options)}
    asked = pairs.get("batchsize", "")
    return int(asked) if asked.isdigit() else 0


def _keep(call: Call, text: str, result: soql_run.Result, size: int) -> str:
    """Keeps a result for the next pages; the oldest ones are forgotten."""
    store = call.sandbox.store
    locator = f"01g5g1{secrets.token_hex(6)}"
    with store.begin() as tx:
        for each in list(store.table("sf_locators"))[: -_KEPT_LOCATORS + 1]:
            tx.delete("sf_locators", each)
        kept = {"query": text, "ids": result.ids, "size": size, "long_texts": result.long_texts}
        tx.put("sf_locators", locator, {**kept, "at": call.sandbox.clock.now().isoformat()})
    return locator


def _kept(call: Call, locator: str) -> Row | None:
    kept = call.sandbox.store.get("sf_locators", locator)
    if kept is None:
        return None
    age = call.sandbox.clock.now() - datetime.fromisoformat(kept["at"])
    return None if age > timedelta(hours=float(knob(call.sandbox, "locator_hours"))) else kept


def _explained(call: Call, text: str) -> Answer:
    result = soql_run.run(call.sandbox, text)
    entity = entity_named(result.query.entity)
    assert entity  # a query that runs has an object
    everything = sum(1 for _ in rows_of(call.sandbox.store, entity))
    found = len(result.ids)
    plan = {
        "cardinality": found,
        "fields": [],
        "leadingOperationType": "Index" if found * 10 < everything else "TableScan",
        "notes": [],
        "relativeCost": round(found / max(everything, 1), 3),
        "sobjectCardinality": everything,
        "sobjectType": entity.name,
    }
    return Answer(200, {"plans": [plan], "sourceQuery": text})
