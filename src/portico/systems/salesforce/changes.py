"""The stream of change events at wire level: bytes in, typed batches out. No SQL, no reconnecting: the listener's."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Literal

import grpc
import grpc.aio
from prometheus_client import Counter

from portico.errors import SetupWrong, SystemDown
from portico.systems.http import in_transaction
from portico.systems.salesforce.change_events import ChangeEvent, Ourselves, event_of
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.pubsub_errors import SYSTEM, ReplayLost, TokenRefused, error_of
from portico.systems.salesforce.pubsub_wire import CUSTOM, EARLIEST, GET_TOPIC, LATEST, SUBSCRIBE, Method
from portico.systems.salesforce.schemas import Schemas
from portico.systems.salesforce.token import Token

__all__ = ["Batch", "ChangeEvent", "ChangeStream", "ReplayLost", "Start", "open_stream"]

MOST_CREDIT = 100
"""Events that may be under way; the service grants no more."""
TOP_UP_BELOW = 50
MOST_WAITING = 1000
"""Events decoded but not taken: beyond it the credit runs down."""
CUT_BYTES = 2_000_000
"""The service ends an answer at about 3 MB."""
LONGEST_WITHOUT_CREDIT = 45.0
"""Seconds; after 60 the service closes the stream."""
WITHOUT_CREDIT = Counter("portico_changes_without_credit_seconds_total", "Time in which the service could not send")

_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 16_000_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5000),
    # Without a pool of its own a new channel would wait out the backoff of the last one.
    ("grpc.use_local_subchannel_pool", 1),
)


Start = bytes | Literal["latest", "earliest"]
"""Where to begin: strictly after a position, from now on, or with all that is retained (72 h)."""


@dataclass(frozen=True)
class Batch:
    """Events in order; none in a keepalive. Store `position` in the transaction that stores the events.

    It is empty as long as there is none yet.
    """

    events: tuple[ChangeEvent, ...]
    position: bytes
    rpc_ids: tuple[str, ...] = ()
    """Of the answers that brought them: what the vendor's support asks for."""


Decode = Callable[[Any], Awaitable[ChangeEvent]]


class ChangeStream:
    """The subscription to one topic; keeps channel and schemas, so that `batches` can be called again and again."""

    def __init__(self, sf: Salesforce, topic: str) -> None:
        self._sf = sf
        self._topic = topic
        self._channel = _channel(sf)
        self._schemas = Schemas(self._channel)

    async def batches(self, position: Start | None) -> AsyncGenerator[Batch, None]:
        """Events strictly after `position` (None: from now on), without end; it ends by an error only.

        ReplayLost: see there. SetupWrong: topic, rights or credentials. SystemDown("pubsub" or "salesforce"): try
        again from the last position; `facts["pause_seconds"]` asks for a long wait. A refused token is minted anew
        once, unseen. Events are read and decoded ahead of the caller, so that its work does not starve the stream.
        """
        if in_transaction.get():
            raise RuntimeError("no remote call inside a transaction (pubsub Subscribe)")
        position = "latest" if position is None else position
        renewed = False
        while True:
            token = await self._sf.token.get()
            try:
                async with aclosing(self._subscription(token, position)) as batches:
                    async for batch in batches:
                        position, renewed = batch.position or position, False
                        yield batch
            except TokenRefused as refused:
                if renewed:
                    raise SetupWrong(SYSTEM, "a fresh token was refused") from refused
                renewed = True
                await self._sf.token.renew(token)

    async def aclose(self) -> None:
        await self._channel.close()

    async def _subscription(self, token: Token, position: Start) -> AsyncGenerator[Batch, None]:
        metadata = _metadata(token)
        await self._check_topic(metadata)
        call = _stub(self._channel, SUBSCRIBE)(metadata=metadata)
        reading = _Reading(call, self._decoder(token, metadata), self._sf.settings.pubsub_silence_seconds)
        task = asyncio.create_task(reading.run(_first_request(self._topic, position), position))
        try:
            async for batch in reading.taken(task):
                yield batch
        finally:
            task.cancel()
            call.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _decoder(self, token: Token, metadata: Any) -> Decode:
        ourselves = Ourselves(self._sf.settings.client_name, token.user_id)
        order_field = self._sf.settings.provision_order_field

        async def decode(message: Any) -> ChangeEvent:
            schema = await self._schemas.get(message.event.schema_id, metadata)
            return event_of(message, schema, ourselves, order_field)

        return decode

    async def _check_topic(self, metadata: Any) -> None:
        ask = self._channel.unary_unary(
            GET_TOPIC.path,
            request_serializer=GET_TOPIC.request.SerializeToString,
            response_deserializer=GET_TOPIC.answer.FromString,
        )
        request = GET_TOPIC.request(topic_name=self._topic)
        try:
            info = await ask(request, metadata=metadata, timeout=self._sf.settings.read_seconds)
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from error
        if not info.can_subscribe:
            raise SetupWrong(SYSTEM, f"not allowed to subscribe to {self._topic}")


async def open_stream(sf: Salesforce, topic: str, position: Start | None) -> AsyncGenerator[Batch, None]:
    """`ChangeStream.batches` of a stream that is closed with the iterator: wrap it in `contextlib.aclosing`."""
    stream = ChangeStream(sf, topic)
    try:
        async with aclosing(stream.batches(position)) as batches:
            async for batch in batches:
                yield batch
    finally:
        await stream.aclose()


class _Reading:
    """Reads one Subscribe call ahead of whoever takes the batches, and keeps its credit up."""

    def __init__(self, call: Any, decode: Decode, silence: float) -> None:
        self._call = call
        self._decode = decode
        self._silence = silence
        self._batches: deque[Batch] = deque()
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()

    async def taken(self, task: asyncio.Task[None]) -> AsyncGenerator[Batch, None]:
        """What `task` (this `run`) reads, all that waits as one batch; raises what ended it after the last one."""
        while True:
            if self._batches:
                batch = _joined(self._batches)
                self._waiting = 0
                self._taken.set()
                yield batch
                continue
            if task.done():
                await task
                return
            self._arrived.clear()
            await self._arrived.wait()

    async def run(self, first: Any, position: Start) -> None:
        last = position if isinstance(position, bytes) else b""
        try:
            await self._call.write(first)
            while True:
                response = await self._read()
                await self._top_up(response.pending_num_requested)  # first: the service sends on while we decode
                batch = await self._batch_of(response, last)
                last = batch.position
                self._batches.append(batch)
                self._waiting += len(batch.events)
                self._arrived.set()
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from error
        finally:
            # After this task is done, or the taker would see it still running and wait.
            asyncio.get_running_loop().call_soon(self._arrived.set)

    async def _read(self) -> Any:
        try:
            async with asyncio.timeout(self._silence):
                response = await self._call.read()
        except TimeoutError:
            raise SystemDown(SYSTEM, f"silent for {self._silence:.0f} s") from None
        if response is grpc.aio.EOF:
            raise SystemDown(SYSTEM, "the service ended the stream")
        return response

    async def _batch_of(self, response: Any, last: bytes) -> Batch:
        events = tuple([await self._decode(event) for event in response.events])
        position = _position_after(response, events) or last
        return Batch(events, position, (response.rpc_id,) if response.rpc_id else ())

    async def _top_up(self, credit: int) -> None:
        """Asks for more long before the credit is gone; only where too much waits to be taken it may run down."""
        if credit >= TOP_UP_BELOW or (credit > 0 and self._waiting >= MOST_WAITING):
            return
        since = time.monotonic()
        more = MOST_CREDIT - credit
        if self._waiting >= MOST_WAITING and not await self._has_room():
            more = 1  # keeps the stream open
        # A call that has ended meanwhile tells so, with its reason, at the next read.
        with suppress(asyncio.InvalidStateError):
            await self._call.write(SUBSCRIBE.request(num_requested=more))
        if credit <= 0:
            WITHOUT_CREDIT.inc(time.monotonic() - since)

    async def _has_room(self) -> bool:
        try:
            async with asyncio.timeout(LONGEST_WITHOUT_CREDIT):
                while self._waiting >= MOST_WAITING:
                    self._taken.clear()
                    await self._taken.wait()
        except TimeoutError:
            return False
        return True


def _joined(batches: deque[Batch]) -> Batch:
    """All of them as one, in order. An empty one last moves the position on, as it may."""
    events = tuple([event for batch in batches for event in batch.events])
    joined = Batch(events, batches[-1].position, tuple([rpc_id for batch in batches for rpc_id in batch.rpc_ids]))
    batches.clear()
    return joined


def _position_after(response: Any, events: tuple[ChangeEvent, ...]) -> bytes:
    """Empty where it is still the one of before.

    With events, that of the last one: the service's newest may lie beyond what it has sent. Parts of one transaction
    share a replay id; where the answer may have been cut among them, who resumes there would never see the rest.
    """
    if not events:
        return bytes(response.latest_replay_id)
    newest = events[-1].replay_id
    if response.pending_num_requested > 0 and response.ByteSize() < CUT_BYTES:
        return newest
    return next((event.replay_id for event in reversed(events) if event.replay_id != newest), b"")


def _first_request(topic: str, position: Start) -> Any:
    if isinstance(position, bytes):
        return SUBSCRIBE.request(topic_name=topic, replay_preset=CUSTOM, replay_id=position, num_requested=MOST_CREDIT)
    preset = EARLIEST if position == "earliest" else LATEST
    return SUBSCRIBE.request(topic_name=topic, replay_preset=preset, num_requested=MOST_CREDIT)


def _metadata(token: Token) -> tuple[tuple[str, str], ...]:
    return (
        ("accesstoken", token.secret),
        ("instanceurl", token.instance_url),
        ("tenantid", token.organization_id),
    )


def _stub(channel: grpc.aio.Channel, method: Method) -> Any:
    return channel.stream_stream(
        method.path,
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.answer.FromString,
    )


def _channel(sf: Salesforce) -> grpc.aio.Channel:
    settings = sf.settings
    if not settings.pubsub_tls:
        return grpc.aio.insecure_channel(settings.pubsub_address, options=_CHANNEL_OPTIONS)
    authority = settings.ca_path.read_bytes() if settings.ca_path else None
    return grpc.aio.secure_channel(
        settings.pubsub_address, grpc.ssl_channel_credentials(authority), options=_CHANNEL_OPTIONS
    )
