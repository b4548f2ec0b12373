"""Limits on wrong tries, counted in Postgres in fixed windows of the portal's clock.

A try is counted once it has proved wrong, and judged again after it has been counted: of a hundred tries at once, as
of a hundred in a row, only as many get an answer as the limit allows. What may be done only so often, right or wrong,
is counted before it is done.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.errors import TooManyTries
from portico.i18n import Message, _m
from portico.settings import IdentitySettings

WRONG_NUMBERS = _m(
    "Too many customer numbers that did not match. Please wait %(minutes)d minutes and try again, or contact support."
)
WRONG_PASSWORDS = _m("Too many tries to sign in. Please wait %(minutes)d minutes and try again.")
LINK_TRIES = _m("Too many tries to link an account. Please wait %(minutes)d minutes and try again, or contact support.")
FORGOTTEN = _m(
    "You have asked for this several times already. Look into your spam folder, or wait %(minutes)d minutes"
    " and try again."
)

COUNT = text("""
    INSERT INTO throttles (bucket, window_start, tries) VALUES (:bucket, :window_start, 1)
    ON CONFLICT (bucket, window_start) DO UPDATE SET tries = throttles.tries + 1
    RETURNING tries
""")
TRIES = text("SELECT tries FROM throttles WHERE bucket = :bucket AND window_start = :window_start")
FORGET = text("DELETE FROM throttles WHERE window_start < :before")


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted and for whom; `most` wrong tries are answered in one window."""

    name: str
    whom: str
    most: int
    window: timedelta
    words: Message

    @property
    def key(self) -> str:
        """Without the address or source itself: they are personal."""
        return f"{self.name}:{hashlib.sha256(self.whom.encode()).hexdigest()[:32]}"

    def window_start(self, now: datetime) -> datetime:
        seconds = self.window.total_seconds()
        return datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)

    def full(self, now: datetime) -> TooManyTries:
        """The refusal, with the wait until the window ends."""
        left = (self.window_start(now) + self.window - now).total_seconds()
        refusal = TooManyTries(self.name)
        refusal.for_customer = self.words(minutes=max(1, math.ceil(left / 60)))
        refusal.retry_after = max(1, math.ceil(left))
        return refusal


def number_tries(settings: IdentitySettings, source: str) -> list[Bucket]:
    """Wrong customer numbers of one source."""
    most = settings.sign_up_tries_per_hour
    return [Bucket("customer_number", source, most, timedelta(hours=1), WRONG_NUMBERS)]


def sign_in_tries(settings: IdentitySettings, email: str, source: str) -> list[Bucket]:
    """Wrong passwords for one address, whether it has an account or not, and of one source."""
    most, window = settings.sign_in_tries_per_quarter, timedelta(minutes=15)
    return [
        Bucket("sign_in_address", email.lower(), most, window, WRONG_PASSWORDS),
        Bucket("sign_in_source", source, most * 10, window, WRONG_PASSWORDS),
    ]


def link_tries(settings: IdentitySettings, email: str, source: str) -> list[Bucket]:
    """Calls of ValidateLogin, which WHMCS may count as well: for one address, of one source, in all."""
    window = timedelta(minutes=15)
    buckets = [
        Bucket("link_address", email.lower(), settings.link_tries_per_quarter, window, LINK_TRIES),
        Bucket("link_source", source, settings.link_tries_per_quarter_of_source, window, LINK_TRIES),
    ]
    if settings.link_tries_per_quarter_in_all:
        buckets.append(Bucket("link_all", "", settings.link_tries_per_quarter_in_all, window, LINK_TRIES))
    return buckets


def forgotten_mails(settings: IdentitySettings, email: str, source: str) -> list[Bucket]:
    """Mails to one address, whether it has an account or not, and asked for by one source."""
    most, window = settings.forgotten_mails_per_hour, timedelta(hours=1)
    return [
        Bucket("forgotten_address", email.lower(), most, window, FORGOTTEN),
        Bucket("forgotten_source", source, most * 10, window, FORGOTTEN),
    ]


async def refusal_of(tx: AsyncConnection, now: datetime, buckets: Sequence[Bucket]) -> TooManyTries | None:
    """What to raise before (and again after) the try is looked at; None while there is room."""
    for bucket in buckets:
        values = {"bucket": bucket.key, "window_start": bucket.window_start(now)}
        if ((await tx.execute(TRIES, values)).scalar() or 0) >= bucket.most:
            return bucket.full(now)
    return None


async def count_before(tx: AsyncConnection, now: datetime, buckets: Sequence[Bucket]) -> TooManyTries | None:
    """Counts what is about to be done, unless there is no room; raise what it answers after the commit."""
    return await refusal_of(tx, now, buckets) or await count_wrong(tx, now, buckets)


async def count_wrong(tx: AsyncConnection, now: datetime, buckets: Sequence[Bucket]) -> TooManyTries | None:
    """Counts a wrong try. What it answers is to be raised after the commit, in place of "wrong"."""
    refusal = None
    for bucket in buckets:
        values = {"bucket": bucket.key, "window_start": bucket.window_start(now)}
        if (await tx.execute(COUNT, values)).scalar_one() > bucket.most:
            refusal = bucket.full(now)
    return refusal


async def forget(tx: AsyncConnection, now: datetime) -> None:
    """Removes windows that are long over."""
    await tx.execute(FORGET, {"before": now - timedelta(hours=2)})
