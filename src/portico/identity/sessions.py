"""Sessions: 256 random bits in a cookie, their SHA-256 in Postgres, a copy in each process for at most five seconds.

A copy is dropped by a notice sent in the revoking transaction; while a process can't hear notices it keeps none.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import structlog
from litestar import Request
from litestar.datastructures import Cookie, State
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.customer import Customer, SfAccountId, UserId, WhmcsClientId
from portico.db import Notices, notify
from portico.errors import Busy
from portico.identity.visitors import Visitor
from portico.portal import Portal
from portico.settings import Settings
from portico.work import periodic, portal

log = structlog.get_logger()

CHANNEL = "portico_sessions"
"""Payload: the user whose sessions (or mapping) changed; empty: anybody's may have."""
COPY_SECONDS = 5.0
MOST_COPIES = 10_000
SEEN_AGAIN = timedelta(minutes=1)
"""How often `seen_at` is written at most."""
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

SELECT = text("""
    SELECT s.id, s.user_id, s.seen_at, s.expires_at, u.email, u.display_name, u.role, u.language,
        m.whmcs_client_id, m.sf_account_id,
        (SELECT count(*) FROM notices n WHERE n.user_id = s.user_id AND n.read_at IS NULL) AS unread
    FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN mappings m ON m.user_id = s.user_id
    WHERE s.token_hash = :token_hash
""")
INSERT = text("""
    INSERT INTO sessions (token_hash, id, user_id, created_at, seen_at, expires_at, user_agent, source)
    VALUES (:token_hash, :id, :user_id, :now, :now, :expires_at, :user_agent, :source)
""")
SEEN = text("UPDATE sessions SET seen_at = :now WHERE token_hash = :token_hash AND seen_at < :now")
END = text("DELETE FROM sessions WHERE token_hash = :token_hash RETURNING user_id")
END_OTHERS = text("DELETE FROM sessions WHERE user_id = :user_id AND id <> :kept")
END_ONE = text("DELETE FROM sessions WHERE user_id = :user_id AND id = :id")
END_ALL = text("DELETE FROM sessions WHERE user_id = :user_id")
FORGET = text("DELETE FROM sessions WHERE expires_at <= :now OR seen_at <= :idle")


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in: `request.user`."""

    user_id: UserId
    session_id: UUID
    email: str
    display_name: str
    role: Literal["customer", "staff"]
    language: str
    customer: Customer | None
    """None for staff."""
    unread: int = 0
    """Notices not read yet; up to COPY_SECONDS old where nothing was heard of a change."""

    @property
    def is_staff(self) -> bool:
        return self.role == "staff"


@dataclass(frozen=True, slots=True)
class _Copy:
    person: Person
    seen_at: datetime
    expires_at: datetime
    read_at: float


class Sessions:
    """The sessions as one process sees them."""

    def __init__(self, portal: Portal, notices: Notices) -> None:
        self._portal = portal
        self._notices = notices
        self._idle = timedelta(minutes=portal.settings.identity.session_idle_minutes)
        self._copies: dict[bytes, _Copy] = {}
        self._heard = 0
        notices.on(CHANNEL, self._drop)
        notices.on_lost(lambda: self._drop(""))

    async def person(self, token: str, *, must_read: bool) -> Person | None:
        """Whose session this is; None for one that has ended. `must_read`: no copy will do, and none is left.

        An unsafe request may end the very session that it came with: this process then knows without the notice.
        """
        token_hash = hash_of(token)
        if must_read:
            self._copies.pop(token_hash, None)
        copy = self._kept(token_hash) or await self._read(token_hash, keep=not must_read)
        now = self._portal.clock.now()
        if copy is None or now >= copy.expires_at or now - copy.seen_at >= self._idle:
            return None
        if now - copy.seen_at >= SEEN_AGAIN:
            await self._seen(token_hash, copy, now)
        return copy.person

    def _kept(self, token_hash: bytes) -> _Copy | None:
        copy = self._copies.get(token_hash)
        return copy if copy and self._notices.healthy and time.monotonic() - copy.read_at < COPY_SECONDS else None

    async def _read(self, token_hash: bytes, *, keep: bool) -> _Copy | None:
        heard = self._heard
        async with self._portal.db.begin() as tx:
            row = (await tx.execute(SELECT, {"token_hash": token_hash})).first()
        person = _person(row)
        if person is None or row is None:
            return None
        copy = _Copy(person, row.seen_at, row.expires_at, time.monotonic())
        if keep and heard == self._heard:  # else it may have been revoked while we read
            self._keep(token_hash, copy)
        return copy

    def _keep(self, token_hash: bytes, copy: _Copy) -> None:
        if len(self._copies) >= MOST_COPIES:
            self._copies.clear()  # they live for seconds only
        self._copies[token_hash] = copy

    async def _seen(self, token_hash: bytes, copy: _Copy, now: datetime) -> None:
        try:
            async with self._portal.db.begin() as tx:
                await tx.execute(SEEN, {"token_hash": token_hash, "now": now})
        except DBAPIError as error:  # a database that only reads keeps serving
            log.warning("identity.session.not_written", error=type(error).__name__)
            return
        if token_hash in self._copies:
            self._copies[token_hash] = replace(copy, seen_at=now)

    def _drop(self, user_id: str) -> None:
        self._heard += 1
        if not user_id:
            self._copies.clear()
            return
        gone = [token_hash for token_hash, copy in self._copies.items() if str(copy.person.user_id) == user_id]
        for token_hash in gone:
            del self._copies[token_hash]


class SessionMiddleware(ASGIMiddleware):
    """Sets `scope["user"]` (request.user) to the Person or None. Wants `use_sessions` to have been called."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        scope["user"] = await _person_in(Request(scope)) if scope["type"] == ScopeType.HTTP else None
        await next_app(scope, receive, send)


async def know_visitor(exception: Exception, scope: Scope) -> None:
    """For `after_exception`: no middleware runs where no route is found, and that page has the customer's frame too.

    Only for reading: a refused cross-site request never learns who is signed in.
    """
    is_unrouted = isinstance(exception, HTTPException) and "route_handler" not in scope and "user" not in scope
    if not is_unrouted or scope["type"] != ScopeType.HTTP or scope["method"] not in _SAFE_METHODS:
        return
    try:
        scope["user"] = await _person_at(Request(scope))
    except (Busy, DBAPIError) as error:  # the page is there all the same
        log.warning("identity.session.not_read", error=type(error).__name__)


def use_sessions(state: State, portal: Portal, notices: Notices) -> None:
    """Makes `app.state.sessions`. Call it before `notices.start()`, and give SessionMiddleware to the app."""
    state.sessions = Sessions(portal, notices)


async def start_session(
    portal: Portal, tx: AsyncConnection, user_id: UUID, visitor: Visitor, *, replaces: str | None = None
) -> str:
    """Begins a session and answers its token, once; `replaces`, the token that the visitor came with, ends."""
    if replaces:
        await end_session(tx, replaces)
    token = secrets.token_urlsafe(32)
    now = portal.clock.now()
    values = {
        "token_hash": hash_of(token),
        "id": uuid4(),
        "user_id": user_id,
        "now": now,
        "expires_at": now + timedelta(hours=portal.settings.identity.session_absolute_hours),
        "user_agent": visitor.user_agent,
        "source": visitor.source,
    }
    await tx.execute(INSERT, values)
    return token


async def end_session(tx: AsyncConnection, token: str) -> UUID | None:
    """Ends this session, in every process at the commit; answers whose it was."""
    user_id: UUID | None = (await tx.execute(END, {"token_hash": hash_of(token)})).scalar()
    if user_id:
        await notify(tx, CHANNEL, str(user_id))
    return user_id


async def end_sessions_of(tx: AsyncConnection, user_id: UUID) -> None:
    """Ends all sessions of a person: password changed, account closed, "this was not me"."""
    await tx.execute(END_ALL, {"user_id": user_id})
    await notify(tx, CHANNEL, str(user_id))


async def end_one_session(tx: AsyncConnection, user_id: UUID, session_id: UUID) -> bool:
    """Ends this session of the person; False where they have none with that id."""
    ended = (await tx.execute(END_ONE, {"user_id": user_id, "id": session_id})).rowcount > 0
    if ended:
        await notify(tx, CHANNEL, str(user_id))
    return ended


async def end_other_sessions(tx: AsyncConnection, user_id: UUID, kept: UUID) -> int:
    """Ends all sessions of a person but this one; answers how many there were."""
    ended = (await tx.execute(END_OTHERS, {"user_id": user_id, "kept": kept})).rowcount
    await notify(tx, CHANNEL, str(user_id))
    return ended


async def person_changed(tx: AsyncConnection, user_id: UUID) -> None:
    """Call it in the transaction that changes a person's mapping, name, address or language: copies are dropped."""
    await notify(tx, CHANNEL, str(user_id))


def session_cookie(settings: Settings, token: str | None) -> Cookie:
    """The cookie that carries the token; None removes it."""
    return Cookie(
        key=cookie_name(settings),
        value=token or "",
        max_age=None if token else 0,
        path="/",
        httponly=True,
        secure=settings.portal.is_secure,
        samesite="lax",
    )


def cookie_name(settings: Settings) -> str:
    """Over plain http (loopback only) libraries would not send a Secure cookie back."""
    return "__Host-portico" if settings.portal.is_secure else "portico"


def token_of(settings: Settings, cookies: dict[str, str]) -> str | None:
    return cookies.get(cookie_name(settings)) or None


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@periodic("*/10 * * * * 0")
async def forget_sessions(timestamp: int) -> None:
    """Removes sessions that have ended by themselves."""
    the_portal = portal()
    now = the_portal.clock.now()
    idle = now - timedelta(minutes=the_portal.settings.identity.session_idle_minutes)
    async with the_portal.db.begin() as tx:
        await tx.execute(FORGET, {"now": now, "idle": idle})


async def _person_in(request: Request[Any, Any, Any]) -> Person | None:
    if request.route_handler.opt.get("access") in ("hook", "operations") or request.url.path.startswith("/static/"):
        return None
    return await _person_at(request)


async def _person_at(request: Request[Any, Any, Any]) -> Person | None:
    sessions: Sessions = request.app.state.sessions
    token = token_of(request.app.state.portal.settings, request.cookies)
    if token is None:
        return None
    return await sessions.person(token, must_read=request.method not in _SAFE_METHODS)


def _person(row: Any) -> Person | None:
    """None where there is no such session, or a customer's mapping is gone."""
    if row is None or (row.role == "customer" and row.whmcs_client_id is None):
        return None
    user_id = UserId(row.user_id)
    customer = None
    if row.role == "customer":
        customer = Customer(user_id, WhmcsClientId(row.whmcs_client_id), SfAccountId(row.sf_account_id))
    return Person(user_id, row.id, row.email, row.display_name, row.role, row.language, customer, row.unread)
