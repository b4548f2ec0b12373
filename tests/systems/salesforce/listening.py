"""A taker of change events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from portico.systems.salesforce.changes import Batch, ChangeEvent, Start, open_stream
from portico.systems.salesforce.client import Salesforce

TOPIC = "/data/Portico__chn"


class Listening:
    """Takes batches until enough has come."""

    def __init__(self, batches: AsyncGenerator[Batch, None]) -> None:
        self._batches = batches
        self.position = b""

    async def batch(self) -> Batch:
        async with asyncio.timeout(30):
            batch = await anext(self._batches)
        self.position = batch.position
        return batch

    async def events(self, count: int) -> list[ChangeEvent]:
        found: list[ChangeEvent] = []
        while len(found) < count:
            found += (await self.batch()).events
        return found


@asynccontextmanager
async def listening(sf: Salesforce, start: Start | None = None, topic: str = TOPIC) -> AsyncIterator[Listening]:
    """A stream that stands: its first, empty answer has come."""
    async with aclosing(open_stream(sf, topic, start)) as batches:
        stream = Listening(batches)
        if start in (None, "latest"):
            assert (await stream.batch()).events == ()
        yield stream
