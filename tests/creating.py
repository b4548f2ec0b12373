"""What tests of the create protocol stand on: a system that keeps what it made, and one creation in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from portico.clock import Clock
from portico.creation import Creation, Recipe, carry_out, creation_of
from portico.db import Database
from portico.errors import PorticoError
from portico.settings import Settings

QUIET, LEASE = 120, 90


@dataclass(frozen=True)
class Stores:
    db: Database
    clock: Clock
    settings: Settings


@dataclass
class Remote:
    """A system that keeps what it made. The next calls raise `trouble`, after they `does_it` or without."""

    things: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    look_ups: int = 0
    trouble: list[BaseException | None] = field(default_factory=list)
    does_it: bool = True
    unreachable: PorticoError | None = None
    under_way: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event | None = None

    async def create(self, marker: str) -> str:
        self.calls.append(marker)
        trouble = self.trouble.pop(0) if self.trouble else None
        self.under_way.set()
        if self.held:
            await self.held.wait()
        if trouble is None or self.does_it:
            self.things.append(marker)
        if trouble is not None:
            raise trouble
        return f"id-{len(self.things)}"

    async def look_up(self, marker: str) -> list[str]:
        self.look_ups += 1
        if self.unreachable:
            raise self.unreachable
        return [f"id-{place}" for place, thing in enumerate(self.things, 1) if thing == marker]

    def recipe(self, *, repeat_is_refused: bool = False) -> Recipe:
        return Recipe(self.create, self.look_up, repeat_is_refused)


@dataclass
class Trial:
    """One creation and the system that it is made in."""

    stores: Stores
    remote: Remote
    id: UUID
    key: str
    moved: float = 0.0

    async def go_on(self, **options: Any) -> Creation:
        return await carry_out(self.stores, self.id, self.remote.recipe(**options))

    async def stands(self) -> Creation:
        async with self.stores.db.begin() as tx:
            return await creation_of(tx, self.id)

    def later(self, seconds: float) -> None:
        self.moved += seconds
        self.stores.clock.move_to(self.moved)
