"""Lines: eSIM activation, and what Freebit knows of a line."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import date
from typing import Literal

from portico.errors import SystemRefused
from portico.systems.freebit.client import Freebit, call
from portico.systems.freebit.shapes import Line, account_of, full_number, is_line, items_of, line_from

__all__ = ["Line", "activate_esim", "cancel_account", "find_lines_by_eid", "get_details", "get_master_lines"]

_NEW = "N"
_NOT_OPERATED = "20"
"""The carrier's own system was not used before: `10` is refused for anything but N, and needs more fields."""


async def activate_esim(freebit: Freebit, *, eid: str, plan_code: str, account: str | None = None) -> None:
    """PA05-41: asks for a new line on an eSIM. Returning means accepted; poll get_details until it is active.

    `eid`: 32 digits. `account`: the phone number where it is known beforehand (mode numbered), else None.
    Sent once only. SystemDown with `sent` or SystemSurprised leave it unknown whether it was accepted: look for the
    account, or for the EID, before anything else. Raises SystemRefused with the vendor's codes.
    """
    settings = freebit.settings
    document = {
        "aladinOperated": _NOT_OPERATED,
        "createType": "add" if settings.master_account else "",
        "masterAccount": settings.master_account,
        "addKind": _NEW,
        "eid": eid,
        "simKind": settings.esim_sim_kind,
        "planCode": plan_code,
        "contractLine": settings.contract_line,
        "account": full_number(account) if account else "",
    }
    sent = {name: value for name, value in document.items() if value}
    await call(freebit, "PA05-41", sent, repeatable=False)


async def get_details(freebit: Freebit, account: str) -> Line | None:
    """PA03-02: a line by its phone number. None when Freebit has no such account: an empty answer, or a code in
    `unknown_account_codes` (any other code raises SystemRefused, so that "locked" never reads as "not there").
    """
    number = full_number(account)
    document = {"requestDatas": [{"kind": "MVNO", "account": number}]}
    try:
        answer = await call(freebit, "PA03-02", document, repeatable=True)
    except SystemRefused as refused:
        if _is_unknown_account(freebit, refused):
            return None
        raise
    found = (item for item in items_of(answer) if is_line(item) and account_of(item) == number)
    item = next(found, None)
    return line_from(item, freebit.settings) if item is not None else None


async def get_master_lines(freebit: Freebit) -> list[str]:
    """PA03-02 of our master: the phone numbers of all its lines."""
    document = {"requestDatas": [{"kind": "MASTER", "account": freebit.settings.master_account}]}
    answer = await call(freebit, "PA03-02", document, repeatable=True)
    return [account_of(item) for item in items_of(answer) if is_line(item)]


async def find_lines_by_eid(freebit: Freebit, eid: str, *, known: Collection[str] = ()) -> list[Line]:
    """The lines of our master that live on this eSIM (mode unnumbered), obsolete ones included.

    Costs a call per line: `known` are numbers that need no look, such as those listed before the activation.
    """
    numbers = [number for number in await get_master_lines(freebit) if number not in known]
    # No more at once than the door lets through: waiting there would run into its queue limit.
    places = asyncio.Semaphore(freebit.settings.concurrency)

    async def look(number: str) -> Line | None:
        async with places:
            return await get_details(freebit, number)

    lines = await asyncio.gather(*(look(number) for number in numbers))
    return [line for line in lines if line is not None and line.eid == eid]


async def cancel_account(freebit: Freebit, account: str, when: date | Literal["at_once"]) -> None:
    """PA02-04: ends a line, for good, within 10 minutes or on a day (Japanese time). Sent once only."""
    document = {"kind": "MVNO", "account": full_number(account)}
    # Without a date the vendor cancels now: so that can't be had by leaving something out.
    if when != "at_once":
        document["runDate"] = when.strftime("%Y%m%d")
    await call(freebit, "PA02-04", document, repeatable=False)


def _is_unknown_account(freebit: Freebit, refused: SystemRefused) -> bool:
    codes = freebit.settings.unknown_account_codes
    return refused.vendor_code in codes or refused.vendor_code.partition("-")[0] in codes
