"""The API calls that the org grants in 24 hours: before they are spent, what only looks has to wait."""

from __future__ import annotations

import re
import time

import structlog
from prometheus_client import Gauge

from portico.systems.http import Reply, only_looks
from portico.systems.salesforce.errors import CallsSpent

CALLS_USED = Gauge("portico_salesforce_calls_used", "API calls of the last 24 hours, as Salesforce counts them")
CALLS_ALLOWED = Gauge("portico_salesforce_calls_allowed", "API calls that the org may make in 24 hours")

_WARN_SHARE = 0.7
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
_log = structlog.get_logger()


class Budget:
    """What is left of the day, from the header that every answer of Salesforce carries (`Sforce-Limit-Info`).

    `reserved_percent` of the day's calls are kept for what acts: sign-up, orders, their fulfillment. What only looks
    is turned away then, but for one call every `look_seconds`: its answer tells whether the day has moved on.
    """

    def __init__(self, reserved_percent: float, look_seconds: float) -> None:
        self._reserved = reserved_percent / 100
        self._look_seconds = look_seconds
        self._next_look = 0.0
        self._share = 0.0

    def admit(self, name: str) -> None:
        """Raises CallsSpent where this call has to wait for better times; it was not sent."""
        if not only_looks.get() or self._share < 1 - self._reserved:
            return
        now = time.monotonic()
        if now < self._next_look:
            raise CallsSpent(f"{name}: TotalRequests, what is left is kept for orders")
        self._next_look = now + self._look_seconds

    def note(self, reply: Reply) -> None:
        usage = _USAGE.search(reply.headers.get("sforce-limit-info", ""))
        if usage and int(usage[2]):
            CALLS_USED.set(int(usage[1]))
            CALLS_ALLOWED.set(int(usage[2]))
            self._move_to(int(usage[1]) / int(usage[2]))

    def spent(self) -> None:
        """Salesforce has refused a call because the day's are used up."""
        self._move_to(1.0)
        self._next_look = time.monotonic() + self._look_seconds

    def _move_to(self, share: float) -> None:
        if self._share < _WARN_SHARE <= share:
            _log.warning("salesforce.calls.running_out", share=round(share, 3), reserved=self._reserved)
        self._share = share
