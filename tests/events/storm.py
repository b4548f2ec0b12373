"""A burst of change events upon real listener processes that are killed and frozen meanwhile: what came through."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portico.demo.processes import Child, Command, Guard
from portico.events.leadership import LEADER_LOCK
from tests.fixtures.until import until

LEADER = f"""
    SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objid = {LEADER_LOCK}
"""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """Of one process since it led for the first time."""

    rss_before: int
    cpu_before: float
    rss_most: int
    cpu: float


@dataclass
class Listeners:
    """Processes of `portico listen`, told apart by the name of their database connections."""

    env: dict[str, str]
    folder: Path
    rows: Callable[[str], Any]
    guard: Guard = field(default_factory=Guard)
    children: dict[str, Child] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    takeovers: list[float] = field(default_factory=list)
    """Seconds from each kill to the next leader; `frozen` is the same for one that was frozen."""
    frozen: float = 0.0

    def start(self, count: int) -> None:
        for _ in range(count):
            name = f"listener-{len(self.children) + 1}"
            argv = [sys.executable, "-m", "portico", "listen"]
            child = Child(Command(name, argv, {**self.env, "PGAPPNAME": name}, self.folder / f"{name}.log"))
            self.children[name] = child
        self.guard.watch(*self.children.values())

    async def are_up(self) -> bool:
        """Each of them leads or stands by."""
        found = await self.rows("SELECT DISTINCT application_name AS name FROM pg_stat_activity")
        return {row["name"] for row in found} >= self.children.keys()

    async def leader(self) -> str:
        found = await self.rows(LEADER)
        return str(found[0]["name"]) if found else ""

    async def epoch(self) -> int:
        found = await self.rows("SELECT max(epoch) AS epoch FROM change_position WHERE replay_id IS NOT NULL")
        return int(found[0]["epoch"] or 0)

    async def kill_leader(self) -> None:
        """Another one leads when this returns."""
        name, epoch = await until(self.leader), await self.epoch()
        self.sample(name)
        os.kill(self.children[name].pid, signal.SIGKILL)
        self.takeovers.append(await self._taken_over(epoch))

    @contextlib.asynccontextmanager
    async def frozen_leader(self) -> AsyncIterator[str]:
        """It is stopped inside, while another one leads; afterwards it goes on as if nothing had happened."""
        name, epoch = await until(self.leader), await self.epoch()
        os.kill(self.children[name].pid, signal.SIGSTOP)
        try:
            self.frozen = await self._taken_over(epoch)
            yield name
        finally:
            os.kill(self.children[name].pid, signal.SIGCONT)

    def has_stepped_back(self, name: str) -> bool:
        """It noticed that it does not lead any more."""
        return "listener.leadership.lost" in (self.folder / f"{name}.log").read_text()

    def sample(self, name: str) -> None:
        """Notes what a process that leads has used so far."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            rss, cpu = _used(self.children[name].pid)
            seen = self.usage.setdefault(name, Usage(rss, cpu, rss, cpu))
            seen.rss_most, seen.cpu = max(seen.rss_most, rss), cpu

    async def sample_leader(self) -> None:
        if name := await self.leader():
            self.sample(name)

    async def stop(self) -> None:
        for child in self.children.values():
            if child.exit_code() is None:
                os.kill(child.pid, signal.SIGCONT)
                await child.stop()
        self.guard.dismiss()

    @property
    def growth(self) -> int:
        """Bytes, of the process that grew most."""
        return max((use.rss_most - use.rss_before for use in self.usage.values()), default=0)

    @property
    def cpu_seconds(self) -> float:
        return sum(use.cpu - use.cpu_before for use in self.usage.values())

    async def _taken_over(self, epoch: int) -> float:
        since = time.monotonic()

        async def leads_anew() -> bool:
            return await self.epoch() > epoch

        await until(leads_anew, 60)
        return time.monotonic() - since


def _used(pid: int) -> tuple[int, float]:
    """Resident bytes and processor seconds."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return resident, (int(times[11]) + int(times[12])) / TICKS
