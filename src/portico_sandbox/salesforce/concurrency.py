"""The limit on calls that last long: so many of them at a time, and the next call is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.sandbox import Sandbox


class InFlight:
    """The calls that are being answered, by when they began."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._began: dict[object, float] = {}

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Raises Refusal (REQUEST_LIMIT_EXCEEDED) where too many have lasted long already."""
        self._check()
        call = object()
        self._began[call] = time.monotonic()
        try:
            yield
        finally:
            del self._began[call]

    def _check(self) -> None:
        long = float(knob(self._sandbox, "long_call_seconds"))
        now = time.monotonic()
        lasting = sum(1 for began in self._began.values() if now - began >= long)
        if lasting >= int(knob(self._sandbox, "concurrent_calls")):
            message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
            raise Refusal(Fault("REQUEST_LIMIT_EXCEEDED", message))
