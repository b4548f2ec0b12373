"""The faults that the stand-ins can play, turned from the control panel or by a test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

System = Literal["whmcs", "salesforce", "pubsub", "freebit"]
Mode = Literal[
    "down",  # 503 with an HTML page; UNAVAILABLE on gRPC
    "slow",  # answers after `seconds`
    "error",  # the vendor's own answer for an internal error
    "commit_then_hang",  # does the work, then never answers
    "malformed",  # does the work, then answers with something that can't be understood
    "refuse",  # the vendor's own business refusal; `code` says which
    "drop_events",  # hooks or change events are lost
    "duplicate_events",  # hooks or change events are sent twice
]


@dataclass
class Dial:
    """One fault. `call` is the vendor's name of the action (`AddOrder`, `query`, `PA05-41`), `*` means any."""

    system: System
    mode: Mode
    call: str = "*"
    times: int | None = None
    seconds: float = 2.0
    code: str = ""


class Dials:
    """The dials that are turned at present. They live in memory only: a restart turns all of them back."""

    def __init__(self) -> None:
        self._turned: list[Dial] = []

    def turn(self, dial: Dial) -> None:
        self._turned.append(dial)

    def clear(self, system: System | None = None) -> None:
        self._turned = [dial for dial in self._turned if system is not None and dial.system != system]

    def active(self) -> list[Dial]:
        return list(self._turned)

    def take(self, system: System, call: str, *modes: Mode) -> Dial | None:
        """The first dial that applies to this call (of these modes, where given). Uses up one of its `times`."""
        for dial in self._turned:
            fits = dial.system == system and dial.call.lower() in ("*", call.lower())
            if fits and (not modes or dial.mode in modes):
                self._use(dial)
                return dial
        return None

    def _use(self, dial: Dial) -> None:
        if dial.times is not None:
            dial.times -= 1
            if dial.times <= 0:
                self._turned.remove(dial)


REQUEST_MODES: tuple[Mode, ...] = ("down", "slow", "error", "commit_then_hang", "malformed", "refuse")


Answer = TypeVar("Answer")


@dataclass(frozen=True)
class FaultAnswers(Generic[Answer]):
    """What a vendor's faults look like on its wire."""

    down: Callable[[], Answer]
    error: Callable[[], Answer]
    malformed: Callable[[], Answer]
    refuse: Callable[[str], Answer]


async def play(dial: Dial | None, work: Callable[[], Awaitable[Answer]], faults: FaultAnswers[Answer]) -> Answer:
    """Answers a call as the dial says; `work` does the real thing and is left out where the fault comes before it."""
    if dial is None:
        return await work()
    if dial.mode in ("down", "error", "refuse"):
        return _refused_at_the_door(dial, faults)
    if dial.mode == "slow":
        await asyncio.sleep(dial.seconds)
    answer = await work()
    if dial.mode == "commit_then_hang":
        await asyncio.sleep(3600)  # far longer than any caller waits; the end of the server cuts it short
    return faults.malformed() if dial.mode == "malformed" else answer


def _refused_at_the_door(dial: Dial, faults: FaultAnswers[Answer]) -> Answer:
    if dial.mode == "refuse":
        return faults.refuse(dial.code)
    return faults.down() if dial.mode == "down" else faults.error()
