"""Where somebody is signed in, in words that they know their devices by; and ending it there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from portico.errors import NotFound
from portico.i18n import Message, _m
from portico.identity.audit import record
from portico.identity.sessions import Person, end_one_session, end_other_sessions
from portico.portal import Portal

BROWSER_ON = _m("%(browser)s on %(system)s")
UNKNOWN = _m("Unknown device")

# The first that fits: each of these claims to be some of those below it.
BROWSERS = (
    ("Edge", r"\bEdg(?:e|A|iOS)?/"),
    ("Opera", r"\b(?:OPR|OPiOS)/"),
    ("Samsung Internet", r"\bSamsungBrowser/"),
    ("LINE", r"\bLine/"),
    ("Firefox", r"\b(?:Firefox|FxiOS)/"),
    ("Chrome", r"\b(?:Chrome|CriOS)/"),
    ("Safari", r"\bVersion/[\d.]+ .*Safari/"),
)
SYSTEMS = (
    ("iPhone", r"\biPhone\b"),
    ("iPad", r"\biPad\b"),
    ("Android", r"\bAndroid\b"),
    ("Windows", r"\bWindows\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Mac", r"\bMacintosh\b"),
    ("Linux", r"\bLinux\b"),
)
PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,30}(?=/)")

ALL = text("""
    SELECT id, user_agent, source, created_at, seen_at FROM sessions
    WHERE user_id = :user_id AND expires_at > :now AND seen_at > :idle ORDER BY seen_at DESC, created_at DESC
""")


@dataclass(frozen=True)
class SignedInDevice:
    session_id: UUID
    is_this: bool
    device: Message
    source: str
    """The network address that it signed in from."""
    since: datetime
    last_seen: datetime
    """Right to about a minute."""


async def devices_of(portal: Portal, person: Person) -> list[SignedInDevice]:
    """All living sessions of the person: this one first, then by when they were last seen."""
    now = portal.clock.now()
    idle = now - timedelta(minutes=portal.settings.identity.session_idle_minutes)
    async with portal.db.begin() as tx:
        rows = (await tx.execute(ALL, {"user_id": person.user_id, "now": now, "idle": idle})).all()
    devices = [
        SignedInDevice(
            session_id=row.id,
            is_this=row.id == person.session_id,
            device=device_words(row.user_agent),
            source=row.source,
            since=row.created_at,
            last_seen=row.seen_at,
        )
        for row in rows
    ]
    return sorted(devices, key=lambda device: not device.is_this)


async def sign_out_device(portal: Portal, person: Person, session_id: UUID) -> None:
    """Ends one session of the person, everywhere at the commit. Raises NotFound, also for somebody else's."""
    async with portal.db.begin() as tx:
        if not await end_one_session(tx, person.user_id, session_id):
            raise NotFound("session")
        actor = str(person.user_id)
        await record(tx, portal.clock.now(), actor=actor, action="session.ended", object=str(session_id))


async def sign_out_others(portal: Portal, person: Person) -> int:
    """Ends all sessions of the person but this one; answers how many there were."""
    async with portal.db.begin() as tx:
        ended = await end_other_sessions(tx, person.user_id, person.session_id)
        actor = str(person.user_id)
        await record(tx, portal.clock.now(), actor=actor, action="sessions.ended", object=actor, ended=ended)
    return ended


def device_words(user_agent: str) -> Message:
    """`Safari on iPhone`; the first word of what is no browser, such as `curl`."""
    browser, system = _first(BROWSERS, user_agent), _first(SYSTEMS, user_agent)
    if browser and system:
        return BROWSER_ON(browser=browser, system=system)
    program = PROGRAM.match(user_agent)
    known = browser or system or (program[0] if program and program[0] != "Mozilla" else "")
    return Message(known) if known else UNKNOWN


def _first(kinds: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for name, pattern in kinds if re.search(pattern, user_agent)), "")
