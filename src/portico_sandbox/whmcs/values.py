"""How WHMCS writes money, dates and billing cycles."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from portico_sandbox.clock import TOKYO
from portico_sandbox.sandbox import Sandbox

ZERO_DATE = "0000-00-00"
ZERO_TIME = "0000-00-00 00:00:00"

CYCLE_LABELS = {
    "free": "Free Account",
    "onetime": "One Time",
    "monthly": "Monthly",
    "quarterly": "Quarterly",
    "semiannually": "Semi-Annually",
    "annually": "Annually",
    "biennially": "Biennially",
    "triennially": "Triennially",
}
CYCLE_MONTHS = {"monthly": 1, "quarterly": 3, "semiannually": 6, "annually": 12, "biennially": 24, "triennially": 36}


def money(value: Any) -> str:
    """Two decimals, for JPY as well."""
    return str(Decimal(value).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def read_money(text: str) -> Decimal | None:
    """None where it is no number; PHP would read 0 there, which the caller decides about."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def cycle_key(text: str) -> str:
    """`Semi-Annually` and `semiannually` alike become `semiannually`; unknown words come back as they are."""
    letters = "".join(c for c in text.lower() if c.isalpha())
    return {"freeaccount": "free"}.get(letters, letters)


def local_time(sandbox: Sandbox, moment: datetime | None = None) -> str:
    """Server-local (Tokyo), without a zone, as WHMCS writes every time."""
    return (moment or sandbox.clock.now()).astimezone(TOKYO).strftime("%Y-%m-%d %H:%M:%S")


def day_from_today(sandbox: Sandbox, days: int) -> str:
    return (sandbox.clock.today() + timedelta(days=days)).isoformat()


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def words(text: str) -> tuple[str, ...]:
    """Many names on one line: easier to compare with the manual than a column of quoted ones."""
    return tuple(text.split())
