"""Writing the profile back to WHMCS: only what was changed, so that what others changed meanwhile is not lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

import structlog
from sqlalchemy import text

from portico.billing.profile_fields import DETAILS, FIELDS, JAPAN, flat, uniform
from portico.billing.refusals import NotSaved, OutcomeUnknown, ProfileChanged, ProfileRefused
from portico.cache import drop_for
from portico.customer import Customer
from portico.errors import FieldFault, InputWrong, SystemDown, SystemRefused, SystemSurprised, Trouble
from portico.i18n import _m
from portico.identity.audit import record
from portico.identity.fields import display_name
from portico.identity.sessions import person_changed
from portico.portal import Portal
from portico.systems.http import deadline
from portico.systems.whmcs import clients
from portico.systems.whmcs.clients import Client, ClientChange

log = structlog.get_logger()

NOW_IS = _m("This is now: %(value)s")
FIELD_REFUSED = _m("Our billing system did not take this. Please check it.")
TO_LOOK_AGAIN_SECONDS = 1.5
"""Kept of a page's time to find out what became of a write that got no answer."""

RENAME = text("UPDATE users SET display_name = :name WHERE id = :user_id")


@dataclass(frozen=True)
class Saved:
    client: Client
    """As it is now."""
    changed: tuple[str, ...]
    """Fields that we wrote; empty where all of it was so already."""
    others_changed: bool
    """Somebody else has changed other fields since they were shown."""


async def change_profile(
    portal: Portal, customer: Customer, typed: Mapping[str, str], seen: Mapping[str, str] | None = None
) -> Saved:
    """Changes these fields of names, phone and address (names as in profile_fields).

    `seen` is what the person saw of them before: only what differs from it counts as typed, and where WHMCS holds
    something else by now, that is not overwritten. Raises InputWrong, ProfileChanged, ProfileRefused; NotSaved,
    OutcomeUnknown.
    """
    meant = {
        name: value for name, value in typed.items() if seen is None or value.strip() != seen.get(name, "").strip()
    }
    before = await _now(portal, customer)
    held = flat(before)
    wanted = uniform(meant, meant.get("country") or held["country"] or JAPAN)
    await _refuse_overwriting(portal, customer, wanted, held, seen)
    change = {name: value for name, value in wanted.items() if value != held[name]}
    others = seen is not None and any(held[name] != value for name, value in seen.items() if name not in wanted)
    if change:
        await _write(portal, customer, change)
        await _note(portal, customer, change, {**held, **change})
    return Saved(_changed(before, change), tuple(change), others)


async def _now(portal: Portal, customer: Customer) -> Client:
    """Read live: a copy may be half an hour old."""
    try:
        return await clients.get_clients_details(portal.whmcs, customer.whmcs_client_id)
    except Trouble as trouble:
        raise NotSaved(str(trouble)) from trouble


async def _refuse_overwriting(
    portal: Portal,
    customer: Customer,
    wanted: Mapping[str, str],
    held: Mapping[str, str],
    seen: Mapping[str, str] | None,
) -> None:
    if seen is None:
        return
    crossed = [name for name, value in wanted.items() if held[name] not in (seen.get(name, ""), value)]
    if crossed:
        await drop_for(portal, customer, "own:profile")  # the form came from a copy that missed it
        raise ProfileChanged(*(FieldFault(f"/{name}", NOW_IS(value=held[name] or "–")) for name in crossed))


async def _write(portal: Portal, customer: Customer, change: Mapping[str, str]) -> None:
    await drop_for(portal, customer, "own:profile")
    try:
        with _reserving(TO_LOOK_AGAIN_SECONDS):
            await clients.update_client(portal.whmcs, customer.whmcs_client_id, ClientChange(**change))
    except SystemRefused as refused:
        _refuse(refused)
    except (SystemDown, SystemSurprised) as error:
        if isinstance(error, SystemDown) and not error.sent:
            raise NotSaved(str(error)) from error
        await _look_again(portal, customer, change, error)
    finally:
        await drop_for(portal, customer, "own:profile")


def _refuse(refused: SystemRefused) -> NoReturn:
    field = refused.facts.get("field")
    log.warning("billing.profile.refused", code=refused.vendor_code, field=field)
    if field in FIELDS:
        raise InputWrong(FieldFault(f"/{field}", FIELD_REFUSED)) from refused
    raise ProfileRefused(refused.vendor_code) from refused


async def _look_again(portal: Portal, customer: Customer, change: Mapping[str, str], error: Trouble) -> None:
    """The answer was lost. Where the end is what it was to be, it was done; else nobody can tell yet."""
    try:
        held = flat(await clients.get_clients_details(portal.whmcs, customer.whmcs_client_id))
    except Trouble as trouble:
        raise OutcomeUnknown(str(trouble)) from error
    if any(held[name] != value for name, value in change.items()):
        raise OutcomeUnknown(str(error)) from error
    log.info("billing.profile.found_saved")


async def _note(portal: Portal, customer: Customer, change: Mapping[str, str], now: Mapping[str, str]) -> None:
    actor = str(customer.user_id)
    async with portal.db.begin() as tx:
        if "first_name" in change or "last_name" in change:
            name = display_name(now["first_name"], now["last_name"])
            await tx.execute(RENAME, {"name": name, "user_id": customer.user_id})
            await person_changed(tx, customer.user_id)
        fields = sorted(change)
        await record(tx, portal.clock.now(), actor=actor, action="profile.changed", object=actor, fields=fields)


def _changed(client: Client, change: Mapping[str, str]) -> Client:
    """The client with the change in it, as the next read will find it."""
    address = {name: value for name, value in change.items() if name not in DETAILS}
    details = {name: value for name, value in change.items() if name in DETAILS}
    return replace(client, **details, address=replace(client.address, **address))  # type: ignore[arg-type]


@contextlib.contextmanager
def _reserving(seconds: float) -> Iterator[None]:
    """Inside, the request's deadline comes so much earlier."""
    until = deadline.get()
    token = deadline.set(None if until is None else until - seconds)
    try:
        yield
    finally:
        deadline.reset(token)
