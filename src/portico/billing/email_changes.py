"""A new e-mail address: a code is sent to it, and whoever enters it has proved that it is theirs.

This is the asking; email_saga.py takes the code and carries the row on.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.billing.refusals import EmailChangeRunning, NotSaved
from portico.customer import Customer
from portico.errors import (
    EmailTaken,
    FieldFault,
    InputWrong,
    Trouble,
)
from portico.i18n import _m
from portico.identity.contacts import contact_of
from portico.identity.fields import EMAIL, EMAIL_WRONG, normal_email
from portico.identity.throttle import Bucket, count_before
from portico.portal import Portal
from portico.post import post
from portico.systems.whmcs.clients import find_client_by_email, get_clients_details
from portico.systems.whmcs.users import get_users

State = Literal["asked", "proven", "client", "login", "undo_login", "undo_client", "done", "refused", "parked"]

CODE_LIFE = timedelta(minutes=15)
WRONG_CODES = 5
"""As many wrong ones end a code."""
CODES_AN_HOUR = 5
_LONGEST = 200

SAME_ADDRESS = _m("This is your address already. Enter another one.")
TOO_MANY_CODES = _m("We have sent several codes already. Please wait %(minutes)d minutes and try again.")

SELECT = "SELECT * FROM email_changes WHERE "
BY_ID = text(SELECT + "id = :id")
OPEN = text(SELECT + "user_id = :user_id AND state NOT IN ('done', 'refused') ORDER BY created_at DESC LIMIT 1")
REPLACE = text("DELETE FROM email_changes WHERE user_id = :user_id AND state = 'asked'")
TAKEN = text("SELECT 1 FROM users WHERE lower(email) = :email AND id <> :user_id")
INSERT = text("""
    INSERT INTO email_changes (id, user_id, old_email, new_email, code_hash, expires_at, state, wake_at, language,
        created_at, updated_at)
    VALUES (:id, :user_id, :old_email, :new_email, :code_hash, :expires_at, 'asked', :now, :language, :now, :now)
""")


@dataclass(frozen=True)
class EmailChange:
    id: UUID
    user_id: UUID
    old_email: str
    new_email: str
    code_hash: bytes
    wrong_codes: int
    expires_at: datetime
    state: State
    reason: str | None
    client_email: str | None
    login_id: int | None
    tries: int
    claim: int
    language: str

    @property
    def is_running(self) -> bool:
        return self.state not in ("asked", "done", "refused")

    def takes_codes(self, now: datetime) -> bool:
        return self.state == "asked" and now < self.expires_at and self.wrong_codes < WRONG_CODES


async def ask_for_email(portal: Portal, customer: Customer, typed: str, language: str) -> EmailChange:
    """Sends a code to the new address; an earlier code is void. A second call sends another one.

    Raises InputWrong, TooManyTries, EmailTaken, EmailChangeRunning; NotSaved while WHMCS can't say whether it is free.
    """
    new = _checked(typed)
    old = await _admitted(portal, customer, new)
    try:
        await _refuse_taken_at_whmcs(portal, customer, new)
    except Trouble as trouble:
        raise NotSaved(str(trouble)) from trouble
    code, change_id = f"{secrets.randbelow(10**6):06d}", uuid4()
    now = portal.clock.now()
    values = {
        "id": change_id,
        "user_id": customer.user_id,
        "old_email": old,
        "new_email": new,
        "code_hash": hash_of(change_id, code),
        "expires_at": now + CODE_LIFE,
        "language": language,
        "now": now,
    }
    try:
        async with portal.db.begin() as tx:
            await tx.execute(REPLACE, {"user_id": customer.user_id})
            await tx.execute(INSERT, values)
            await _send_code(portal, tx, change_id, new, language, code)
            return await change_of(tx, change_id)
    except IntegrityError:  # another tab was faster, and further
        raise EmailChangeRunning() from None


async def open_change(portal: Portal, customer: Customer) -> EmailChange | None:
    """A change whose code can still be entered, or that is on its way."""
    async with portal.db.begin() as tx:
        row = (await tx.execute(OPEN, {"user_id": customer.user_id})).mappings().first()
    change = as_change(row) if row else None
    return change if change and (change.is_running or change.takes_codes(portal.clock.now())) else None


async def change_of(tx: AsyncConnection, change_id: UUID) -> EmailChange:
    return as_change((await tx.execute(BY_ID, {"id": change_id})).mappings().one())


def as_change(row: Any) -> EmailChange:
    return EmailChange(**{name: row[name] for name in EmailChange.__dataclass_fields__})


def _checked(typed: str) -> str:
    new = normal_email(typed)
    if not EMAIL.fullmatch(new) or len(new) > _LONGEST:
        raise InputWrong(FieldFault("/email", EMAIL_WRONG))
    return new


async def _admitted(portal: Portal, customer: Customer, new: str) -> str:
    """Counts this code before it is sent; answers the address until now."""
    now = portal.clock.now()
    window = timedelta(hours=1)
    buckets = [
        Bucket("email_code_user", str(customer.user_id), CODES_AN_HOUR, window, TOO_MANY_CODES),
        Bucket("email_code_to", new, CODES_AN_HOUR, window, TOO_MANY_CODES),
    ]
    async with portal.db.begin() as tx:
        contact = await contact_of(tx, customer.user_id)
        old = contact.email if contact else ""
        if old.lower() == new:
            raise InputWrong(FieldFault("/email", SAME_ADDRESS))
        row = (await tx.execute(OPEN, {"user_id": customer.user_id})).mappings().first()
        if row and as_change(row).is_running:
            raise EmailChangeRunning()
        refusal = await count_before(tx, now, buckets)
        is_taken = (await tx.execute(TAKEN, {"email": new, "user_id": customer.user_id})).first() is not None
    if refusal:
        raise refusal
    if is_taken:
        raise EmailTaken("portal")
    return old


async def _refuse_taken_at_whmcs(portal: Portal, customer: Customer, new: str) -> None:
    """Said before a mail goes out; WHMCS itself refuses it later all the same."""
    own, client, users = await asyncio.gather(
        get_clients_details(portal.whmcs, customer.whmcs_client_id),
        find_client_by_email(portal.whmcs, new),
        get_users(portal.whmcs, new),
    )
    if (client and client.id != own.id) or any(user.id != own.owner_user_id for user in users):
        raise EmailTaken("whmcs")


async def _send_code(portal: Portal, tx: AsyncConnection, change_id: UUID, to: str, language: str, code: str) -> None:
    minutes = int(CODE_LIFE.total_seconds() // 60)
    await post(
        portal,
        tx,
        key=f"email_code:{change_id}",
        to=to,
        template="billing/email_code.txt",
        language=language,
        code=code,
        minutes=minutes,
    )


def hash_of(change_id: UUID, code: str) -> bytes:
    return hashlib.sha256(f"{change_id}:{code}".encode()).digest()
