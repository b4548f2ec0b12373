"""Access tokens: issued by the token endpoint, good for REST and Pub/Sub alike until their holder is idle too long."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.sf_id import to_18

ORGANIZATION_ID = to_18("00D5g00000PRTCO")
INTEGRATION_USER_ID = to_18("0055g00000INTGR")
STAFF_USER_ID = to_18("0055g00000STAFF")

_WRITE_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class Session:
    token: str
    user_id: str
    organization_id: str = ORGANIZATION_ID


def open_session(sandbox: Sandbox, user_id: str) -> Session:
    token = f"{ORGANIZATION_ID[:15]}!{secrets.token_urlsafe(72)}"
    with sandbox.store.begin() as tx:
        tx.put("sf_tokens", token, {"user_id": user_id, "seen": sandbox.clock.now().isoformat()})
    return Session(token, user_id)


def session_of(sandbox: Sandbox, token: str | None) -> Session | None:
    """The live session of a token, or None. Using it keeps it alive."""
    row = sandbox.store.get("sf_tokens", token) if token else None
    if row is None or token is None:
        return None
    now = sandbox.clock.now()
    idle = now - datetime.fromisoformat(row["seen"])
    if idle > timedelta(hours=float(knob(sandbox, "session_hours"))):
        close_session(sandbox, token)
        return None
    if idle > _WRITE_EVERY:
        with sandbox.store.begin() as tx:
            tx.change("sf_tokens", token, seen=now.isoformat())
    return Session(token, row["user_id"])


def close_session(sandbox: Sandbox, token: str) -> None:
    with sandbox.store.begin() as tx:
        tx.delete("sf_tokens", token)


def close_all(sandbox: Sandbox) -> int:
    """How many tokens are dead now."""
    tokens = list(sandbox.store.table("sf_tokens"))
    with sandbox.store.begin() as tx:
        for token in tokens:
            tx.delete("sf_tokens", token)
    return len(tokens)


def count_call(sandbox: Sandbox) -> tuple[int, int]:
    """Counts one API call of the day; answers (calls so far, calls allowed)."""
    day = f"{sandbox.clock.now():%Y-%m-%d}"
    with sandbox.store.begin() as tx:
        counted = tx.next(f"sf_calls:{day}")
    return counted + _more_used(sandbox, day), int(knob(sandbox, "daily_calls"))


def pretend_used(sandbox: Sandbox, used: int) -> None:
    """Lets so many calls of today be used up already; counting goes on from there."""
    day = f"{sandbox.clock.now():%Y-%m-%d}"
    counted = count_call(sandbox)[0] - _more_used(sandbox, day)
    with sandbox.store.begin() as tx:
        tx.put("sf_usage", day, {"more": used - counted})


def _more_used(sandbox: Sandbox, day: str) -> int:
    row = sandbox.store.get("sf_usage", day)
    return int(row["more"]) if row else 0
