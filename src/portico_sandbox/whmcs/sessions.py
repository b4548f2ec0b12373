"""Browser sessions of the client area: begun by an SSO token, kept in a cookie of this host."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.rows import CLIENTS, SESSIONS, find

COOKIE = "whmcs_sandbox"  # cookies know no ports: the name must differ from the portal's
LIFE = timedelta(minutes=30)


@dataclass(frozen=True)
class Session:
    sandbox: Sandbox
    key: str
    client: Row
    form_token: str

    @property
    def client_id(self) -> int:
        return int(self.client["id"])

    def say(self, notice: str, trouble: bool = False) -> None:
        """Keeps a sentence for the next page."""
        with self.sandbox.store.begin() as tx:
            tx.change(SESSIONS, self.key, notice={"text": notice, "trouble": trouble})

    def take_notice(self) -> dict[str, Any] | None:
        row = self.sandbox.store.get(SESSIONS, self.key)
        if row is None or not row["notice"]:
            return None
        notice: dict[str, Any] = row["notice"]
        with self.sandbox.store.begin() as tx:
            tx.change(SESSIONS, self.key, notice=None)
        return notice


def begin(sandbox: Sandbox, client_id: int, user_id: int) -> Cookie:
    key = secrets.token_hex(16)
    expires = (sandbox.clock.now() + LIFE).isoformat()
    row = {"client_id": client_id, "user_id": user_id, "expires": expires, "notice": None}
    with sandbox.store.begin() as tx:
        tx.put(SESSIONS, key, row | {"form_token": secrets.token_hex(16)})
    return Cookie(key=COOKIE, value=key, path="/", httponly=True, samesite="lax")


def session_of(request: Request[Any, Any, Any]) -> Session | None:
    """None without a cookie, or when its session has expired or was reset away."""
    sandbox: Sandbox = request.app.state.sandbox
    row = sandbox.store.get(SESSIONS, key) if (key := request.cookies.get(COOKIE, "")) else None
    if row is None or sandbox.clock.now() > datetime.fromisoformat(row["expires"]):
        return None
    client = find(sandbox, CLIENTS, row["client_id"])
    return Session(sandbox, key, client, row["form_token"]) if client else None


def end(sandbox: Sandbox, key: str) -> None:
    with sandbox.store.begin() as tx:
        tx.delete(SESSIONS, key)
