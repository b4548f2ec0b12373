"""A Pub/Sub service that plays a script: what the stand-in, being faithful, does not do."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import fastavro
import grpc
import grpc.aio

from portico_sandbox.salesforce import wire

HEADER = {
    "type": "record",
    "name": "ChangeEventHeader",
    "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": {"type": "array", "items": "string"}},
        {"name": "changeType", "type": "string"},
        {"name": "changeOrigin", "type": "string"},
        {"name": "transactionKey", "type": "string"},
        {"name": "sequenceNumber", "type": "int"},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "commitNumber", "type": "long"},
        {"name": "commitUser", "type": "string"},
        {"name": "nulledFields", "type": {"type": "array", "items": "string"}},
        {"name": "diffFields", "type": {"type": "array", "items": "string"}},
        {"name": "changedFields", "type": {"type": "array", "items": "string"}},
    ],
}
SCHEMA = {
    "type": "record",
    "name": "OrderChangeEvent",
    "namespace": "com.sforce.eventbus",
    "fields": [
        {"name": "ChangeEventHeader", "type": HEADER},
        {"name": "AccountId", "type": ["null", "string"], "default": None},
        {"name": "Status", "type": ["null", "string"], "default": None},
    ],
}
SCHEMA_ID = "schema-of-orders"
ORDER_ID = "8015g1000000001AAA"


def payload(account_id: str | None = None, **header: Any) -> bytes:
    """An UPDATE of an order's status by nobody of ours; `header` replaces parts of it."""
    usual = {
        "entityName": "Order",
        "recordIds": [ORDER_ID],
        "changeType": "UPDATE",
        "changeOrigin": "",
        "transactionKey": "t1",
        "sequenceNumber": 1,
        "commitTimestamp": 1_795_000_000_000,
        "commitNumber": 11_000_000_000_000_001,
        "commitUser": "",
        "nulledFields": [],
        "diffFields": [],
        "changedFields": ["0x04"],
    }
    record = {"ChangeEventHeader": usual | header, "AccountId": account_id, "Status": None}
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(json.loads(json.dumps(SCHEMA))), record)
    return written.getvalue()


def event(number: int, body: bytes | None = None, schema_id: str = SCHEMA_ID, event_id: str | None = None) -> Any:
    produced = {
        "id": f"e{number}" if event_id is None else event_id,
        "schema_id": schema_id,
        "payload": payload() if body is None else body,
    }
    return wire.ConsumerEvent(event=produced, replay_id=replay(number))


def replay(number: int) -> bytes:
    return number.to_bytes(8, "big") + b"\0\0"


Subscribe = Callable[[Any, Any], Awaitable[None]]


@dataclass
class Script:
    """`subscribe(first_request, context)` plays a stream; `schemas` what GetSchema answers, a status where it fails."""

    subscribe: Subscribe
    schemas: dict[str, str | grpc.StatusCode] = field(default_factory=lambda: {SCHEMA_ID: json.dumps(SCHEMA)})
    can_subscribe: bool = True
    asked_for: list[str] = field(default_factory=list)
    """Schemas, in order."""
    subscribed: int = 0


@asynccontextmanager
async def scripted_pubsub(script: Script) -> AsyncIterator[str]:
    """Its address."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_service(script),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def _service(script: Script) -> Any:
    async def get_topic(request: Any, _: Any) -> Any:
        return wire.TopicInfo(topic_name=request.topic_name, can_subscribe=script.can_subscribe)

    async def get_schema(request: Any, context: Any) -> Any:
        script.asked_for.append(request.schema_id)
        await asyncio.sleep(0)
        found = script.schemas.get(request.schema_id, grpc.StatusCode.NOT_FOUND)
        if isinstance(found, grpc.StatusCode):
            await context.abort(found, "no schema")
        return wire.SchemaInfo(schema_id=request.schema_id, schema_json=found)

    async def subscribe(_: Any, context: Any) -> None:
        script.subscribed += 1
        await script.subscribe(await context.read(), context)

    methods = {
        "GetTopic": grpc.unary_unary_rpc_method_handler(
            get_topic, wire.TopicRequest.FromString, wire.TopicInfo.SerializeToString
        ),
        "GetSchema": grpc.unary_unary_rpc_method_handler(
            get_schema, wire.SchemaRequest.FromString, wire.SchemaInfo.SerializeToString
        ),
        "Subscribe": grpc.stream_stream_rpc_method_handler(
            subscribe, wire.FetchRequest.FromString, wire.FetchResponse.SerializeToString
        ),
    }
    return grpc.method_handlers_generic_handler(wire.SERVICE, methods)


def sending(*events: Any, latest: bytes = b"latest") -> Subscribe:
    """One answer with these events; then silence."""

    async def play(_: Any, context: Any) -> None:
        await context.write(wire.FetchResponse(events=events, latest_replay_id=latest, pending_num_requested=60))
        await context.read()

    return play


def ending(status: grpc.StatusCode, code: str = "") -> Subscribe:
    """Ends at once, with an error code in the trailers."""

    async def play(_: Any, context: Any) -> None:
        trailers = (("error-code", code),) if code else ()
        await context.abort(status, "ended rpcId: 1", trailing_metadata=trailers)

    return play
