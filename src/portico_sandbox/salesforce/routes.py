"""The table of all resources below `/services/data/vNN.0`. What stands first wins."""

from __future__ import annotations

from portico_sandbox.salesforce import (
    bulk_resources,
    collection_resources,
    composite,
    describe_resources,
    query_resources,
    row_resources,
    tooling_resources,
    tree_resources,
)
from portico_sandbox.salesforce.rest import Resource, Route


def _row(method: str, pattern: str, resource: Resource, dial: str = "") -> Route:
    return Route(method, tuple(pattern.split()), resource, dial or f"{method} row")


def _table() -> tuple[Route, ...]:
    return (
        _row("GET", "", describe_resources.resource_list, "describe"),
        _row("GET", "limits", describe_resources.limits, "limits"),
        _row("GET", "recent", describe_resources.recent_items, "describe"),
        _row("GET", "query", query_resources.query, "query"),
        _row("GET", "queryall", query_resources.query_all, "query"),
        _row("GET", "query *", query_resources.query_more, "query"),
        _row("GET", "queryall *", query_resources.query_more, "query"),
        _row("GET", "sobjects", describe_resources.describe_global, "describe"),
        _row("GET", "sobjects *", describe_resources.describe_basics, "describe"),
        _row("GET", "sobjects * describe", describe_resources.describe_object, "describe"),
        _row("GET", "sobjects * updated", describe_resources.updated_rows, "query"),
        _row("GET", "sobjects * deleted", describe_resources.deleted_rows, "query"),
        _row("POST", "sobjects *", row_resources.create_row),
        _row("GET", "sobjects * *", row_resources.read_row),
        _row("PATCH", "sobjects * *", row_resources.update_row),
        _row("DELETE", "sobjects * *", row_resources.delete_row),
        _row("GET", "sobjects * * *", row_resources.read_by_external_id),
        _row("PATCH", "sobjects * * *", row_resources.upsert_row),
        _row("DELETE", "sobjects * * *", row_resources.delete_by_external_id),
        _row("GET", "tooling query", tooling_resources.query, "query"),
        _row("POST", "tooling sobjects *", tooling_resources.create),
        _row("POST", "composite", lambda call: composite.composite(call, ROUTES), "composite"),
        _row("POST", "composite batch", lambda call: composite.batch(call, ROUTES), "composite"),
        _row("POST", "composite graph", lambda call: composite.graph(call, ROUTES), "composite"),
        _row("POST", "composite tree *", tree_resources.create_tree, "composite"),
        _row("POST", "composite sobjects", collection_resources.create_rows, "composite"),
        _row("PATCH", "composite sobjects", collection_resources.update_rows, "composite"),
        _row("DELETE", "composite sobjects", collection_resources.delete_rows, "composite"),
        _row("GET", "composite sobjects *", collection_resources.read_rows, "composite"),
        _row("POST", "composite sobjects *", collection_resources.read_rows, "composite"),
        _row("PATCH", "composite sobjects * *", collection_resources.upsert_rows, "composite"),
        _row("POST", "jobs query", bulk_resources.create_query_job, "bulk"),
        _row("POST", "jobs ingest", bulk_resources.create_ingest_job, "bulk"),
        _row("GET", "jobs * *", bulk_resources.read_job, "bulk"),
        _row("PATCH", "jobs * *", bulk_resources.change_state, "bulk"),
        _row("DELETE", "jobs * *", bulk_resources.delete_job, "bulk"),
        _row("GET", "jobs query * results", bulk_resources.query_results, "bulk"),
        _row("PUT", "jobs ingest * batches", bulk_resources.upload, "bulk"),
        _row("GET", "jobs ingest * *", bulk_resources.ingest_results, "bulk"),
    )


ROUTES = _table()
