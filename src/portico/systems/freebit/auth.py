"""The authKey: one per process, fetched once however many ask for it at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from portico.errors import SetupWrong

REFUSAL_SECONDS = 60
"""After refused credentials nobody asks again for so long: repeating them could lock the account."""


class AuthKey:
    """Holds the key and its age; `fetch` is handed in with each use."""

    def __init__(self, ttl_seconds: float) -> None:
        self._ttl_seconds = ttl_seconds
        self._lock = asyncio.Lock()
        self._key = ""
        self._fetched_at = 0.0
        self._refused_at: float | None = None

    async def current(self, fetch: Callable[[], Awaitable[str]]) -> str:
        """The key, fetched where there is none or it is too old. Raises what `fetch` raises."""
        async with self._lock:
            if not self._key or time.monotonic() - self._fetched_at > self._ttl_seconds:
                await self._renew(fetch)
            return self._key

    def forget(self, key: str) -> None:
        """This key was refused. A newer one, which another call fetched meanwhile, stays."""
        if key == self._key:
            self._key = ""

    async def _renew(self, fetch: Callable[[], Awaitable[str]]) -> None:
        if self._refused_at is not None and time.monotonic() - self._refused_at < REFUSAL_SECONDS:
            raise SetupWrong("freebit", "the credentials were refused a moment ago")
        try:
            self._key = await fetch()
        except SetupWrong:
            self._key, self._refused_at = "", time.monotonic()
            raise
        self._fetched_at, self._refused_at = time.monotonic(), None
