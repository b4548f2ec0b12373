"""The sandbox's clock: real time plus an offset that the control panel moves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from portico_sandbox.store import Store

TOKYO = ZoneInfo("Asia/Tokyo")


class Clock:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def offset(self) -> timedelta:
        row = self._store.get("clock", "offset")
        return timedelta(seconds=row["seconds"] if row else 0)

    def move(self, by: timedelta) -> None:
        seconds = (self.offset + by).total_seconds()
        with self._store.begin() as tx:
            tx.put("clock", "offset", {"seconds": seconds})

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC) + self.offset

    def today(self) -> date:
        """The day in Japan, where the provider of this world lives."""
        return self.now().astimezone(TOKYO).date()
