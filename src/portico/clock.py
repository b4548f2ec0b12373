"""The only clock of our tables. In demo and tests it adds an offset that the sandbox shares (table clock_offset)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC) + self.offset

    def move_to(self, seconds: float) -> None:
        """Demo and tests only: everything that reads this clock lives this much later."""
        self.offset = timedelta(seconds=seconds)
