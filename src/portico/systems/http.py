"""The one door out: every HTTP call to a foreign system goes through here."""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx2
import structlog
from prometheus_client import Gauge, Histogram

from portico.errors import SystemDown, SystemSurprised
from portico.systems.breaker import Breaker
from portico.systems.retries import ATTEMPTS, RetryBudget, Trouble, pause_before

in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)
"""Set by `db.begin()`: a remote call would hold the transaction's locks for as long as the system pleases."""

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the inbound request or job must be done, in the event loop's time; the door never waits past it."""

only_looks: ContextVar[bool] = ContextVar("only_looks", default=False)
"""Whether a call serves a page that changes nothing: the first to go where a system's quota runs out."""

UPSTREAM_SECONDS = Histogram(
    "portico_upstream_seconds",
    "Duration of a call to a foreign system, retries included",
    ["system", "call", "outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40),
)
BREAKER_OPEN = Gauge("portico_upstream_breaker_open", "1 while calls to a system are stopped", ["system"])

_log = structlog.get_logger()

_UNWELL = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Limits:
    connect_seconds: float
    read_seconds: float
    """Of one attempt of a repeatable call, from the first byte out to the last byte in."""
    write_seconds: float
    """The same for a call that may not be repeated."""
    concurrency: int
    max_bytes: int = 8_000_000
    queue_seconds: float = 5.0
    """How long a call waits for one of the `concurrency` places."""
    breaker_failures: int = 5
    breaker_window_seconds: float = 10.0
    breaker_rest_seconds: float = 2.0


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    """Case does not matter when reading."""
    body: bytes


@dataclass
class _Outgoing:
    """A call on its way. `sent` stays true once any attempt began to write to the socket."""

    method: str
    url: str
    name: str
    repeatable: bool
    headers: Mapping[str, str] | None
    content: bytes | None
    sent: bool = False
    attempts: int = 0
    retried: list[Trouble] = field(default_factory=list)

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.sent = True


class Door:
    """The way to one system, with its limits. Share one per process; it keeps connections, breaker and budget."""

    def __init__(self, system: str, base_url: str, limits: Limits, *, ca_path: Path | None = None) -> None:
        self.system = system
        self.limits = limits
        self._breaker = Breaker(limits.breaker_failures, limits.breaker_window_seconds, limits.breaker_rest_seconds)
        self._budget = RetryBudget()
        self._places = asyncio.Semaphore(limits.concurrency)
        self._client = httpx2.AsyncClient(
            base_url=base_url,
            verify=_trust(ca_path),
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx2.Timeout(None, connect=limits.connect_seconds),
            limits=httpx2.Limits(
                max_connections=limits.concurrency,
                max_keepalive_connections=limits.concurrency,
                keepalive_expiry=15,
            ),
        )

    async def call(
        self,
        method: str,
        url: str,
        *,
        name: str,
        repeatable: bool,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Reply:
        """Sends one call and returns the answer, whatever its HTTP status.

        `url` is a path joined to the base address, or a whole address. `name` is the vendor's action, for log and
        metrics. `repeatable` means a read or a provably idempotent write: it is tried up to three times.
        Raises SystemDown (`sent` tells whether anything can have reached the system) and SystemSurprised (too large,
        or not decodable). Raises RuntimeError inside a database transaction.
        """
        if in_transaction.get():
            raise RuntimeError(f"no remote call inside a transaction ({self.system} {name})")
        outgoing = _Outgoing(method, url, name, repeatable, headers, content)
        with self._recorded(outgoing) as outcome:
            reply = await self._deliver(outgoing)
            outcome.append(f"http_{reply.status}")
        return reply

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _deliver(self, outgoing: _Outgoing) -> Reply:
        while True:
            outgoing.attempts += 1
            outcome = await self._attempt(outgoing)
            pause = self._pause_after(outgoing, outcome)
            if pause is None:
                break
            await asyncio.sleep(pause)
        if isinstance(outcome, SystemDown):
            raise outcome
        return outcome

    def _pause_after(self, outgoing: _Outgoing, outcome: Reply | SystemDown) -> float | None:
        """Seconds until the next attempt, None where this outcome is the last."""
        trouble = _trouble_in(outcome)
        if trouble is None:
            self._budget.give_back(outgoing.retried)
            return None
        if not outgoing.repeatable or outgoing.attempts >= ATTEMPTS:
            return None
        pause = pause_before(outgoing.attempts + 1, trouble, _retry_after(outcome))
        left = _seconds_left()
        if pause is None or (left is not None and pause >= left) or not self._budget.take(trouble):
            return None
        outgoing.retried.append(trouble)
        return pause

    async def _attempt(self, outgoing: _Outgoing) -> Reply | SystemDown:
        """One try. Returns SystemDown where another may help, raises it where the next would fare the same."""
        if not self._breaker.admits():
            raise self._down(outgoing, "breaker open")
        async with self._place(outgoing):
            if not self._breaker.enter():
                raise self._down(outgoing, "breaker open")
            try:
                return await self._timed_exchange(outgoing)
            except BaseException:
                self._breaker.abandoned()
                raise
            finally:
                BREAKER_OPEN.labels(self.system).set(self._breaker.is_open)

    async def _timed_exchange(self, outgoing: _Outgoing) -> Reply | SystemDown:
        seconds = self._seconds_for(outgoing)
        try:
            async with asyncio.timeout(seconds):
                reply = await self._exchange(outgoing)
        except TimeoutError:
            # A wait cut short by the caller's own deadline says nothing about the system.
            if seconds >= self.limits.connect_seconds:
                self._breaker.failed()
            return self._down(outgoing, f"no answer within {seconds:.1f} s")
        except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol):
            raise  # our own fault, not the system's
        except httpx2.TransportError as error:
            self._breaker.failed()
            return self._down(outgoing, type(error).__name__)
        if reply.status in _UNWELL:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        return reply

    async def _exchange(self, outgoing: _Outgoing) -> Reply:
        async with self._client.stream(
            outgoing.method,
            outgoing.url,
            headers=outgoing.headers,
            content=outgoing.content,
            extensions={"trace": outgoing.trace},
        ) as response:
            return Reply(response.status_code, response.headers, await self._read(response))

    async def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self.limits.max_bytes:
                    raise SystemSurprised(self.system, "answer too large", body=bytes(body[:2000]))
        except httpx2.DecodingError as error:
            raise SystemSurprised(self.system, "answer not decodable", body=bytes(body[:2000])) from error
        return bytes(body)

    @asynccontextmanager
    async def _place(self, outgoing: _Outgoing) -> AsyncIterator[None]:
        """One of the system's places: our own overload must not become theirs."""
        left = _seconds_left()
        wait = self.limits.queue_seconds if left is None else min(left, self.limits.queue_seconds)
        try:
            async with asyncio.timeout(wait):
                await self._places.acquire()
        except TimeoutError:
            raise self._down(outgoing, "all places taken") from None
        try:
            yield
        finally:
            self._places.release()

    def _seconds_for(self, outgoing: _Outgoing) -> float:
        seconds = self.limits.read_seconds if outgoing.repeatable else self.limits.write_seconds
        left = _seconds_left()
        if left is None:
            return seconds
        if left <= 0:
            raise self._down(outgoing, "deadline passed")
        return min(seconds, left)

    def _down(self, outgoing: _Outgoing, note: str) -> SystemDown:
        return SystemDown(self.system, f"{outgoing.name}: {note}", sent=outgoing.sent)

    @contextmanager
    def _recorded(self, outgoing: _Outgoing) -> Iterator[list[str]]:
        """One log line and one observation per call, whatever becomes of it; never addresses, headers or bodies."""
        outcome: list[str] = []
        started = time.perf_counter()
        try:
            yield outcome
        except SystemDown as down:
            outcome.append("down" if down.sent else "not_sent")
            raise
        except SystemSurprised:
            outcome.append("surprised")
            raise
        finally:
            seconds = time.perf_counter() - started
            how = outcome[0] if outcome else "abandoned"
            UPSTREAM_SECONDS.labels(self.system, outgoing.name, how).observe(seconds)
            _log.info(
                "upstream.call",
                system=self.system,
                call=outgoing.name,
                outcome=how,
                attempts=outgoing.attempts,
                ms=round(seconds * 1000, 1),
            )


def _seconds_left() -> float | None:
    until = deadline.get()
    return None if until is None else until - asyncio.get_running_loop().time()


def _trouble_in(outcome: Reply | SystemDown) -> Trouble | None:
    if isinstance(outcome, SystemDown):
        return "transient"
    if outcome.status == 429 or (outcome.status == 503 and "retry-after" in outcome.headers):
        return "throttled"
    return "transient" if outcome.status in _UNWELL else None


def _retry_after(outcome: Reply | SystemDown) -> float | None:
    """Seconds that the system asks us to wait (its date form is not worth a clock comparison)."""
    asked = "" if isinstance(outcome, SystemDown) else outcome.headers.get("retry-after", "")
    return float(asked) if asked.isascii() and asked.isdigit() else None


@functools.cache
def _trust(ca_path: Path | None) -> ssl.SSLContext:
    """Reading all authorities takes 40 ms: once a process."""
    return ssl.create_default_context(cafile=ca_path)
