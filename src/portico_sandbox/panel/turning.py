"""Dials and clock, from what a form or JSON says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any, cast, get_args

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.dials import Dial, Mode, System
from portico_sandbox.panel.portal_clock import tell_portal
from portico_sandbox.sandbox import Sandbox

SYSTEMS: tuple[str, ...] = get_args(System)
MODES: tuple[str, ...] = get_args(Mode)
_TEN_YEARS_IN_HOURS = 24 * 3650


def turn_dial(sandbox: Sandbox, values: Mapping[str, str]) -> Dial:
    """Raises ButtonRefused where there is no such dial."""
    system, mode = values.get("system", ""), values.get("mode", "")
    if system not in SYSTEMS:
        raise ButtonRefused(f"system must be one of {', '.join(SYSTEMS)}.")
    if mode not in MODES:
        raise ButtonRefused(f"mode must be one of {', '.join(MODES)}.")
    times = _number(values, "times")
    if times is not None and (times < 1 or times != int(times)):
        raise ButtonRefused("times must be a whole number from 1, or be left out.")
    seconds = _number(values, "seconds")
    dial = Dial(
        system=cast(System, system),
        mode=cast(Mode, mode),
        call=values.get("call") or "*",
        times=None if times is None else int(times),
        seconds=2.0 if seconds is None else max(0.0, seconds),
        code=values.get("code", ""),
    )
    sandbox.dials.turn(dial)
    return dial


def clear_dials(sandbox: Sandbox, system: str) -> None:
    """Turns back the dials of one system, or with "" all."""
    if system and system not in SYSTEMS:
        raise ButtonRefused(f"system must be one of {', '.join(SYSTEMS)}.")
    sandbox.dials.clear(cast(System, system) if system else None)


def turned(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [asdict(dial) for dial in sandbox.dials.active()]


async def move_clock(sandbox: Sandbox, values: Mapping[str, str]) -> dict[str, Any]:
    """Moves by `hours` (may be a fraction or negative) or back to real time with `reset`."""
    if values.get("reset") in ("1", "true"):
        by = -sandbox.clock.offset
    else:
        hours = _number(values, "hours")
        if hours is None or abs(hours) > _TEN_YEARS_IN_HOURS:
            raise ButtonRefused("hours must be a number, and at most ten years.")
        by = timedelta(hours=hours)
    sandbox.clock.move(by)
    return {**clock_facts(sandbox), "problem": await tell_portal(sandbox)}


def clock_facts(sandbox: Sandbox) -> dict[str, Any]:
    return {"now": sandbox.clock.now().isoformat(), "offset_seconds": sandbox.clock.offset.total_seconds()}


def _number(values: Mapping[str, str], name: str) -> float | None:
    text = values.get(name, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ButtonRefused(f"{name} must be a number.")
    return number
