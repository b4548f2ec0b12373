"""Forgotten passwords: a mail to whoever has an account, and no sign to anybody whether there was one.

The request only stores the address and a job; whether it is known shows neither in the answer nor in its time. The
link is made when the mail is sent, so that its token is never stored.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text

from portico.errors import FieldFault, InputWrong, PorticoError
from portico.identity import fields, throttle
from portico.identity.audit import record
from portico.identity.password_links import new_password_link
from portico.identity.visitors import Visitor
from portico.portal import Portal
from portico.work import defer, job, periodic, portal

log = structlog.get_logger()

FIRST_LOOK_SECONDS = 30
LONGEST_WAIT = 600
"""Seconds between two tries at most, while the mail server is away."""
KEPT = timedelta(days=1)
"""Later nobody waits for the mail any more."""

INSERT = text("INSERT INTO password_mails (id, email, wake_at, created_at) VALUES (:id, :email, :wake_at, :now)")
ASKED = text("SELECT email, tries FROM password_mails WHERE id = :id")
USER = text("""
    SELECT u.id, u.email, u.display_name, u.language FROM users u LEFT JOIN mappings m ON m.user_id = u.id
    WHERE lower(u.email) = :email AND (u.role = 'staff' OR m.user_id IS NOT NULL)
""")
DONE = text("DELETE FROM password_mails WHERE id = :id")
LATER = text("UPDATE password_mails SET tries = tries + 1, wake_at = :wake_at WHERE id = :id")
DUE = text("UPDATE password_mails SET wake_at = :lease WHERE wake_at <= :now RETURNING id")
FORGET = text("DELETE FROM password_mails WHERE created_at < :before")


async def ask_for_password_mail(portal: Portal, email: str, visitor: Visitor) -> None:
    """Sees to it that the person with this address, if there is one, gets a link. Raises InputWrong, TooManyTries."""
    email = fields.normal_email(email)
    if not fields.EMAIL.fullmatch(email) or len(email) > 200:
        raise InputWrong(FieldFault("/email", fields.EMAIL_WRONG))
    now, mail_id = portal.clock.now(), uuid4()
    async with portal.db.begin() as tx:
        tries = throttle.forgotten_mails(portal.settings.identity, email, visitor.source)
        refusal = await throttle.count_before(tx, now, tries)
        if refusal is None:
            wake_at = now + timedelta(seconds=FIRST_LOOK_SECONDS)
            await tx.execute(INSERT, {"id": mail_id, "email": email, "wake_at": wake_at, "now": now})
            await defer(tx, send_password_mail, lock=f"password_mail:{mail_id}", mail_id=str(mail_id))
    if refusal:
        raise refusal


@job("mail")
async def send_password_mail(mail_id: str) -> None:
    await send(portal(), UUID(mail_id))


@periodic("* * * * * */10")
async def sweep_password_mails(timestamp: int) -> None:
    await sweep(portal())


async def send(portal: Portal, mail_id: UUID) -> None:
    """Makes the link and sends it; while the mail server is away, later. Nothing for an unknown address."""
    async with portal.db.begin() as tx:
        asked = (await tx.execute(ASKED, {"id": mail_id})).first()
        user = (await tx.execute(USER, {"email": asked.email})).first() if asked else None
    if asked is None:
        return
    try:
        if user:
            await _send_to(portal, mail_id, user.id, user.email, user.display_name, user.language)
    except PorticoError as error:
        log.warning("identity.password_mail.waits", mail=str(mail_id), error=error.code)
        wait = timedelta(seconds=min(10 * 2.0 ** min(asked.tries, 10), LONGEST_WAIT))
        async with portal.db.begin() as tx:
            await tx.execute(LATER, {"id": mail_id, "wake_at": portal.clock.now() + wait})
        return
    async with portal.db.begin() as tx:
        await tx.execute(DONE, {"id": mail_id})
        if user:
            now, person = portal.clock.now(), str(user.id)
            await record(tx, now, actor="visitor", action="password.link_sent", object=person)


async def sweep(portal: Portal) -> int:
    """Gives every mail that waits for nothing a job; removes what nobody waits for any more."""
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        await tx.execute(FORGET, {"before": now - KEPT})
        due = list((await tx.execute(DUE, {"now": now, "lease": now + timedelta(seconds=60)})).scalars())
        for mail_id in due:
            await defer(tx, send_password_mail, lock=f"password_mail:{mail_id}", mail_id=str(mail_id))
    return len(due)


async def _send_to(portal: Portal, mail_id: UUID, user_id: UUID, email: str, name: str, language: str) -> None:
    """To the address that we hold, never to the one that was typed: they may differ in what looks alike."""
    async with portal.db.begin() as tx:
        made = await new_password_link(portal, tx, user_id, "forgotten")
    url = f"{portal.settings.portal.url}/password/new?token={made.token}"
    minutes = portal.settings.identity.password_link_minutes
    words = {"name": name, "link": url, "minutes": minutes}
    subject, body = portal.mail.words("identity/password_forgotten.txt", language, **words)
    await portal.mail.send(f"password_mail:{mail_id}", email, subject, body, language=language)
