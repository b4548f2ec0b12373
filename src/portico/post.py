"""The post: a mail and the job that sends it, in the transaction that caused both."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from portico import mail
from portico.portal import Portal
from portico.work import defer, job, periodic, portal

FIRST_PAUSE = timedelta(seconds=30)
OFTEN = timedelta(minutes=15)
SELDOM = timedelta(days=3)


async def post(
    portal: Portal, tx: AsyncConnection, *, key: str, to: str, template: str, language: str, **values: Any
) -> None:
    """Writes a mail and defers its sending. `key` names the occasion: a second mail with it is not written.

    `template` is the path of a text template (`identity/welcome.txt`); its first line is the subject.
    """
    now = portal.clock.now()
    await portal.mail.write(tx, now, key=key, to=to, template=template, language=language, **values)
    await defer(tx, send_mail, lock=f"mail:{key}", key=key)


@job("mail")
async def send_mail(key: str) -> None:
    await _send(portal(), key)


@periodic("* * * * * */30")
async def resend_mails(timestamp: int) -> None:
    """What could not be sent is tried again: soon at first, then every ten minutes, for three days."""
    is_tenth_minute = timestamp // 30 % 20 == 0
    await resend(portal(), SELDOM if is_tenth_minute else OFTEN)


async def resend(portal: Portal, not_older: timedelta) -> None:
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        for key in await mail.unsent_keys(tx, now - not_older, now - FIRST_PAUSE):
            await defer(tx, send_mail, lock=f"mail:{key}", key=key)


async def _send(portal: Portal, key: str) -> None:
    async with portal.db.begin() as tx:
        letter = await mail.unsent(tx, key)
    if letter is None:
        return
    await portal.mail.send(key, letter["recipient"], letter["subject"], letter["body"], language=letter["language"])
    async with portal.db.begin() as tx:
        await mail.sent(tx, key, portal.clock.now())
