"""How subscriptions end and what holds them up: cuts, resets, silence, limits. Turned by the buttons and by knobs."""

from __future__ import annotations

from dataclasses import dataclass

from portico_sandbox.salesforce.event_log import ring, state_of
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_FAULTS: Row = {"reset_every": 0, "close_every": 0, "silent": False}


class Ended(Exception):
    """The call ends: `status` is the gRPC status, `code` the vendor's error code without its prefix.

    `bare`: without any trailers, as where the network broke.
    """

    def __init__(self, status: str, code: str, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.bare = bare


class Closed(Exception):
    """The stream ends cleanly, which a subscriber must take for a loss all the same."""


def network_reset() -> Ended:
    return Ended("UNAVAILABLE", "", "RST_STREAM closed stream. HTTP/2 error code: NO_ERROR", bare=True)


def cut_streams(sandbox: Sandbox, status: str, code: str, message: str) -> None:
    """Ends every open stream. Status OK: cleanly; code `rst`: as a broken network does."""
    with sandbox.store.begin() as tx:
        tx.put("sf_stream", "cut", {"number": tx.next("sf_cuts"), "status": status, "code": code, "message": message})
    ring(sandbox)


def turn_fault(sandbox: Sandbox, **values: int | bool) -> Row:
    """`reset_every`, `close_every`: a stream breaks or ends after so many events; `silent`: no stream says a word."""
    with sandbox.store.begin() as tx:
        faults = {**faults_of(sandbox), **values}
        tx.put("sf_stream", "faults", faults)
    ring(sandbox)
    return faults


def faults_of(sandbox: Sandbox) -> Row:
    return sandbox.store.get("sf_stream", "faults") or _FAULTS


@dataclass(frozen=True)
class Birth:
    """The orders that were already given when a stream began: they are not meant for it."""

    cut: int
    log: int

    @classmethod
    def now(cls, sandbox: Sandbox) -> Birth:
        cut = sandbox.store.get("sf_stream", "cut")
        return cls(cut["number"] if cut else 0, state_of(sandbox.store)["start"])

    def check(self, sandbox: Sandbox, token: str) -> None:
        """Raises Ended or Closed where somebody or something has ended the stream since."""
        cut = sandbox.store.get("sf_stream", "cut")
        if cut and cut["number"] != self.cut:
            _raise_cut(cut)
        if state_of(sandbox.store)["start"] != self.log:
            raise Ended("UNAVAILABLE", "service.unavailable", "The stream was reset")
        dials = sandbox.dials.active()
        if any(dial.system == "pubsub" and dial.mode == "down" and dial.call in ("*", "Subscribe") for dial in dials):
            raise Ended("UNAVAILABLE", "service.unavailable", "The service is not available")
        if knob(sandbox, "dead_tokens_end_streams") == "yes" and not sandbox.store.get("sf_tokens", token):
            raise Ended("UNAUTHENTICATED", "service.auth.error", "The session has expired")


def _raise_cut(cut: Row) -> None:
    if cut["status"] == "OK":
        raise Closed
    if cut["code"] == "rst":
        raise network_reset()
    raise Ended(cut["status"], cut["code"], cut["message"])


def check_breaks(sandbox: Sandbox, sent: int) -> None:
    """Raises Ended or Closed where a stream has sent as many events as a fault lets it."""
    faults = faults_of(sandbox)
    if faults["reset_every"] and sent >= faults["reset_every"]:
        raise network_reset()
    if faults["close_every"] and sent >= faults["close_every"]:
        raise Closed


def check_client_limit(sandbox: Sandbox) -> None:
    """Raises Ended where as many subscriptions are open as may be."""
    limit = int(knob(sandbox, "clients"))
    if limit and len(sandbox.on_events) >= limit:
        raise Ended(knob(sandbox, "limit_status"), "concurrent.client.limit.exceeded", "Too many concurrent clients")


def check_allocation(sandbox: Sandbox) -> None:
    """Raises Ended where the events of 24 hours are spent."""
    limit = int(knob(sandbox, "deliveries_per_day"))
    if limit and delivered_today(sandbox) >= limit:
        message = "The daily allocation of delivered events is used up"
        raise Ended(knob(sandbox, "limit_status"), "subscription.limit.exceeded", message)


def count_delivered(sandbox: Sandbox, events: int) -> None:
    hour = int(sandbox.clock.now().timestamp() // 3600)
    kept = {name: count for name, count in _hours(sandbox).items() if int(name) > hour - 24}
    with sandbox.store.begin() as tx:
        tx.put("sf_stream", "delivered", {"hours": kept | {str(hour): kept.get(str(hour), 0) + events}})


def delivered_today(sandbox: Sandbox) -> int:
    """Events that all clients together got within 24 hours, whole hours counted."""
    hour = int(sandbox.clock.now().timestamp() // 3600)
    return sum(count for name, count in _hours(sandbox).items() if int(name) > hour - 24)


def _hours(sandbox: Sandbox) -> dict[str, int]:
    row = sandbox.store.get("sf_stream", "delivered")
    return row["hours"] if row else {}
