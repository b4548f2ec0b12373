"""Log lines: JSON, without personal data, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import msgspec

from portico.log import LOST_LINES, LineWriter

SCRIPT = """
import logging, structlog
from pydantic import SecretStr
from portico import log
log.configure("web")
logger = structlog.get_logger()
structlog.contextvars.bind_contextvars(request_id="r1")
logger.info("order.place.done", order_id="801", email="a@b.example", note="from a@b.example", key=SecretStr("k"),
            nested={"password": "p", "count": 2})
try:
    raise ValueError("a@b.example is taken")
except ValueError:
    logger.exception("order.place.failed")
logging.getLogger("some.library").warning("value %s", "private")
"""


def lines_of(script: str) -> list[dict[str, Any]]:
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=20).stdout
    return [msgspec.json.decode(line) for line in output.splitlines()]


def test_a_line_tells_the_event_and_ids_but_nothing_private() -> None:
    event, failure, foreign = lines_of(SCRIPT)
    assert event["event"] == "order.place.done"
    assert (event["component"], event["level"], event["order_id"]) == ("web", "info", "801")
    assert event["request_id"] == "r1"
    assert event["nested"] == {"password": "[left out]", "count": 2}
    assert (failure["error"], failure["level"]) == ("ValueError", "error")
    assert failure["trace"][0].endswith("<module>")
    assert foreign["template"] == "value %s"
    assert not any(word in str([event, failure, foreign]) for word in ("@", "'p'", "'k'", "private"))


def test_a_blocked_stdout_costs_lines_not_time() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, True)
    lost = LOST_LINES._value.get()
    writer = LineWriter(writing, most_waiting=100)
    for _ in range(300):
        writer.msg(b"x" * 5000)
    assert LOST_LINES._value.get() > lost
    os.close(reading)
