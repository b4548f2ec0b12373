"""Logs: one JSON line an event on stdout, written by a thread of its own, without personal data.

A log line holds an event name (`system.action.outcome`) and ids. What may not stand in it is left out by type and by
name, not found by pattern: texts only when short and without `@`, and nothing of what `_PRIVATE` names.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Mapping, MutableMapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter

LOST_LINES = Counter("portico_log_lines_lost_total", "Log lines dropped because stdout did not take them")

_PRIVATE = frozenset(
    {
        *("email", "password", "name", "first_name", "last_name", "phone", "address", "postal_code", "street"),
        *("body", "headers", "token", "secret", "cookie", "authorization", "url", "query_string"),
        *("content", "payload", "message", "eid", "iccid", "msisdn", "customer_number"),
    }
)
_PLAIN = (bool, int, float, Decimal, UUID, date, type(None))
_LONGEST_TEXT = 300
_MOST_WAITING = 20_000

_encode = msgspec.json.Encoder(decimal_format="string").encode


class LineWriter:
    """Writes lines in batches from a thread, so that a blocked stdout never blocks a request; drops are counted."""

    def __init__(self, descriptor: int, most_waiting: int = _MOST_WAITING) -> None:
        self._descriptor = descriptor
        self._most_waiting = most_waiting
        self._waiting: deque[bytes] = deque()
        self._wake = threading.Event()
        self._writing = threading.Lock()
        threading.Thread(target=self._run, name="log", daemon=True).start()
        atexit.register(self.flush)

    def msg(self, line: bytes) -> None:
        if len(self._waiting) >= self._most_waiting:
            LOST_LINES.inc()
            return
        self._waiting.append(line)
        self._wake.set()

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg

    def flush(self) -> None:
        """Writes all that waits; returns at once where another thread is stuck in writing."""
        if not self._writing.acquire(timeout=0.5):
            return
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), 500))]
                self._write(b"\n".join(batch) + b"\n")
        finally:
            self._writing.release()

    def _write(self, batch: bytes) -> None:
        while batch:
            try:
                batch = batch[os.write(self._descriptor, batch) :]
            except OSError:
                LOST_LINES.inc(batch.count(b"\n"))
                return

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self.flush()


def configure(component: str) -> None:
    """Call once at the start of a process (`web`, `worker`, `listen`…); its name stands in each line."""
    writer = LineWriter(sys.stdout.fileno())

    def add_component(_: Any, level: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        facts["level"] = level
        facts["component"] = component
        facts["at"] = datetime.now(UTC)
        return facts

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, add_component, _render_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_ForeignLines()], level=logging.WARNING, force=True)


def _render_line(_: Any, __: str, facts: MutableMapping[str, Any]) -> tuple[tuple[bytes], dict[str, Any]]:
    error = facts.pop("exc_info", None)
    line = {key: _harmless(key, value) for key, value in facts.items()}
    if error:
        line |= _trace_of(error)
    return (_encode(line),), {}


def _harmless(key: str, value: Any) -> Any:
    if key in _PRIVATE:
        return "[left out]"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return "[left out]" if "@" in value else value[:_LONGEST_TEXT]
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {str(name): _harmless(str(name), inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_harmless(key, inner) for inner in value]
    return f"[{type(value).__name__}]"


def _trace_of(error: Any) -> dict[str, Any]:
    """Types and places of an exception, never its text: drivers put values into it."""
    exception = sys.exc_info()[1] if error is True else error[1] if isinstance(error, tuple) else error
    if not isinstance(exception, BaseException):
        return {}
    frames = traceback.extract_tb(exception.__traceback__)[-12:]
    cause = exception.__cause__
    return {
        "error": type(exception).__name__,
        "error_code": getattr(exception, "code", None) if isinstance(getattr(exception, "code", None), str) else None,
        "cause": type(cause).__name__ if cause else None,
        "trace": [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames],
    }


class _ForeignLines(logging.Handler):
    """Warnings of libraries: where from and how bad, with the template of the message but not its values."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: dict[str, Any] = {"logger": record.name, "template": str(record.msg)}
        if record.exc_info:
            facts["exc_info"] = record.exc_info
        structlog.get_logger().log(record.levelno, "library.log", **facts)
