"""One open subscription: its place in the log, its credit, and when it sends what."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from portico_sandbox.salesforce import wire
from portico_sandbox.salesforce.event_log import newest_replay, read, state_of
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.positions import replay_bytes
from portico_sandbox.salesforce.stream_ends import (
    Birth,
    Closed,
    Ended,
    check_allocation,
    check_breaks,
    count_delivered,
    faults_of,
)
from portico_sandbox.salesforce.topics import Delivery, Topic, deliveries, topic_named
from portico_sandbox.sandbox import Sandbox

MOST_CREDIT = 100
_TICK = 0.25  # seconds; dials and knobs are turned without a word to us
_READ_AT_ONCE = 100

Send = Callable[[Any], Awaitable[None]]


class Stream:
    """`response` is the message class that it sends: of Subscribe or of ManagedSubscribe."""

    def __init__(
        self, sandbox: Sandbox, topic: Topic, next_number: int, *, token: str, response: Any = wire.FetchResponse
    ) -> None:
        self.topic = topic
        self._sandbox = sandbox
        self._next = next_number
        self._token = token
        self._response_type = response
        self._born = Birth.now(sandbox)
        self._credit = 0
        self._sent = 0
        self._pending: deque[Delivery] = deque()
        self._rung = asyncio.Event()
        self._ending: Ended | None = None
        self._finished = False

    def wake(self) -> None:
        self._rung.set()

    def ask_for_more(self, credit: int, topic_name: str = "") -> None:
        """Takes the credit of a request; what is wrong with it ends the stream."""
        if topic_name not in ("", self.topic.name):
            self.end(Ended("INVALID_ARGUMENT", "subscription.fetch.topic.mismatch", "The topic of a stream is fixed"))
        elif credit <= 0:
            message = "The number of requested events must be positive"
            self.end(Ended("INVALID_ARGUMENT", "subscription.fetch.requested.events.invalid", message))
        self._credit = min(self._credit + max(credit, 0), MOST_CREDIT)
        self.wake()

    def notices(self) -> list[Any]:
        """Messages that are due beside events: of managed subscriptions."""
        return []

    def end(self, ended: Ended | None) -> None:
        """None: the client has hung up its side, a clean end."""
        self._ending = self._ending or ended
        self._finished = True
        self.wake()

    async def run(self, send: Send) -> None:
        """Delivers until the stream ends. Raises Ended where it ends with an error."""
        try:
            await self._deliver(send)
        except Closed:
            return

    async def _deliver(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        if self._greets() and not await self._fill():
            await send(self.response([]))  # tells at once that the subscription stands
        while True:
            for notice in self.notices():
                await send(notice)
            if self._is_over():
                return
            self._rung.clear()
            if self._is_silent():
                await self._wait()
                continue
            if self._credit and await self._fill():
                await send(self.response(self._take()))
                spoke = loop.time()
                continue
            silence = loop.time() - spoke
            if self._credit and silence >= float(knob(self._sandbox, "keepalive_seconds")):
                await send(self.response([]))
                spoke = loop.time()
            elif not self._credit and silence >= float(knob(self._sandbox, "idle_seconds")):
                return
            await self._wait()

    def _greets(self) -> bool:
        is_wrong = self._ending is not None or self._is_silent()
        return not is_wrong and knob(self._sandbox, "initial_response") == "yes"

    def _is_silent(self) -> bool:
        return bool(faults_of(self._sandbox)["silent"])

    def _is_over(self) -> bool:
        """Raises Ended or Closed where somebody or something ends the stream."""
        if self._ending:
            raise self._ending
        self._born.check(self._sandbox, self._token)
        check_breaks(self._sandbox, self._sent)
        return self._finished

    async def _fill(self) -> bool:
        """Reads on in the log until there is something to send."""
        while not self._pending and self._next <= state_of(self._sandbox.store)["last"]:
            topic = topic_named(self._sandbox, self.topic.name)
            if topic is None:
                raise Ended(knob(self._sandbox, "unknown_topic"), "topic.not.found", "The topic is gone")
            topic.schemas.update(self.topic.schemas)
            self.topic = topic
            entries = read(self._sandbox.store, self._next, _READ_AT_ONCE)
            for entry in entries:
                self._pending.extend(deliveries(self._sandbox, topic, entry))
            self._next = entries[-1].number + 1 if entries else state_of(self._sandbox.store)["last"] + 1
            await asyncio.sleep(0)
        return bool(self._pending)

    def _take(self) -> list[Delivery]:
        """The next batch: within credit, size and what the faults leave; parts of one event together if they fit."""
        check_allocation(self._sandbox)
        count = min(self._credit, len(self._pending), self._until_fault())
        size, most = 0, int(knob(self._sandbox, "largest_response"))
        batch: list[Delivery] = []
        while len(batch) < count and (not batch or size + len(self._pending[0].payload) < most):
            batch.append(self._pending.popleft())
            size += len(batch[-1].payload) + 100
        self._put_back_parts(batch)
        self._credit -= len(batch)
        self._sent += len(batch)
        count_delivered(self._sandbox, len(batch))
        return batch

    def _until_fault(self) -> int:
        """How many events may come in one response, and until a fault ends the stream."""
        faults = faults_of(self._sandbox)
        left: list[int] = [faults[name] - self._sent for name in ("reset_every", "close_every") if faults[name]]
        return max(1, min([int(knob(self._sandbox, "events_per_response")), *left]))

    def _put_back_parts(self, batch: list[Delivery]) -> None:
        """Ends the batch between two events of the log where there is such a place."""
        following = [*batch[1:], self._pending[0] if self._pending else None]
        ends = [n for n, each in enumerate(following, 1) if each is None or each.number != batch[n - 1].number]
        while ends and len(batch) > ends[-1]:
            self._pending.appendleft(batch.pop())

    def response(self, batch: list[Delivery]) -> Any:
        """A message with these events, or with none."""
        return self._response_type(
            events=[_consumed(each) for each in batch],
            latest_replay_id=replay_bytes(batch[-1].replay if batch else newest_replay(self._sandbox)),
            rpc_id=str(uuid.uuid4()),
            pending_num_requested=self._credit,
        )

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._rung.wait(), _TICK)
        except TimeoutError:
            return


def _consumed(each: Delivery) -> Any:
    event = wire.ProducerEvent(id=each.event_id, schema_id=each.schema_id, payload=each.payload)
    for key, value in each.headers:
        event.headers.add(key=key, value=value)
    return wire.ConsumerEvent(event=event, replay_id=replay_bytes(each.replay))
