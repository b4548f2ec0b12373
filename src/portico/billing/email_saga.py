"""From the right code to the new address everywhere: asked → proven → client → login → done.

The row is the truth and says what has been done, jobs are disposable: whatever dies, the sweep finds the row. WHMCS is
written first (the client, then its login); where the second or our own write is refused, the first is set back. Every
write says what the end is to be, so that it may be sent again after an answer was lost.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.billing.email_changes import WRONG_CODES, EmailChange, State, as_change, change_of, hash_of
from portico.billing.refusals import EmailCodeExpired, ProfileRefused
from portico.cache import drop_for
from portico.customer import Customer, WhmcsUserId
from portico.errors import EmailTaken, FieldFault, InputWrong, Refusal, SystemDown, SystemRefused, Trouble
from portico.i18n import _m
from portico.identity.audit import record
from portico.identity.mapping import customer_of
from portico.identity.password_links import withdraw_password_links
from portico.identity.sessions import person_changed
from portico.portal import Portal
from portico.post import post
from portico.systems.whmcs.clients import Client, ClientChange, get_clients_details, update_client
from portico.systems.whmcs.users import get_users, update_user
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

CODE_WRONG = _m("This code is not right. Look at the newest mail from us.")
CODE_FORM = _m("Enter the 6 digits from our mail.")
HEAD_START_SECONDS = 6
"""The request that brought the code goes first; the job is for the case that it dies."""
LONGEST_WAIT_SECONDS = 300
KEPT = timedelta(days=30)

# Locks the row: of ten tries at once only five are looked at.
TRY = text("""
    UPDATE email_changes SET wrong_codes = wrong_codes + 1
    WHERE user_id = :user_id AND state = 'asked' AND expires_at > :now AND wrong_codes < :most
    RETURNING *
""")
PROVE = text("""
    UPDATE email_changes SET state = 'proven', code_hash = '', wake_at = :now, updated_at = :now
    WHERE id = :id AND state = 'asked' RETURNING *
""")
CLAIM = text("""
    UPDATE email_changes SET claim = claim + 1, claimed_until = :until
    WHERE id = :id AND state NOT IN ('asked', 'done', 'refused', 'parked')
      AND (claimed_until IS NULL OR claimed_until <= :now)
    RETURNING *
""")
MOVE = text("""
    UPDATE email_changes SET state = :state, reason = coalesce(:reason, reason), updated_at = :now
    WHERE id = :id AND claim = :claim RETURNING *
""")
REMEMBER = text("""
    UPDATE email_changes SET client_email = :client_email, login_id = :login_id, updated_at = :now
    WHERE id = :id AND claim = :claim RETURNING *
""")
LET_GO = text("""
    UPDATE email_changes SET claimed_until = NULL, wake_at = :wake_at, tries = tries + 1
    WHERE id = :id AND claim = :claim
""")
RENAME = text("UPDATE users SET email = :email WHERE id = :user_id")
DUE = text("""
    UPDATE email_changes SET wake_at = :later
    WHERE state NOT IN ('asked', 'done', 'refused', 'parked') AND wake_at <= :now
      AND (claimed_until IS NULL OR claimed_until <= :now)
    RETURNING id
""")
FORGET = text("""
    DELETE FROM email_changes WHERE (state IN ('done', 'refused') AND updated_at < :before)
        OR (state = 'asked' AND expires_at < :before)
""")


class LostClaim(Exception):
    """Somebody else carries this change on."""


async def prove_email(portal: Portal, customer: Customer, typed: str) -> EmailChange:
    """Takes the code, and carries the change on at once. Answers it `done`, or still running: then a mail follows.

    Raises InputWrong (code), EmailCodeExpired (too late, too often, never asked), EmailTaken.
    """
    code = _digits(typed)
    async with portal.db.begin() as tx:
        values = {"user_id": customer.user_id, "now": portal.clock.now(), "most": WRONG_CODES}
        row = (await tx.execute(TRY, values)).mappings().first()
    if row is None:
        raise EmailCodeExpired()
    change = as_change(row)
    if not hmac.compare_digest(hash_of(change.id, code), bytes(change.code_hash)):
        if change.wrong_codes >= WRONG_CODES:
            raise EmailCodeExpired("wrong too often")
        raise InputWrong(FieldFault("/code", CODE_WRONG))
    await _prove(portal, change)
    change = await carry_on(portal, change.id, watched=True)
    if change.state == "refused":
        raise _refusal_of(change)
    return change


async def carry_on(portal: Portal, change_id: UUID, *, watched: bool = False) -> EmailChange:
    """Goes as far as it can, and answers where the change stands. `watched`: its person sees how it ends.

    Raises nothing for a system that is away: the sweep comes back to it.
    """
    now = portal.clock.now()
    until = now + timedelta(seconds=portal.settings.creation.lease_seconds)
    async with portal.db.begin() as tx:
        row = (await tx.execute(CLAIM, {"id": change_id, "now": now, "until": until})).mappings().first()
        if row is None:
            return await change_of(tx, change_id)
    change = as_change(row)
    try:
        while step := _STEPS.get(change.state):
            change = await step(portal, change, watched)
    except LostClaim:
        log.warning("billing.email_change.overtaken", change=str(change_id))
    except Trouble as trouble:
        log.warning("billing.email_change.waits", change=str(change_id), state=change.state, code=trouble.code)
        if isinstance(trouble, SystemRefused):
            change = await _park(portal, change, trouble.vendor_code)
    except Refusal as refusal:  # the old address can't be set back: somebody must look
        change = await _park(portal, change, refusal.code)
    await _let_go(portal, change)
    return change


@job("house")
async def continue_email_change(change_id: str) -> None:
    await carry_on(portal(), UUID(change_id))


@periodic("* * * * * */10")
async def sweep_email_changes(timestamp: int) -> None:
    await sweep(portal())


async def sweep(portal: Portal) -> int:
    """Gives a job to every change that waits for nothing, removes old rows; answers how many were found."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        due = list((await tx.execute(DUE, {"now": now, "later": now + timedelta(seconds=60)})).scalars())
        for change_id in due:
            await defer(tx, continue_email_change, change_id=str(change_id))
        await tx.execute(FORGET, {"before": now - KEPT})
    return len(due)


async def _prove(portal: Portal, change: EmailChange) -> None:
    """The old address is told before anything is changed."""
    now, actor = portal.clock.now(), str(change.user_id)
    try:
        async with portal.db.begin() as tx:
            if (await tx.execute(PROVE, {"id": change.id, "now": now})).first() is None:
                raise EmailCodeExpired("another tab was faster")
            await _write_mail(portal, tx, change, "email_changing", change.old_email)
            change_id = str(change.id)
            await defer(tx, continue_email_change, in_seconds=HEAD_START_SECONDS, change_id=change_id)
            await record(tx, now, actor=actor, action="email_change.proven", object=actor, change=change_id)
    except IntegrityError:  # somebody else is just being given this address
        raise EmailTaken("another change") from None


async def _change_client(portal: Portal, change: EmailChange, watched: bool) -> EmailChange:
    customer = await _customer(portal, change)
    if change.client_email is None:
        client = await get_clients_details(portal.whmcs, customer.whmcs_client_id)
        change = await _remember(portal, change, client.email, await _login_of(portal, client))
    try:
        await _set_client(portal, customer, change.new_email)
    except EmailTaken:
        return await _end(portal, change, "refused", watched, reason=EmailTaken.code)
    except SystemRefused as refused:
        return await _end(portal, change, "refused", watched, reason=refused.vendor_code)
    return await _move(portal, change, "client")


async def _change_login(portal: Portal, change: EmailChange, watched: bool) -> EmailChange:
    try:
        await _set_login(portal, change, change.new_email)
    except EmailTaken:
        return await _move(portal, change, "undo_client", EmailTaken.code)
    except SystemRefused as refused:
        return await _move(portal, change, "undo_client", refused.vendor_code)
    return await _move(portal, change, "login")


async def _change_user(portal: Portal, change: EmailChange, watched: bool) -> EmailChange:
    try:
        return await _end(portal, change, "done", watched)
    except IntegrityError:  # somebody signed up with it since
        return await _move(portal, change, "undo_login", EmailTaken.code)


async def _undo_login(portal: Portal, change: EmailChange, watched: bool) -> EmailChange:
    await _set_login(portal, change, change.client_email or change.old_email)
    return await _move(portal, change, "undo_client")


async def _undo_client(portal: Portal, change: EmailChange, watched: bool) -> EmailChange:
    await _set_client(portal, await _customer(portal, change), change.client_email or change.old_email)
    return await _end(portal, change, "refused", watched)


async def _login_of(portal: Portal, client: Client) -> WhmcsUserId | None:
    """The login that has the same address as the client. One with another belongs to more than this: it stays."""
    owner = client.owner_user_id
    if owner is None or client.owner_email:
        return owner if client.owner_email.lower() == client.email.lower() else None
    # Not every version says the owner's address.
    return owner if any(user.id == owner for user in await get_users(portal.whmcs, client.email)) else None


_Step = Callable[[Portal, EmailChange, bool], Awaitable[EmailChange]]
_STEPS: dict[State, _Step] = {
    "proven": _change_client,
    "client": _change_login,
    "login": _change_user,
    "undo_login": _undo_login,
    "undo_client": _undo_client,
}
"""What is done next, by what has been done. A step writes its own outcome."""


async def _set_client(portal: Portal, customer: Customer, email: str) -> None:
    await drop_for(portal, customer, "own:profile")
    try:
        await update_client(portal.whmcs, customer.whmcs_client_id, ClientChange(email=email))
    finally:
        await drop_for(portal, customer, "own:profile")


async def _set_login(portal: Portal, change: EmailChange, email: str) -> None:
    if change.login_id is not None:
        await update_user(portal.whmcs, WhmcsUserId(change.login_id), email=email)


async def _end(
    portal: Portal, change: EmailChange, state: State, watched: bool, *, reason: str | None = None
) -> EmailChange:
    """Done or refused, with whom it concerns told. Raises IntegrityError where our own users have the address."""
    actor = str(change.user_id)
    async with portal.db.begin() as tx:
        change = await _moved(portal, tx, change, state, reason)
        if state == "done":
            await tx.execute(RENAME, {"email": change.new_email, "user_id": change.user_id})
            await person_changed(tx, change.user_id)
            await withdraw_password_links(tx, change.user_id)  # one may lie in the old mailbox
        if state == "refused":
            await _write_mail(portal, tx, change, "email_not_changed", change.old_email)
        elif not watched:
            await _write_mail(portal, tx, change, "email_changed", change.new_email)
        facts = {"change": str(change.id), "reason": change.reason}
        await record(tx, portal.clock.now(), actor=actor, action=f"email_change.{state}", object=actor, **facts)
    log.info("billing.email_change.ended", change=str(change.id), state=state, reason=change.reason)
    return change


async def _move(portal: Portal, change: EmailChange, state: State, reason: str | None = None) -> EmailChange:
    async with portal.db.begin() as tx:
        return await _moved(portal, tx, change, state, reason)


async def _moved(
    portal: Portal, tx: AsyncConnection, change: EmailChange, state: State, reason: str | None
) -> EmailChange:
    values = {"id": change.id, "claim": change.claim, "state": state, "reason": reason, "now": portal.clock.now()}
    row = (await tx.execute(MOVE, values)).mappings().first()
    if row is None:
        raise LostClaim
    return as_change(row)


async def _remember(portal: Portal, change: EmailChange, client_email: str, login_id: int | None) -> EmailChange:
    values = {"id": change.id, "claim": change.claim, "client_email": client_email, "login_id": login_id}
    async with portal.db.begin() as tx:
        row = (await tx.execute(REMEMBER, {**values, "now": portal.clock.now()})).mappings().first()
    if row is None:
        raise LostClaim
    return as_change(row)


async def _park(portal: Portal, change: EmailChange, reason: str) -> EmailChange:
    log.error("billing.email_change.parked", change=str(change.id), state=change.state, reason=reason)
    return await _move(portal, change, "parked", reason)


async def _let_go(portal: Portal, change: EmailChange) -> None:
    """Soon again at first, then less often."""
    wait = timedelta(seconds=min(5 * 2.0 ** min(change.tries, 10), LONGEST_WAIT_SECONDS))
    values = {"id": change.id, "claim": change.claim, "wake_at": portal.clock.now() + wait}
    async with portal.db.begin() as tx:
        await tx.execute(LET_GO, values)


async def _customer(portal: Portal, change: EmailChange) -> Customer:
    async with portal.db.begin() as tx:
        customer = await customer_of(tx, change.user_id)
    if customer is None:
        raise SystemDown("mapping", "the person has no billing account at present", sent=False)
    return customer


async def _write_mail(portal: Portal, tx: AsyncConnection, change: EmailChange, name: str, to: str) -> None:
    key, template = f"{name}:{change.id}", f"billing/{name}.txt"
    values = {"old_email": change.old_email, "new_email": change.new_email}
    await post(portal, tx, key=key, to=to, template=template, language=change.language, **values)


def _refusal_of(change: EmailChange) -> Refusal:
    return EmailTaken("whmcs") if change.reason == EmailTaken.code else ProfileRefused(change.reason or "")


def _digits(typed: str) -> str:
    code = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", typed))
    if not re.fullmatch(r"[0-9]{6}", code):
        raise InputWrong(FieldFault("/code", CODE_FORM))
    return code
