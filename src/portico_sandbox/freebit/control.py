"""What Freebit's staff and machines can be made to do from the control panel."""

from __future__ import annotations

from typing import Any

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.freebit.auth import forget_keys
from portico_sandbox.freebit.lines import LINES, line_with_eid, state_of
from portico_sandbox.freebit.switches import SWITCHES, turn
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row


async def finish_activation(sandbox: Sandbox, account_or_eid: str) -> dict[str, Any]:
    """The line is active from now on."""
    return _end_activation(sandbox, account_or_eid, "well")


async def fail_activation(sandbox: Sandbox, account_or_eid: str) -> dict[str, Any]:
    """The accepted activation fails: the line is obsolete from now on."""
    return _end_activation(sandbox, account_or_eid, "fails")


async def expire_keys(sandbox: Sandbox) -> dict[str, Any]:
    return {"expired": forget_keys(sandbox)}


async def set_switch(sandbox: Sandbox, switch: str, value: str) -> dict[str, Any]:
    if switch not in SWITCHES or value not in ("on", "off"):
        raise ButtonRefused(f"A switch is one of {', '.join(SWITCHES)}; its value is on or off.")
    turn(sandbox, switch, value == "on")
    return {switch: value}


def _end_activation(sandbox: Sandbox, account_or_eid: str, fate: str) -> dict[str, Any]:
    line = _line(sandbox, account_or_eid)
    if state_of(sandbox, line) != "waiting":
        raise ButtonRefused(f"The line {line['account']} is {state_of(sandbox, line)}: nothing is waiting.")
    with sandbox.store.begin() as tx:
        line = tx.change(LINES, line["account"], fate=fate, settles_at=sandbox.clock.now().isoformat())
    return {"account": line["account"], "eid": line["eid"], "state": state_of(sandbox, line)}


def _line(sandbox: Sandbox, account_or_eid: str) -> Row:
    digits = account_or_eid.replace("-", "").replace(" ", "")
    line = sandbox.store.get(LINES, digits) or line_with_eid(sandbox, digits)
    if line is None:
        raise ButtonRefused(f"Freebit knows no line with the number or EID {account_or_eid}.")
    return line


_LINE = (Field("line", "Phone number or EID"),)
_SWITCH = (
    Field("switch", "Switch", choices=tuple(SWITCHES)),
    Field("value", "Value", default="on", choices=("on", "off")),
)

BUTTONS: list[Button] = [
    Button(
        "finish-activation",
        "Finish SIM activation",
        "freebit",
        _LINE,
        lambda sandbox, given: finish_activation(sandbox, given["line"]),
        "A waiting line becomes active at once.",
    ),
    Button(
        "fail-activation",
        "Fail SIM activation",
        "freebit",
        _LINE,
        lambda sandbox, given: fail_activation(sandbox, given["line"]),
        "A waiting line becomes obsolete, as when the carrier turns it down.",
    ),
    Button(
        "expire-keys",
        "Expire all keys",
        "freebit",
        (),
        lambda sandbox, given: expire_keys(sandbox),
        "Every authKey stops working.",
    ),
    Button(
        "set-switch",
        "Change how answers look",
        "freebit",
        _SWITCH,
        lambda sandbox, given: set_switch(sandbox, given["switch"], given["value"]),
        "The vendor is suspected of each of these.",
    ),
]
