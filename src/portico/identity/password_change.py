"""Changing a password that one knows."""

from __future__ import annotations

from sqlalchemy import text

from portico.errors import FieldFault, InputWrong
from portico.i18n import _m
from portico.identity import throttle
from portico.identity.audit import record
from portico.identity.password_links import check_password, withdraw_password_links
from portico.identity.passwords import hashed, is_right
from portico.identity.sessions import Person, end_sessions_of, start_session
from portico.identity.visitors import Visitor
from portico.portal import Portal
from portico.post import post

CURRENT_WRONG = _m("This is not your current password.")

CURRENT = text("SELECT password_hash FROM users WHERE id = :user_id")
CHANGE = text("UPDATE users SET password_hash = :new WHERE id = :user_id AND password_hash = :old")


async def change_password(portal: Portal, person: Person, current: str, new: str, visitor: Visitor) -> str:
    """The token of the one session that there is from now on.

    Raises InputWrong, TooManyTries (a stolen session must not serve to guess), Busy.
    """
    tries = throttle.sign_in_tries(portal.settings.identity, person.email, visitor.source)
    async with portal.db.begin() as tx:
        refusal = await throttle.refusal_of(tx, portal.clock.now(), tries)
        old = (await tx.execute(CURRENT, {"user_id": person.user_id})).scalar()
    if refusal:
        raise refusal
    if not await is_right(current, old):
        raise await _wrong(portal, tries)
    check_password(portal, new, person.email, person.display_name)
    return await _change(portal, person, old, await hashed(new), visitor, tries)


async def _wrong(portal: Portal, tries: list[throttle.Bucket]) -> Exception:
    async with portal.db.begin() as tx:
        refusal = await throttle.count_wrong(tx, portal.clock.now(), tries)
    return refusal or InputWrong(FieldFault("/current_password", CURRENT_WRONG))


async def _change(
    portal: Portal, person: Person, old: object, new: str, visitor: Visitor, tries: list[throttle.Bucket]
) -> str:
    now, actor = portal.clock.now(), str(person.user_id)
    async with portal.db.begin() as tx:
        refusal = await throttle.refusal_of(tx, now, tries)  # others of the same burst may have reached the limit
        if refusal:
            raise refusal
        if (await tx.execute(CHANGE, {"new": new, "old": old, "user_id": person.user_id})).rowcount == 0:
            raise InputWrong(FieldFault("/current_password", CURRENT_WRONG))  # changed meanwhile
        await withdraw_password_links(tx, person.user_id)
        await end_sessions_of(tx, person.user_id)
        token = await start_session(portal, tx, person.user_id, visitor)
        await post(
            portal,
            tx,
            key=f"password_changed:{person.user_id}:{now.timestamp()}",
            to=person.email,
            template="identity/password_changed.txt",
            language=person.language,
            name=person.display_name,
        )
        await record(tx, now, actor=actor, action="password.changed", object=actor)
    return token
