"""When a repeatable call is tried again: three attempts, full jitter, a budget so that retries never pile up."""

from __future__ import annotations

import random
from typing import Literal

Trouble = Literal["transient", "throttled"]

ATTEMPTS = 3
_COST: dict[Trouble, int] = {"transient": 14, "throttled": 5}
_FIRST_PAUSE: dict[Trouble, float] = {"transient": 0.05, "throttled": 1.0}
_LONGEST_PAUSE = 20.0


class RetryBudget:
    """500 tokens of a system and process. A retry costs some; a success gives what its retries cost back, or one."""

    def __init__(self, tokens: int = 500) -> None:
        self._full = tokens
        self.tokens = tokens

    def take(self, trouble: Trouble) -> bool:
        cost = _COST[trouble]
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def give_back(self, troubles: list[Trouble]) -> None:
        self.tokens = min(self._full, self.tokens + max(1, sum(_COST[trouble] for trouble in troubles)))


def pause_before(attempt: int, trouble: Trouble, retry_after: float | None = None) -> float | None:
    """Seconds to wait before attempt 2, 3…; what the system asked for counts. None: it asks for too long a wait."""
    jitter: float = random.random() * min(_LONGEST_PAUSE, _FIRST_PAUSE[trouble] * 2.0 ** (attempt - 2))  # noqa: S311
    if retry_after is None:
        return jitter
    return retry_after + jitter if retry_after <= _LONGEST_PAUSE else None
