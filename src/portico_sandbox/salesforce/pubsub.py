"""The Pub/Sub API over gRPC: topics, schemas and streams of change events with credit, replay and keepalives.

Dials of system `pubsub`: `down` (call = RPC name; new calls are refused, open streams end), `slow` (call = RPC name;
each answer waits), `drop_events` and `duplicate_events` (call = object name; see `events.append`).
"""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc

from portico_sandbox.salesforce import wire
from portico_sandbox.salesforce.event_log import ring
from portico_sandbox.salesforce.keys import ensure_keys
from portico_sandbox.salesforce.knobs import code_said, knob
from portico_sandbox.salesforce.managed import ManagedStream, start_number, subscription_of
from portico_sandbox.salesforce.positions import first_number
from portico_sandbox.salesforce.publishing import answer_publish
from portico_sandbox.salesforce.schema_versions import schema_with
from portico_sandbox.salesforce.sessions import session_of
from portico_sandbox.salesforce.stream import Stream
from portico_sandbox.salesforce.stream_ends import Ended, check_allocation, check_client_limit
from portico_sandbox.salesforce.topics import Topic, topic_named
from portico_sandbox.sandbox import Sandbox

_ANSWERING_SLOWLY = ("Subscribe", "ManagedSubscribe", "PublishStream")  # each of their answers waits, not the call
_TICK = 0.25  # seconds; knobs are turned without a word to us
_PREFIX = "sfdc.platform.eventbus.grpc."


async def serve(sandbox: Sandbox) -> None:
    """Serves until cancelled, on both ports."""
    server = await start(sandbox)
    try:
        await server.wait_for_termination()
    finally:
        await server.stop(grace=0.2)


async def start(sandbox: Sandbox) -> Any:
    """A running `grpc.aio.Server` on `settings.pubsub_port` (plaintext) and `settings.pubsub_tls_port`."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_service(sandbox),))
    keys = ensure_keys(sandbox.settings.folder)
    pair = (keys.server_key.read_bytes(), keys.server_certificate.read_bytes())
    credentials = grpc.ssl_server_credentials([pair])
    for host in ("127.0.0.1", "[::1]"):
        try:
            server.add_insecure_port(f"{host}:{sandbox.settings.pubsub_port}")
            server.add_secure_port(f"{host}:{sandbox.settings.pubsub_tls_port}", credentials)
        except RuntimeError:
            if host == "127.0.0.1":  # without IPv6 the other address is simply not there
                raise
    sandbox.on_reset.append(functools.partial(_wake_all, sandbox))
    await server.start()
    return server


async def _wake_all(sandbox: Sandbox) -> None:
    """After a reset: open streams find themselves on another log and end."""
    ring(sandbox)


def _service(sandbox: Sandbox) -> Any:
    def unary(method: Callable[[Sandbox, Any, Any], Awaitable[Any]], request: Any, response: Any) -> Any:
        async def call(message: Any, context: Any) -> Any:
            await _enter(sandbox, context, method.__name__)
            try:
                return await method(sandbox, message, context)
            except Ended as ended:
                await _end(sandbox, context, ended)

        return grpc.unary_unary_rpc_method_handler(call, request.FromString, response.SerializeToString)

    def stream(method: Callable[[Sandbox, Any], Awaitable[None]], request: Any, response: Any) -> Any:
        async def call(_requests: Any, context: Any) -> None:
            await _enter(sandbox, context, method.__name__)
            try:
                await method(sandbox, context)
            except Ended as ended:
                await _end(sandbox, context, ended)

        return grpc.stream_stream_rpc_method_handler(call, request.FromString, response.SerializeToString)

    methods = {
        "GetTopic": unary(GetTopic, wire.TopicRequest, wire.TopicInfo),
        "GetSchema": unary(GetSchema, wire.SchemaRequest, wire.SchemaInfo),
        "Publish": unary(Publish, wire.PublishRequest, wire.PublishResponse),
        "PublishStream": stream(PublishStream, wire.PublishRequest, wire.PublishResponse),
        "Subscribe": stream(Subscribe, wire.FetchRequest, wire.FetchResponse),
        "ManagedSubscribe": stream(ManagedSubscribe, wire.ManagedFetchRequest, wire.ManagedFetchResponse),
    }
    return grpc.method_handlers_generic_handler(wire.SERVICE, methods)


async def GetTopic(sandbox: Sandbox, request: Any, _context: Any) -> Any:
    topic = _topic(sandbox, request.topic_name)
    return wire.TopicInfo(
        topic_name=topic.name,
        tenant_guid="core/sandbox/portico",
        can_publish=topic.can_publish,
        can_subscribe=topic.can_subscribe,
        schema_id=topic.schema_id,
        rpc_id=str(uuid.uuid4()),
    )


async def GetSchema(sandbox: Sandbox, request: Any, _context: Any) -> Any:
    schema = schema_with(sandbox, request.schema_id)
    if schema is None:
        raise Ended("NOT_FOUND", "schema.not.found", f"No schema has the id {request.schema_id}")
    return wire.SchemaInfo(schema_json=schema.json, schema_id=schema.id, rpc_id=str(uuid.uuid4()))


async def Publish(sandbox: Sandbox, request: Any, _context: Any) -> Any:
    _check_refresh(request)
    return answer_publish(sandbox, request)


async def PublishStream(sandbox: Sandbox, context: Any) -> None:
    """One answer per request, until the client ends or says nothing for as long as idle streams may live."""
    topic_name = ""
    while (request := await _next_request(sandbox, context)) is not grpc.aio.EOF:
        _check_refresh(request)
        response = answer_publish(sandbox, request, opened_for=topic_name)
        topic_name = topic_name or request.topic_name
        await _send(sandbox, context, response, "PublishStream")


async def Subscribe(sandbox: Sandbox, context: Any) -> None:
    first = await context.read()
    if first is grpc.aio.EOF:
        return
    _check_refresh(first)
    topic = _subscribable(sandbox, first.topic_name)
    number = first_number(sandbox, first.replay_preset, first.replay_id)
    stream = Stream(sandbox, topic, number, token=_metadata(context)["accesstoken"])
    stream.ask_for_more(first.num_requested)
    await _streamed(
        sandbox, context, stream, lambda request: stream.ask_for_more(request.num_requested, request.topic_name)
    )


async def ManagedSubscribe(sandbox: Sandbox, context: Any) -> None:
    first = await context.read()
    if first is grpc.aio.EOF:
        return
    _check_refresh(first)
    row = subscription_of(sandbox, first)
    topic = _subscribable(sandbox, row["topic"])
    token = _metadata(context)["accesstoken"]
    stream = ManagedStream(sandbox, topic, start_number(sandbox, row), token=token, response=wire.ManagedFetchResponse)
    with stream.taking(row["name"]):
        stream.take(first)
        await _streamed(sandbox, context, stream, stream.take)


async def _streamed(sandbox: Sandbox, context: Any, stream: Stream, take: Callable[[Any], None]) -> None:
    sandbox.on_events.append(stream.wake)
    reader = asyncio.create_task(_read_on(stream, context, take))
    try:
        await stream.run(lambda response: _send(sandbox, context, response, "Subscribe"))
    finally:
        reader.cancel()
        sandbox.on_events.remove(stream.wake)


async def _read_on(stream: Stream, context: Any, take: Callable[[Any], None]) -> None:
    while (request := await context.read()) is not grpc.aio.EOF:
        if request.auth_refresh:
            stream.end(_refresh_refused())
        take(request)
    stream.end(None)


async def _next_request(sandbox: Sandbox, context: Any) -> Any:
    """EOF where the client has ended or is idle for too long."""
    loop = asyncio.get_running_loop()
    since, reading = loop.time(), asyncio.ensure_future(context.read())
    while loop.time() - since < float(knob(sandbox, "idle_seconds")):
        done, _ = await asyncio.wait({reading}, timeout=_TICK)
        if done:
            return reading.result()
    reading.cancel()
    return grpc.aio.EOF


def _check_refresh(request: Any) -> None:
    """The vendor's own field: nobody else may set it. Raises Ended."""
    if request.auth_refresh:
        raise _refresh_refused()


def _refresh_refused() -> Ended:
    return Ended("UNAUTHENTICATED", "service.auth.refresh.invalid", "The refreshed authorization is invalid")


def _subscribable(sandbox: Sandbox, name: str) -> Topic:
    """Raises Ended where nobody may subscribe to it now."""
    topic = _topic(sandbox, name)
    if not topic.can_subscribe:
        status = knob(sandbox, "forbidden_topic")
        raise Ended(status, "topic.permission.denied", f"This user can't subscribe to {topic.name}")
    check_client_limit(sandbox)
    check_allocation(sandbox)
    return topic


async def _send(sandbox: Sandbox, context: Any, response: Any, call: str) -> None:
    slow = sandbox.dials.take("pubsub", call, "slow")
    if slow:
        await asyncio.sleep(slow.seconds)
    await context.write(response)


async def _enter(sandbox: Sandbox, context: Any, call: str) -> None:
    """Plays the dials and checks the metadata of a call."""
    if sandbox.dials.take("pubsub", call, "down"):
        await _end(sandbox, context, Ended("UNAVAILABLE", "service.unavailable", "The service is not available"))
    slow = sandbox.dials.take("pubsub", call, "slow") if call not in _ANSWERING_SLOWLY else None
    if slow:
        await asyncio.sleep(slow.seconds)
    refused = sandbox.dials.take("pubsub", call, "refuse")
    if refused:
        await _end(sandbox, context, refusal_of(sandbox, refused.code))
    metadata = _metadata(context)
    session = session_of(sandbox, metadata.get("accesstoken"))
    if session is None or metadata.get("tenantid") != session.organization_id or not metadata.get("instanceurl"):
        await _end(sandbox, context, Ended("UNAUTHENTICATED", "service.auth.error", "Authentication failed"))


def refusal_of(sandbox: Sandbox, code: str) -> Ended:
    """What a code of the vendor's table means. A code that is not in it ends calls with UNKNOWN."""
    limit = knob(sandbox, "limit_status")
    statuses = {
        "subscription.fetch.replayid.corrupted": "INVALID_ARGUMENT",
        "subscription.fetch.replayid.validation.failed": "INVALID_ARGUMENT",
        "subscription.fetch.requested.events.invalid": "INVALID_ARGUMENT",
        "service.auth.error": "UNAUTHENTICATED",
        "service.auth.refresh.invalid": "UNAUTHENTICATED",
        "service.unavailable": "UNAVAILABLE",
        "concurrent.client.limit.exceeded": limit,
        "subscription.limit.exceeded": limit,
        "topic.not.found": knob(sandbox, "unknown_topic"),
        "topic.permission.denied": knob(sandbox, "forbidden_topic"),
    }
    return Ended(statuses.get(code, "UNKNOWN"), code, "Refused by a dial.")


def _metadata(context: Any) -> dict[str, str]:
    return dict(context.invocation_metadata() or ())


def _topic(sandbox: Sandbox, name: str) -> Topic:
    topic = topic_named(sandbox, name)
    if topic is None:
        status = knob(sandbox, "unknown_topic")
        raise Ended(status, "topic.not.found", f"The topic {name} does not exist or is not enabled")
    return topic


async def _end(sandbox: Sandbox, context: Any, ended: Ended) -> NoReturn:
    """Ends a call the vendor's way: the useful code stands in the trailers."""
    rpc_id = str(uuid.uuid4())
    code = _PREFIX + code_said(sandbox, ended.code)
    trailers = (("error-code", code), ("rpc-id", rpc_id)) if ended.code else (("rpc-id", rpc_id),)
    status = getattr(grpc.StatusCode, ended.status)
    message = ended.message if ended.bare else f"{ended.message} rpcId: {rpc_id}"
    await context.abort(status, message, trailing_metadata=() if ended.bare else trailers)
    raise AssertionError("abort does not return")
