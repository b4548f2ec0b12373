"""What ends a Pub/Sub call, and what it means to us: the table of the service's error codes."""

from __future__ import annotations

from typing import Literal

import grpc
import grpc.aio

from portico.errors import SetupWrong, SystemDown, Trouble

SYSTEM = "pubsub"

Meaning = Literal["replay_lost", "token", "limit", "down"]

_PREFIX = "sfdc.platform.eventbus.grpc."

MEANINGS: dict[str, Meaning] = {
    "subscription.fetch.replayid.corrupted": "replay_lost",  # invalid, older than 72 h, or the stream was reset
    "subscription.fetch.replayid.validation.failed": "replay_lost",
    "service.auth.error": "token",
    "service.auth.refresh.invalid": "token",
    "service.unavailable": "down",
    "subscription.limit.exceeded": "limit",  # the deliveries of 24 h are spent
    "concurrent.client.limit.exceeded": "limit",
}

# Where the service names no code that we know; what is not here either is a network loss like any other.
_BY_STATUS: dict[grpc.StatusCode, Meaning | Literal["setup"]] = {
    grpc.StatusCode.UNAUTHENTICATED: "token",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "limit",
    grpc.StatusCode.NOT_FOUND: "setup",
    grpc.StatusCode.PERMISSION_DENIED: "setup",
    grpc.StatusCode.INVALID_ARGUMENT: "setup",
    grpc.StatusCode.UNIMPLEMENTED: "setup",
}

LIMIT_PAUSE_SECONDS = 1200.0
"""Asking sooner is no use: the quota counts the last 24 hours."""


class ReplayLost(Trouble):
    """The position means nothing to the service any more: events are lost, all that they told must be read anew.

    Resubscribe from the earliest event together with a full resync; never from the latest alone.
    """

    code = "replay_lost"


class TokenRefused(Trouble):
    """The token has to be minted anew; the stream does so once by itself."""

    code = "token_refused"


def error_of(error: grpc.aio.AioRpcError) -> Trouble:
    """`facts["pause_seconds"]` is set where a quota wants a long wait."""
    trailers = _trailers(error)
    code = trailers.get("error-code", "")
    rpc_id = trailers.get("rpc-id", "")  # what the vendor's support asks for
    note = f"{error.code().name} {code} {rpc_id and f'rpc {rpc_id}'}".strip()
    match MEANINGS.get(code.removeprefix(_PREFIX)) or _BY_STATUS.get(error.code(), "down"):
        case "replay_lost":
            return ReplayLost(SYSTEM, note)
        case "token":
            return TokenRefused(SYSTEM, note)
        case "limit":
            return SystemDown(SYSTEM, note, pause_seconds=LIMIT_PAUSE_SECONDS)
        case "setup":
            return SetupWrong(SYSTEM, note)
        case _:
            return SystemDown(SYSTEM, note)


def _trailers(error: grpc.aio.AioRpcError) -> dict[str, str]:
    return {key: value for key, value in error.trailing_metadata() or () if isinstance(value, str)}
