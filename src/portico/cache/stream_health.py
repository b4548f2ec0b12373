"""Whether the stream of change events can be relied on, from rows that every process reads."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

from sqlalchemy import text

from portico.clock import Clock
from portico.db import Database

LOOK_SECONDS = 5
UNHEALTHY_AFTER = timedelta(seconds=330)

# Nothing heard for long (of several topics the one that was silent longest), or heard and not yet taken up (the drops
# of an event precede its first try): either way copies may be older than they look.
OLDEST_DOUBT = text("""
    SELECT (SELECT CASE WHEN bool_and(heard_at IS NOT NULL) THEN min(heard_at) END
            FROM change_position WHERE feeds_copies),
           (SELECT min(received_at) FROM inbox WHERE stage = 0 AND tries = 0 AND source = 'salesforce')
""")


class StreamHealth:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._heard_at: datetime | None = None
        self._unhandled_since: datetime | None = None

    async def is_healthy(self) -> bool:
        """False where the listener never ran, was silent, or its events stay unhandled for more than 330 s.

        The rows are read at most every five seconds. Raises SQLAlchemyError where our own database is away.
        """
        async with self._looking:
            if time.monotonic() - self._looked_at >= LOOK_SECONDS:
                await self._look()
        if self._heard_at is None:
            return False
        return self._clock.now() - min(self._heard_at, self._unhandled_since or self._heard_at) <= UNHEALTHY_AFTER

    async def _look(self) -> None:
        async with self._db.begin() as tx:
            row = (await tx.execute(OLDEST_DOUBT)).one()
        self._heard_at, self._unhandled_since = row
        self._looked_at = time.monotonic()
