"""What the org tells about itself: objects, what changed lately, what was seen lately, and its limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from portico_sandbox.salesforce.access import changed_at, is_closed, visible
from portico_sandbox.salesforce.changes import wire_time
from portico_sandbox.salesforce.conditions import is_known, last_modified
from portico_sandbox.salesforce.describe import described, summary
from portico_sandbox.salesforce.errors import Fault, Refusal, not_found
from portico_sandbox.salesforce.lookup import rows_of, value_of
from portico_sandbox.salesforce.objects import ENTITIES, ORGANIZATION
from portico_sandbox.salesforce.rest import Answer, Call
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.salesforce.soql_records import attributes
from portico_sandbox.salesforce.values import parse_moment
from portico_sandbox.store import Row

_RECENT = 5
_REPLICATION = timedelta(days=30)
"""How far back changes can be asked for, and how long deleted rows are remembered."""


def resource_list(call: Call) -> Answer:
    root = f"/services/data/v{call.version}"
    names = ("sobjects", "query", "queryAll", "composite", "limits", "recent")
    return Answer(200, {name: f"{root}/{name}" for name in names})


def describe_global(call: Call) -> Answer:
    seen = [visible(call.sandbox, each) for each in ENTITIES if not is_closed(call.sandbox, each)]
    objects = [summary(entity, call.version) for entity in seen]
    return Answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})


def describe_basics(call: Call) -> Answer:
    recent = [_recent(call, call.entity, row) for row in _latest(call, call.entity)]
    return Answer(200, {"objectDescribe": summary(call.seen_entity, call.version), "recentItems": recent})


def describe_object(call: Call) -> Answer:
    stamp = max(_made_at(call), changed_at(call.sandbox, call.entity))
    if is_known(call, stamp):
        return Answer(304, b"", last_modified(stamp))
    open_children = [each for each in ENTITIES if not is_closed(call.sandbox, each)]
    body = described(call.seen_entity, call.version, {each.name for each in open_children})
    return Answer(200, body, last_modified(stamp))


def recent_items(call: Call) -> Answer:
    limit = call.query.get("limit", "")
    most = int(limit) if limit.isdigit() else 200
    named = [each for each in ENTITIES if each.field("Name") and not is_closed(call.sandbox, each)]
    items = [_recent(call, entity, row) for entity in named for row in _latest(call, entity)]
    return Answer(200, items[:most])


def updated_rows(call: Call) -> Answer:
    """`/sobjects/X/updated/?start=…&end=…`: ids of rows that were made or changed within."""
    start, end = _span(call)
    rows = rows_of(call.sandbox.store, call.entity)
    ids = [row["Id"] for row in rows if start <= row["SystemModstamp"] <= end]
    return Answer(200, {"ids": ids, "latestDateCovered": _covered(call, end)})


def deleted_rows(call: Call) -> Answer:
    start, end = _span(call)
    rows = rows_of(call.sandbox.store, call.entity, deleted=True)
    gone = [row for row in rows if row["IsDeleted"] and start <= row["SystemModstamp"] <= end]
    deleted = [{"id": row["Id"], "deletedDate": row["SystemModstamp"]} for row in gone]
    earliest = wire_time(call.sandbox.clock.now() - _REPLICATION)
    covered = {"earliestDateAvailable": earliest, "latestDateCovered": _covered(call, end)}
    return Answer(200, {"deletedRecords": deleted, **covered})


def limits(call: Call) -> Answer:
    used, allowed = call.usage
    untouched = {
        "ConcurrentAsyncGetReportInstances": 200,
        "DailyAsyncApexExecutions": 250_000,
        "DailyBulkApiBatches": 15_000,
        "DailyBulkV2QueryJobs": 10_000,
        "DailyDeliveredPlatformEvents": 25_000,
        "DailyStreamingApiEvents": 200_000,
        "DataStorageMB": 1_024,
        "FileStorageMB": 11_264,
        "HourlyPublishedPlatformEvents": 250_000,
        "MassEmail": 5_000,
        "SingleEmail": 5_000,
    }
    body: dict[str, Any] = {name: {"Max": most, "Remaining": most} for name, most in untouched.items()}
    return Answer(200, {"DailyApiRequests": {"Max": allowed, "Remaining": max(allowed - used, 0)}, **body})


def _made_at(call: Call) -> str:
    """When the org, and its objects with it, were set up."""
    return max(
        (row["SystemModstamp"] for row in rows_of(call.sandbox.store, ORGANIZATION)), default="1970-01-01T00:00:00"
    )


def _latest(call: Call, entity: Entity) -> list[Row]:
    rows = list(rows_of(call.sandbox.store, entity))[-200:]
    return sorted(rows, key=lambda row: row["SystemModstamp"], reverse=True)[:_RECENT]


def _recent(call: Call, entity: Entity, row: Row) -> Row:
    name = entity.field("Name")
    shown = {"Name": value_of(call.sandbox.store, entity, row, name)} if name else {}
    return {"attributes": attributes(entity, row, call.version), "Id": row["Id"], **shown}


def _span(call: Call) -> tuple[str, str]:
    """First and last moment that are asked for, in the form that rows keep. Raises Refusal."""
    if call.path[2] not in ("updated", "deleted"):
        raise not_found()
    moments = [parse_moment(call.query.get(name, "").replace(" ", "+")) for name in ("start", "end")]
    start, end = (moment or "" for moment in moments)
    if not (start and end):
        raise Refusal(Fault("MALFORMED_QUERY", "start and end want dates such as 2026-11-23T00:00:00+00:00"))
    if start >= end:
        raise Refusal(Fault("INVALID_REPLICATION_DATE", "startDate must be chronologically before endDate"))
    if datetime.fromisoformat(start[:-5] + "+00:00") < call.sandbox.clock.now() - _REPLICATION:
        raise Refusal(Fault("INVALID_REPLICATION_DATE", "startDate is too far in the past"))
    return start, end


def _covered(call: Call, end: str) -> str:
    return min(end, wire_time(call.sandbox.clock.now()))
