"""Where a subscription begins: replay presets, replay ids as bytes, and ids that were made to mean nothing."""

from __future__ import annotations

from typing import Any

from portico_sandbox.salesforce import wire
from portico_sandbox.salesforce.event_log import number_after, oldest_number, state_of
from portico_sandbox.salesforce.stream_ends import Ended
from portico_sandbox.sandbox import Sandbox

_SPOILED = "sf_spoiled"


def replay_bytes(number: int) -> bytes:
    """Ten opaque bytes, as seen on real streams."""
    return number.to_bytes(8, "big") + b"\0\0"


def replay_number(replay: bytes) -> int | None:
    """None where these are not bytes of ours. Some clients keep only the first eight; the vendor bears that."""
    if len(replay) not in (8, 10) or replay[8:].strip(b"\0"):
        return None
    return int.from_bytes(replay[:8], "big")


def first_number(sandbox: Sandbox, preset: int, replay_id: bytes) -> int:
    """The number of the first event of a subscription. Raises Ended where the position is none."""
    if preset == wire.EARLIEST:
        return oldest_number(sandbox)
    if preset != wire.CUSTOM:
        return int(state_of(sandbox.store)["last"]) + 1
    if not replay_id:
        code = "subscription.fetch.replayid.validation.failed"
        raise Ended("INVALID_ARGUMENT", code, "A custom replay wants a replay id")
    number = number_of(sandbox, replay_id)
    if _is_spoiled(sandbox, replay_id) or number is None:
        code = "subscription.fetch.replayid.corrupted"
        raise Ended("INVALID_ARGUMENT", code, "The replay id is invalid or no longer kept")
    return number


def number_of(sandbox: Sandbox, replay_id: bytes) -> int | None:
    """The number of the first event after a position; None where it is unknown."""
    replay = replay_number(replay_id)
    return None if replay is None or replay >= 2**63 else number_after(sandbox, replay)


def spoil_next(sandbox: Sandbox) -> None:
    """The next stream that resumes from a stored id is told that the id means nothing any more."""
    with sandbox.store.begin() as tx:
        tx.put(_SPOILED, "next", {})


def spoil(sandbox: Sandbox, replay: int) -> None:
    """This id means nothing from now on; all others do."""
    with sandbox.store.begin() as tx:
        tx.put(_SPOILED, str(replay), {})


def _is_spoiled(sandbox: Sandbox, replay_id: bytes) -> bool:
    store: Any = sandbox.store
    if store.get(_SPOILED, str(replay_number(replay_id))) is not None:
        return True
    spoiled = store.get(_SPOILED, "next") is not None
    if spoiled:
        with store.begin() as tx:
            tx.delete(_SPOILED, "next")
    return spoiled
