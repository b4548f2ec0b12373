"""Stops calling a system that is evidently down, and asks it now and then whether it is back."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class Breaker:
    """Opens after `failures` failures in a row within `window` seconds. After `rest` seconds one call may try."""

    def __init__(self, failures: int, window: float, rest: float, now: Callable[[], float] = time.monotonic) -> None:
        self._recent: deque[float] = deque(maxlen=failures)
        self._window = window
        self._rest = rest
        self._now = now
        self._closed_again_at: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._closed_again_at is not None

    def admits(self) -> bool:
        """Whether a call could go out at this moment; changes nothing."""
        if self._closed_again_at is None:
            return True
        return not self._probing and self._now() >= self._closed_again_at

    def enter(self) -> bool:
        """Like `admits`, and takes the place of the one probe where the breaker is open."""
        if not self.admits():
            return False
        self._probing = self.is_open
        return True

    def succeeded(self) -> None:
        self._recent.clear()
        self._closed_again_at = None
        self._probing = False

    def failed(self) -> None:
        now = self._now()
        self._recent.append(now)
        in_a_row = len(self._recent) == self._recent.maxlen and now - self._recent[0] <= self._window
        if self.is_open or in_a_row:
            self._closed_again_at = now + self._rest
            self._probing = False

    def abandoned(self) -> None:
        """The call was given up by us: it says nothing about the system, but the next probe may go."""
        self._probing = False
