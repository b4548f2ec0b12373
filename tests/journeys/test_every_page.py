"""Each page of the route table, as those see it who may: by axe, at each width, by keyboard, in Japanese."""

from __future__ import annotations

import pytest

from tests.fixtures.stack import Stack
from tests.journeys.conftest import Person
from tests.journeys.places import FURTHER, NOBODY, RESIDENT, STAFF, places
from tests.journeys.resident import Resident
from tests.journeys.sight import not_by_keyboard, not_translated, serious, sticks_out
from tests.journeys.walk import Walk
from tests.pages.grid import english

ANY = (202, 401, 403, 404, 410, 429, 500, 503)
"""Pages that say no are looked at like the others."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("who", FURTHER)
def test_in_english_and_by_keyboard(who: str, person: Person, stack: Stack, resident: Resident) -> None:
    walk = person()
    enters(walk, stack, resident, who)
    faults = []
    for path in places(resident)[who]:
        walk.page.goto(path)
        found = [*serious(walk.page), *sticks_out(walk.page), *not_by_keyboard(walk.page)]
        faults += [f"{who} at {path}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("who", FURTHER)
def test_in_japanese(who: str, person: Person, stack: Stack, resident: Resident) -> None:
    walk, foreign = person(locale="ja-JP"), english()
    enters(walk, stack, resident, who)
    faults = []
    for path in places(resident)[who]:
        walk.page.goto(path)
        # In dark the colors are those of the same page in English.
        found = [*serious(walk.page, in_dark=False), *sticks_out(walk.page), *not_translated(walk.page, foreign)]
        faults += [f"{who} at {path}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


def enters(walk: Walk, stack: Stack, resident: Resident, who: str) -> None:
    walk.expect_trouble(*ANY)
    passwords = {one["email"]: one["password"] for one in stack.world["customers"]["ready"]}
    staff = stack.world["staff"][0]
    if who == RESIDENT:
        walk.sign_in(resident.email)
    elif who == STAFF:
        walk.sign_in(staff["email"], staff["password"])
    elif who != NOBODY:
        walk.sign_in(who, passwords[who])
