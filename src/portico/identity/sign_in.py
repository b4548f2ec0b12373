"""Signing in and out. Whether an address has an account shows neither in the answer nor in the time it takes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.errors import FieldFault, InputWrong, SignInWrong
from portico.i18n import _m
from portico.identity import throttle
from portico.identity.audit import record
from portico.identity.fields import normal_email
from portico.identity.passwords import hashed, is_outdated, is_right
from portico.identity.sessions import end_session, start_session
from portico.identity.visitors import Visitor
from portico.portal import Portal

EMAIL_MISSING = _m("Enter your e-mail address.")
PASSWORD_MISSING = _m("Enter your password.")

ACCOUNT = text("""
    SELECT u.id, u.password_hash, u.role, u.role = 'staff' OR m.user_id IS NOT NULL AS may_enter
    FROM users u LEFT JOIN mappings m ON m.user_id = u.id WHERE lower(u.email) = :email
""")
REHASH = text("UPDATE users SET password_hash = :new WHERE id = :id AND password_hash = :old")


@dataclass(frozen=True)
class SignedIn:
    user_id: UUID
    is_staff: bool
    token: str


@dataclass(frozen=True)
class _Account:
    id: UUID
    password_hash: str | None
    is_staff: bool


async def sign_in(portal: Portal, email: str, password: str, visitor: Visitor, *, replaces: str | None) -> SignedIn:
    """A new session, in place of the one (`replaces`, a token) that the visitor came with.

    Raises InputWrong for an empty field, SignInWrong, TooManyTries, Busy.
    """
    _check(email, password)
    email = normal_email(email)
    tries = throttle.sign_in_tries(portal.settings.identity, email, visitor.source)
    async with portal.db.begin() as tx:
        refusal = await throttle.refusal_of(tx, portal.clock.now(), tries)
        account = None if refusal else await _account(tx, email)
    if refusal:
        raise refusal
    right = await is_right(password, account.password_hash if account else None)
    if not right or account is None:
        async with portal.db.begin() as tx:
            refusal = await throttle.count_wrong(tx, portal.clock.now(), tries)
        raise refusal or SignInWrong()
    await _renew_hash(portal, account, password)
    return await _enter(portal, account, tries, visitor, replaces)


async def sign_out(portal: Portal, token: str) -> None:
    """Ends the session of this token, in all processes; nothing where there is none."""
    async with portal.db.begin() as tx:
        user_id = await end_session(tx, token)
        if user_id:
            await record(tx, portal.clock.now(), actor=str(user_id), action="sign_out", object=str(user_id))


def _check(email: str, password: str) -> None:
    faults = []
    if not email.strip():
        faults.append(FieldFault("/email", EMAIL_MISSING))
    if not password:
        faults.append(FieldFault("/password", PASSWORD_MISSING))
    if faults:
        raise InputWrong(*faults)


async def _account(tx: AsyncConnection, email: str) -> _Account | None:
    """None also for a person without mapping: there is nothing behind that door."""
    row = (await tx.execute(ACCOUNT, {"email": email})).first()
    return _Account(row.id, row.password_hash, row.role == "staff") if row and row.may_enter else None


async def _enter(
    portal: Portal, account: _Account, tries: list[throttle.Bucket], visitor: Visitor, replaces: str | None
) -> SignedIn:
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        # Again: meanwhile the limit may have been reached by others of the same burst.
        refusal = await throttle.refusal_of(tx, now, tries)
        if refusal:
            raise refusal
        token = await start_session(portal, tx, account.id, visitor, replaces=replaces)
        await record(tx, now, actor=str(account.id), action="sign_in.succeeded", object=str(account.id))
    return SignedIn(account.id, account.is_staff, token)


async def _renew_hash(portal: Portal, account: _Account, password: str) -> None:
    """After our costs were raised, the password's hash follows at the next sign-in."""
    if account.password_hash is None or not is_outdated(account.password_hash):
        return
    new = await hashed(password)
    async with portal.db.begin() as tx:
        await tx.execute(REHASH, {"new": new, "old": account.password_hash, "id": account.id})
