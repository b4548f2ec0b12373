"""Data usage of a line."""

from __future__ import annotations

from dataclasses import dataclass

from portico.errors import SystemSurprised
from portico.systems.freebit.client import Freebit, call
from portico.systems.freebit.shapes import full_number, is_yes, record, text


@dataclass(frozen=True, slots=True)
class Traffic:
    today_kb: int
    recent_days_kb: tuple[int, ...]
    """The days before today, newest first."""
    is_restricted: bool
    """Slowed down by the carrier."""


async def get_traffic_info(freebit: Freebit, account: str) -> Traffic:
    """PA05-01. For one customer who is looking, never in bulk: the vendor forbids sweeps.

    Raises SystemRefused, also for a line without a plan.
    """
    answer = await call(freebit, "PA05-01", {"account": full_number(account)}, repeatable=True)
    traffic = record(answer, "traffic")
    recent = [part for part in text(traffic, "inRecentDays").split(",") if part.strip()]
    return Traffic(_kb(text(traffic, "today")), tuple(_kb(part) for part in recent), is_yes(traffic, "blackList"))


def _kb(value: str) -> int:
    if not value.strip().isdecimal():
        raise SystemSurprised("freebit", "PA05-01: a usage is no number")
    return int(value)
