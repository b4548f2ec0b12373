"""Links to choose a password: 256 random bits, used once, good for half an hour; only their SHA-256 is stored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.errors import FieldFault, InputWrong, PasswordLinkWrong
from portico.i18n import _m
from portico.identity.audit import record
from portico.identity.passwords import hashed, password_fault
from portico.identity.sessions import end_sessions_of, hash_of, start_session
from portico.identity.visitors import Visitor
from portico.portal import Portal
from portico.post import post

Purpose = Literal["linked", "forgotten"]

PASSWORD_MISSING = _m("Choose a password.")

INSERT = text("""
    INSERT INTO password_links (token_hash, user_id, purpose, created_at, expires_at)
    VALUES (:token_hash, :user_id, :purpose, :now, :expires_at)
""")
SELECT = text("""
    SELECT l.user_id, l.purpose, u.email, u.display_name, u.language, u.role, u.password_hash IS NULL AS is_first
    FROM password_links l JOIN users u ON u.id = l.user_id
    WHERE l.token_hash = :token_hash AND l.expires_at > :now
""")
HOLD = text("SELECT 1 FROM users WHERE id = :user_id FOR NO KEY UPDATE")
USE = text("DELETE FROM password_links WHERE token_hash = :token_hash AND expires_at > :now RETURNING user_id")
WITHDRAW = text("DELETE FROM password_links WHERE user_id = :user_id")
FORGET = text("DELETE FROM password_links WHERE expires_at <= :now")
SET = text("UPDATE users SET password_hash = :password_hash WHERE id = :user_id")


@dataclass(frozen=True)
class PasswordLink:
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class LinkHolder:
    """Whose link it is."""

    user_id: UUID
    purpose: Purpose
    email: str
    display_name: str
    language: str
    role: Literal["customer", "staff"]
    is_first: bool
    """The person has no password yet."""


@dataclass(frozen=True)
class PasswordSet:
    user_id: UUID
    email: str
    is_staff: bool
    is_first: bool
    token: str = field(repr=False)
    """Of the session that has begun."""


async def new_password_link(portal: Portal, tx: AsyncConnection, user_id: UUID, purpose: Purpose) -> PasswordLink:
    """A link for this person; its token is known to the caller only."""
    now = portal.clock.now()
    expires_at = now + timedelta(minutes=portal.settings.identity.password_link_minutes)
    token = secrets.token_urlsafe(32)
    values = {"token_hash": hash_of(token), "user_id": user_id, "purpose": purpose, "now": now}
    await tx.execute(INSERT, {**values, "expires_at": expires_at})
    return PasswordLink(token, expires_at)


async def holder_of(portal: Portal, token: str) -> LinkHolder:
    """Whose link this is; it can still be used afterwards. Raises PasswordLinkWrong."""
    async with portal.db.begin() as tx:
        row = (await tx.execute(SELECT, {"token_hash": hash_of(token), "now": portal.clock.now()})).mappings().first()
    if row is None:
        raise PasswordLinkWrong()
    return LinkHolder(**row)


async def set_password(portal: Portal, token: str, new: str, visitor: Visitor, *, replaces: str | None) -> PasswordSet:
    """Uses the link up: the person has this password, one new session and no other.

    Raises PasswordLinkWrong; InputWrong (the link can still be used); Busy.
    """
    holder = await holder_of(portal, token)
    check_password(portal, new, holder.email, holder.display_name)
    password_hash = await hashed(new)
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        await tx.execute(HOLD, {"user_id": holder.user_id})  # else two links of one person wait for each other
        if (await tx.execute(USE, {"token_hash": hash_of(token), "now": now})).scalar() is None:
            raise PasswordLinkWrong()
        await tx.execute(SET, {"user_id": holder.user_id, "password_hash": password_hash})
        await withdraw_password_links(tx, holder.user_id)
        await end_sessions_of(tx, holder.user_id)
        session = await start_session(portal, tx, holder.user_id, visitor, replaces=replaces)
        await _tell(portal, tx, holder, hash_of(token))
        actor = str(holder.user_id)
        await record(tx, now, actor=actor, action="password.set", object=actor, by=holder.purpose)
    return PasswordSet(holder.user_id, holder.email, holder.role == "staff", holder.is_first, session)


async def withdraw_password_links(tx: AsyncConnection, user_id: UUID) -> None:
    """No link sent so far can be used any more: password or e-mail address changed."""
    await tx.execute(WITHDRAW, {"user_id": user_id})


async def forget_links(tx: AsyncConnection, now: datetime) -> None:
    """Removes links that are too old."""
    await tx.execute(FORGET, {"now": now})


def check_password(portal: Portal, new: str, email: str, *names: str) -> None:
    """Raises InputWrong at `/new_password` where it is not fit."""
    own_words = (email, email.partition("@")[0], *names, *(part for name in names for part in name.split()))
    least = portal.settings.identity.password_min_length
    fault = password_fault(new, least, own_words) if new else PASSWORD_MISSING
    if fault:
        raise InputWrong(FieldFault("/new_password", fault))


async def _tell(portal: Portal, tx: AsyncConnection, holder: LinkHolder, occasion: bytes) -> None:
    """A first password is the end of linking; any other may be news to its owner."""
    key = f"welcome:{holder.user_id}" if holder.is_first else f"password_changed:{occasion.hex()[:32]}"
    await post(
        portal,
        tx,
        key=key,
        to=holder.email,
        template="identity/welcome.txt" if holder.is_first else "identity/password_changed.txt",
        language=holder.language,
        name=holder.display_name,
    )
