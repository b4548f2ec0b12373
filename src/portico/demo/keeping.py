"""The demo's children as a family: watched, started again when one dies, ended together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from portico.demo.processes import Child, Guard

LOOK_SECONDS = 0.2
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15
SETTLED_SECONDS = 30
"""Who lived this long and then dies is started again at once."""

SERVERS = ("postgres", "redis")
"""Ended last: the others still talk to them."""


@dataclass
class Member:
    start: Callable[[], Child]
    child: Child
    deaths: int = 0
    again_at: float | None = None


class Family:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._guard = Guard()
        self._members: list[Member] = []
        self._passing: list[Child] = []
        self._ending = False
        self._second_address: asyncio.Server | None = None

    def add(self, start: Callable[[], Child]) -> Child:
        """Starts a child that is meant to live as long as we do."""
        if self._ending:
            raise asyncio.CancelledError
        member = Member(start, start())
        self._members.append(member)
        self._tell_guard()
        return member.child

    async def once(self, child: Child) -> int:
        """Waits for a child that does one thing; answers its exit code."""
        self._passing.append(child)
        self._tell_guard()
        code = await child.ended()
        self._passing.remove(child)
        self._tell_guard()
        return code

    def attach(self, server: asyncio.Server | None) -> None:
        self._second_address = server

    async def keep(self) -> None:
        """Watches for ever: starts again what died, waiting longer each time."""
        while True:
            for member in self._members:
                if member.again_at is not None:
                    self._start_again(member)
                elif (code := member.child.exit_code()) is not None:
                    await self._mourn(member, code)
            await asyncio.sleep(LOOK_SECONDS)

    async def end(self) -> None:
        """Ends all of them, the servers last. Nothing can be added any more."""
        self._ending = True
        if self._second_address is not None:
            self._second_address.close()
        living = [member.child for member in self._members if member.again_at is None] + self._passing
        first = [child for child in living if child.command.name not in SERVERS]
        await asyncio.gather(*(child.stop() for child in first))
        await asyncio.gather(*(child.stop() for child in living if child not in first))
        self._guard.dismiss()

    async def _mourn(self, member: Member, code: int) -> None:
        await member.child.stop(0)  # what is left of its group would hold its port
        lived = time.monotonic() - member.child.started
        member.deaths = 0 if lived > SETTLED_SECONDS else member.deaths + 1
        wait = min(FIRST_WAIT_SECONDS * 2 ** max(member.deaths - 1, 0), LONGEST_WAIT_SECONDS)
        member.again_at = time.monotonic() + wait
        name = member.child.command.name
        self._say(f"{name} ended unexpectedly (exit {code}); starting it again in {wait:.1f} s. The end of its log:")
        self._say(f"\n{member.child.last_lines(8)}")

    def _start_again(self, member: Member) -> None:
        if member.again_at is not None and time.monotonic() >= member.again_at:
            member.child = member.start()
            member.again_at = None
            self._tell_guard()
            self._say(f"{member.child.command.name} is started again")

    def _tell_guard(self) -> None:
        self._guard.watch(*(member.child for member in self._members), *self._passing)
