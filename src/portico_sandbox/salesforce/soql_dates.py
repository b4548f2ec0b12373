"""Date literals as the days that they mean, and the date functions: for a user in Japan, weeks begin on Sunday."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from portico_sandbox.clock import TOKYO

Days = tuple[date, date]
"""The first day that is meant, and the first that is not any more."""

_DAY = timedelta(days=1)
_FARTHEST = 100_000  # of what a literal may count; keeps dates within the calendar


def days_of(word: str, today: date) -> Days | None:
    """The days of a literal such as `TODAY` or `LAST_N_MONTHS:3`; None where it is no date literal."""
    name, _, digits = word.upper().replace("FISCAL_", "").partition(":")
    count = int(digits) if digits else None
    if count is not None and count > _FARTHEST:
        return None
    try:
        return _fixed(name, today) if count is None else _counted(name, count, today)
    except (OverflowError, ValueError):  # beyond the calendar
        return None


def part_of_moment(function: str, value: str | None, *, local: bool) -> Any:
    """What a date function says of a stored date or moment. Moments are read in UTC, in Japan's time where local."""
    if value is None:
        return None
    zone: tzinfo = TOKYO if local else UTC
    moment = _moment(value, zone)
    if function == "DAY_ONLY":
        return moment.date().isoformat()
    return _PARTS[function](moment)


def _moment(value: str, zone: tzinfo) -> datetime:
    if "T" not in value:
        return datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
    return datetime.fromisoformat(value[:-5] + "+00:00").astimezone(zone)


def _fixed(name: str, today: date) -> Days | None:
    simple = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
    if name in simple:
        return today + simple[name] * _DAY, today + (simple[name] + 1) * _DAY
    if name == "LAST_90_DAYS":
        return _counted("LAST_N_DAYS", 90, today)
    if name == "NEXT_90_DAYS":
        return _counted("NEXT_N_DAYS", 90, today)
    which, _, unit = name.partition("_")
    offsets = {"LAST": -1, "THIS": 0, "NEXT": 1}
    if which not in offsets or unit not in _PERIODS:
        return None
    period = _PERIODS[unit]
    return period(today, offsets[which]), period(today, offsets[which] + 1)


def _counted(name: str, count: int, today: date) -> Days | None:
    if name == "LAST_N_DAYS":
        return today - count * _DAY, today + _DAY
    if name == "NEXT_N_DAYS":
        return today + _DAY, today + (count + 1) * _DAY
    if name == "N_DAYS_AGO":
        return today - count * _DAY, today - (count - 1) * _DAY
    for unit, period in _PERIODS.items():
        if name == f"LAST_N_{unit}S":
            return period(today, -count), period(today, 0)
        if name == f"NEXT_N_{unit}S":
            return period(today, 1), period(today, count + 1)
        if name == f"N_{unit}S_AGO":
            return period(today, -count), period(today, 1 - count)
    return None


def _week(day: date, offset: int) -> date:
    return day - (day.isoweekday() % 7) * _DAY + 7 * offset * _DAY


def _month(day: date, offset: int) -> date:
    months = day.year * 12 + day.month - 1 + offset
    return date(months // 12, months % 12 + 1, 1)


def _quarter(day: date, offset: int) -> date:
    return _month(day.replace(month=(day.month - 1) // 3 * 3 + 1), 3 * offset)


def _year(day: date, offset: int) -> date:
    return date(day.year + offset, 1, 1)


_PERIODS: dict[str, Callable[[date, int], date]] = {
    "WEEK": _week,
    "MONTH": _month,
    "QUARTER": _quarter,
    "YEAR": _year,
}
"""First day of the period that is so many periods away. This org's fiscal year is the calendar's."""

_PARTS: dict[str, Callable[[datetime], int]] = {
    "CALENDAR_YEAR": lambda at: at.year,
    "CALENDAR_QUARTER": lambda at: (at.month - 1) // 3 + 1,
    "CALENDAR_MONTH": lambda at: at.month,
    "FISCAL_YEAR": lambda at: at.year,
    "FISCAL_QUARTER": lambda at: (at.month - 1) // 3 + 1,
    "FISCAL_MONTH": lambda at: at.month,
    "DAY_IN_MONTH": lambda at: at.day,
    "DAY_IN_WEEK": lambda at: at.isoweekday() % 7 + 1,
    "DAY_IN_YEAR": lambda at: at.timetuple().tm_yday,
    "HOUR_IN_DAY": lambda at: at.hour,
    "WEEK_IN_MONTH": lambda at: (at.day - 1) // 7 + 1,
    "WEEK_IN_YEAR": lambda at: (at.timetuple().tm_yday - 1) // 7 + 1,
}
