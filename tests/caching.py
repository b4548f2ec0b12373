"""What tests of the cache stand on: a system of record that can be held, and processes that read it through a cache."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import text

from portico.cache import Cache, Copy, cached
from portico.cache.reads import ALARMS
from portico.clock import Clock
from portico.customer import Customer, SfAccountId, UserId, WhmcsClientId
from portico.db import Database, Notices
from portico.errors import NotFound
from portico.freshness import CUSTOMER_NUMBER, INVOICE, INVOICES, ORDERS
from portico.money import Money

PATIENT = 2.0
"""Seconds for one operation where the test is not about slowness: machines stutter."""

GIVE_UP = 8.0
"""Seconds until a read that nothing ends fails its test."""


@dataclass(frozen=True)
class Thing:
    id: str
    price: Money
    marks: frozenset[str] = frozenset({"a", "b"})


@dataclass
class Origin:
    """A system of record."""

    price: int = 1
    reads: int = 0
    held: asyncio.Event | None = None
    under_way: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Exception | None = None

    async def get(self) -> int:
        """The price as it was when it was asked for, however long the answer takes."""
        self.reads += 1
        price = self.price
        self.under_way.set()
        if self.held:
            await self.held.wait()
        if self.trouble:
            raise self.trouble
        return price

    def hold(self) -> asyncio.Event:
        """The next answers take until the event is set."""
        self.held, self.under_way = asyncio.Event(), asyncio.Event()
        return self.held


@dataclass(frozen=True)
class Process:
    """What one process of the portal holds, as far as reading goes."""

    cache: Cache
    db: Database
    clock: Clock
    notices: Notices
    origin: Origin

    async def price(self, customer: Customer) -> int:
        async with asyncio.timeout(GIVE_UP):
            return price_in(await thing_for(self, customer, "thing-1"))

    async def kept_price(self, customer: Customer) -> int:
        async with asyncio.timeout(GIVE_UP):
            return price_in(await kept_thing(self, customer))

    async def heard(self) -> None:
        """The stream of events has just been heard."""
        query = text("""
            INSERT INTO change_position (topic, epoch, heard_at) VALUES ('t', 1, :now)
            ON CONFLICT (topic) DO UPDATE SET heard_at = :now
        """)
        async with self.db.begin() as tx:
            await tx.execute(query, {"now": self.clock.now()})
        self.cache._stream._looked_at = float("-inf")


@cached(INVOICES)
async def things_of(process: Process, customer: Customer) -> list[Thing]:
    return [_thing(await process.origin.get(), "thing-1")]


@cached(INVOICE)
async def thing_for(process: Process, customer: Customer, thing_id: str) -> Thing:
    return _thing(await process.origin.get(), thing_id)


@cached(ORDERS)
async def kept_thing(process: Process, customer: Customer) -> Thing:
    """Until an event."""
    return _thing(await process.origin.get(), "kept")


@cached(INVOICE)
async def maybe_thing(process: Process, customer: Customer) -> Thing | None:
    await process.origin.get()
    return None


@cached(INVOICE)
async def missing_thing(process: Process, customer: Customer) -> Thing:
    await process.origin.get()
    raise NotFound("thing")


@cached(CUSTOMER_NUMBER)
async def thing_by_number(process: Process, number: str) -> Thing | None:
    await process.origin.get()
    return None


def price_in(copy: Copy[Thing]) -> int:
    return int(copy.value.price.amount)


def somebody(user_id: UUID | None = None, client_id: int = 4711, account: str = "") -> Customer:
    user_id = user_id or uuid4()
    account = account or f"001{user_id.hex[-15:]}"
    return Customer(UserId(user_id), WhmcsClientId(client_id), SfAccountId(account))


def alarms() -> float:
    return sum(
        sample.value for metric in ALARMS.collect() for sample in metric.samples if sample.name.endswith("total")
    )


@contextlib.asynccontextmanager
async def process(
    database_url: str, redis_url: str, *, origin: Origin | None = None, patience: float = PATIENT
) -> AsyncIterator[Process]:
    clock, db, notices = Clock(), Database(database_url), Notices(database_url)
    made = Process(Cache(redis_url, patience, db, clock, notices), db, clock, notices, origin or Origin())
    await notices.start()
    try:
        yield made
    finally:
        await notices.aclose()
        await made.cache.aclose()
        await db.aclose()


def _thing(price: int, thing_id: str) -> Thing:
    return Thing(thing_id, Money(Decimal(price), "JPY"))
