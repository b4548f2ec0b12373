"""One open subscription: its place in the log, its credit, and when it sends what."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from portico_sandbox.salesforce import wire
from portico_sandbox.salesforce.events import newest_replay, number_after, oldest_number, ring, state_of
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.topics import Delivery, Topic, deliveries
from portico_sandbox.sandbox import Sandbox

MOST_CREDIT = 100
_LARGEST_BATCH = 100  # events in one response; keeps it far below 3 MB
_TICK = 0.25  # seconds; dials and knobs are turned without a word to us


class Ended(Exception):
    """The stream ends: `status` is the gRPC status, `code` the vendor's error code without its prefix."""

    def __init__(self, status: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def open_stream(sandbox: Sandbox, topic: Topic, request: Any) -> Stream:
    """The subscription that a first FetchRequest asks for. Raises Ended where its replay or credit is wrong."""
    stream = Stream(sandbox, topic, _first_number(sandbox, request))
    stream.ask_for_more(request)
    if stream.ending:
        raise stream.ending
    return stream


def cut_streams(sandbox: Sandbox, ended: Ended) -> None:
    """Ends every open stream."""
    with sandbox.store.begin() as tx:
        cut = {"status": ended.status, "code": ended.code, "message": ended.message}
        tx.put("sf_stream", "cut", {"number": tx.next("sf_cuts"), **cut})
    ring(sandbox)


class Stream:
    def __init__(self, sandbox: Sandbox, topic: Topic, next_number: int) -> None:
        self._sandbox = sandbox
        self._topic = topic
        self._next = next_number
        self._log_start = state_of(sandbox.store)["start"]
        self._cut = self._cut_number()
        self._credit = 0
        self._pending: deque[Delivery] = deque()
        self._rung = asyncio.Event()
        self.ending: Ended | None = None
        self._finished = False

    def wake(self) -> None:
        self._rung.set()

    def ask_for_more(self, request: Any) -> None:
        """Takes the credit of a FetchRequest; what is wrong with it ends the stream."""
        if request.topic_name not in ("", self._topic.name):
            self.end(Ended("INVALID_ARGUMENT", "subscription.fetch.topic.mismatch", "The topic of a stream is fixed"))
        elif request.num_requested <= 0:
            message = "The number of requested events must be positive"
            self.end(Ended("INVALID_ARGUMENT", "subscription.fetch.requested.events.invalid", message))
        self._credit = min(self._credit + request.num_requested, MOST_CREDIT)
        self.wake()

    def end(self, ended: Ended | None) -> None:
        """None: the client has hung up its side, a clean end."""
        self.ending = self.ending or ended
        self._finished = True
        self.wake()

    async def run(self, send: Callable[[Any], Awaitable[None]]) -> None:
        """Delivers until the stream ends. Raises Ended where it ends with an error."""
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        if not self._fill():
            await send(self._response([]))  # tells at once that the subscription stands
        while not self._is_over():
            self._rung.clear()
            if self._credit and self._fill():
                await send(self._response(self._take()))
                spoke = loop.time()
                continue
            silence = loop.time() - spoke
            if self._credit and silence >= float(knob(self._sandbox, "keepalive_seconds")):
                await send(self._response([]))
                spoke = loop.time()
            elif not self._credit and silence >= float(knob(self._sandbox, "idle_seconds")):
                return
            await self._wait()

    def _is_over(self) -> bool:
        """Raises Ended where somebody or something ends the stream."""
        if self.ending:
            raise self.ending
        cut = self._sandbox.store.get("sf_stream", "cut")
        if cut and cut["number"] != self._cut:
            raise Ended(cut["status"], cut["code"], cut["message"])
        if state_of(self._sandbox.store)["start"] != self._log_start:
            raise Ended("UNAVAILABLE", "service.unavailable", "The stream was reset")
        dials = self._sandbox.dials.active()
        if any(dial.system == "pubsub" and dial.mode == "down" and dial.call in ("*", "Subscribe") for dial in dials):
            raise Ended("UNAVAILABLE", "service.unavailable", "The service is not available")
        return self._finished

    def _fill(self) -> bool:
        """Reads on in the log until there is something to send."""
        last = state_of(self._sandbox.store)["last"]
        while len(self._pending) < _LARGEST_BATCH and self._next <= last:
            event = self._sandbox.store.get("sf_events", str(self._next))
            self._next += 1
            if event:
                self._pending.extend(deliveries(self._sandbox, self._topic, event))
        return bool(self._pending)

    def _take(self) -> list[Delivery]:
        count = min(self._credit, len(self._pending), _LARGEST_BATCH)
        self._credit -= count
        return [self._pending.popleft() for _ in range(count)]

    def _response(self, batch: list[Delivery]) -> Any:
        latest = batch[-1].replay if batch else newest_replay(self._sandbox)
        return wire.FetchResponse(
            events=[
                wire.ConsumerEvent(
                    event=wire.ProducerEvent(id=each.event_id, schema_id=each.schema_id, payload=each.payload),
                    replay_id=replay_bytes(each.replay),
                )
                for each in batch
            ],
            latest_replay_id=replay_bytes(latest),
            rpc_id=str(uuid.uuid4()),
            pending_num_requested=self._credit,
        )

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._rung.wait(), _TICK)
        except TimeoutError:
            return

    def _cut_number(self) -> int:
        cut = self._sandbox.store.get("sf_stream", "cut")
        return int(cut["number"]) if cut else 0


def replay_bytes(number: int) -> bytes:
    """Ten opaque bytes, as seen on real streams."""
    return number.to_bytes(8, "big") + b"\0\0"


def _first_number(sandbox: Sandbox, request: Any) -> int:
    if request.replay_preset == wire.EARLIEST:
        return oldest_number(sandbox)
    if request.replay_preset != wire.CUSTOM:
        return int(state_of(sandbox.store)["last"]) + 1
    if not request.replay_id:
        code = "subscription.fetch.replayid.validation.failed"
        raise Ended("INVALID_ARGUMENT", code, "A custom replay wants a replay id")
    number = None if _is_spoiled(sandbox) else _number_after(sandbox, request.replay_id)
    if number is None:
        code = "subscription.fetch.replayid.corrupted"
        raise Ended("INVALID_ARGUMENT", code, "The replay id is invalid or no longer kept")
    return number


def _number_after(sandbox: Sandbox, replay: bytes) -> int | None:
    # Some clients keep only the first eight bytes; the vendor bears that.
    if len(replay) not in (8, 10) or replay[8:].strip(b"\0"):
        return None
    return number_after(sandbox, int.from_bytes(replay[:8], "big"))


def spoil_next_replay(sandbox: Sandbox) -> None:
    """The next stream that resumes from a stored id is told that the id means nothing any more."""
    with sandbox.store.begin() as tx:
        tx.put("sf_stream", "spoiled", {"times": 1})


def _is_spoiled(sandbox: Sandbox) -> bool:
    spoiled = sandbox.store.get("sf_stream", "spoiled") is not None
    if spoiled:
        with sandbox.store.begin() as tx:
            tx.delete("sf_stream", "spoiled")
    return spoiled
