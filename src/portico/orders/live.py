"""An order's journal as it happens: server-sent events, woken by NOTIFY, one listener a process.

Event id = the journal's change number: on connect, and after a lost connection, what came since comes first.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import msgspec

from portico.db import Notices
from portico.errors import TooManyStreams
from portico.orders import timeline
from portico.orders.timeline import CHANGES_CHANNEL, Step
from portico.portal import Portal
from portico.web.shapes import Moment

STREAMS_END = signal.SIGUSR1
"""What the server's main process sends to its workers before it stops them."""
STREAMS_PER_CUSTOMER = 4
HEARTBEAT_SECONDS = 15.0
"""A comment line, so that proxies keep the connection and a closed one is noticed."""
LONGEST_SECONDS = 600.0
"""Then the browser connects again: a session that has ended meanwhile is noticed."""


class StepEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ask for the order to have it in words."""

    step: str
    state: str
    at: Moment
    reason_code: str | None = None


class Live:
    """Who waits for which order in this process; `app.state.live`."""

    def __init__(self, notices: Notices) -> None:
        """Call before `notices.start()`."""
        self.stopping = asyncio.Event()
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._open: dict[UUID, int] = {}
        notices.on(CHANGES_CHANNEL, self._wake)
        notices.on_lost(lambda: self._wake(""))

    def stop_when_told(self) -> None:
        """Ends all streams at STREAMS_END: the server waits for open answers before it stops."""
        with suppress(RuntimeError, ValueError):  # not the main thread: a test's
            asyncio.get_running_loop().add_signal_handler(STREAMS_END, self.stopping.set)

    def steps(self, portal: Portal, user_id: UUID, order_id: str, after: int) -> AsyncIterator[bytes]:
        """The lines of a stream. The caller has checked whose order it is. Raises TooManyStreams."""
        if self._open.get(user_id, 0) >= STREAMS_PER_CUSTOMER:
            raise TooManyStreams()
        return self._lines(portal, user_id, order_id, after)

    async def _lines(self, portal: Portal, user_id: UUID, order_id: str, after: int) -> AsyncIterator[bytes]:
        with self._counted(user_id), self._heard(order_id) as changed:
            end = asyncio.get_running_loop().time() + LONGEST_SECONDS
            yield b"retry: 2000\n\n"
            while True:
                changed.clear()
                async with portal.db.begin() as tx:
                    news = await timeline.changes_after(tx, order_id, after)
                for step in news:
                    after = step.change
                    yield _event(step)
                if self.stopping.is_set() or asyncio.get_running_loop().time() >= end:
                    return
                if not await self._wait(changed):
                    yield b": still here\n\n"

    async def _wait(self, changed: asyncio.Event) -> bool:
        """Whether something happened before the heartbeat was due."""
        waits = [asyncio.create_task(event.wait()) for event in (changed, self.stopping)]
        done, late = await asyncio.wait(waits, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()
        return bool(done)

    @contextmanager
    def _counted(self, user_id: UUID) -> Iterator[None]:
        self._open[user_id] = self._open.get(user_id, 0) + 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            if not self._open[user_id]:
                del self._open[user_id]

    @contextmanager
    def _heard(self, order_id: str) -> Iterator[asyncio.Event]:
        changed = asyncio.Event()
        self._waiting.setdefault(order_id, set()).add(changed)
        try:
            yield changed
        finally:
            self._waiting[order_id].discard(changed)
            if not self._waiting[order_id]:
                del self._waiting[order_id]

    def _wake(self, order_id: str) -> None:
        """An empty payload means that something may have been missed: everybody looks."""
        for name, events in self._waiting.items():
            if order_id in ("", name):
                for event in events:
                    event.set()


def _event(step: Step) -> bytes:
    data = msgspec.json.encode(StepEvent(step.step, step.state, step.updated_at, step.reason_code))
    return b"id: %d\nevent: step\ndata: %s\n\n" % (step.change, data)
