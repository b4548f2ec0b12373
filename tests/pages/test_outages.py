"""Each page and each read of the API, with each system away in each way, in both languages: generated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from portico.i18n import Message
from tests.fixtures.browser import Page
from tests.fixtures.sandbox import SandboxControl
from tests.house.conftest import Door
from tests.house.two_customers import Route
from tests.pages.grid import LANGUAGES, READS, ask, calls, english, faults_of, lasting, sections
from tests.pages.needs import NEEDS, NONE, SYSTEMS, Needs

LATER, TRY_LATER = Message("Not available just now"), Message("Please try again later")
FAST = ("down", "error", "malformed")
CODES = {"try_again_later", "system_surprised"}
DEADLINE, HANGS, PATIENCE = 1.0, 60.0, 20.0
"""Seconds: what a page may take here · how long the slow system takes · what a test allows on a busy machine."""

Cell = tuple[Route, str]
CART = next((route, "en") for route in READS if route.template == "/cart")
CELLS: list[Cell] = [(route, language) for route in READS for language in LANGUAGES]


@pytest.fixture(scope="module")
def foreign() -> list[str]:
    return english()


def test_what_is_listed_exists() -> None:
    assert NEEDS.keys() <= {str(route) for route in READS}


async def test_the_needs_are_those(door: Door) -> None:
    """A page that begins to call another system has to say so in needs.py."""
    wrong = []
    for route in READS:
        before = calls()
        await ask(door, route, "en")
        called = {system for system, _ in calls() - before}
        if called != needs(route).systems:
            wrong.append(f"{route} calls {sorted(called)}, needs.py says {sorted(needs(route).systems)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("system", SYSTEMS)
async def test_a_system_is_away(system: str, door: Door, sandbox: SandboxControl, foreign: list[str]) -> None:
    await ask(door, *CART)  # from then on each page shows how much is in it
    well = [await ask(door, *cell) for cell in CELLS]
    wrong = []
    for mode in FAST:
        async with trouble(sandbox, system, mode):
            for cell, before in zip(CELLS, well, strict=True):
                answer = await ask(door, *cell)
                faults = compared(cell, system, before, answer) + spoken(cell, answer, door, foreign)
                wrong += [f"{system} {mode}: {cell[0]} in {cell[1]} {fault}" for fault in faults]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("system", ["whmcs", "salesforce"])
async def test_a_system_hangs(
    system: str, door: Door, sandbox: SandboxControl, foreign: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page waits longer than its deadline: all that need the system are asked at once, and each says "later"."""
    waiting = [cell for cell in CELLS if system in needs(cell[0]).systems]
    monkeypatch.setattr("portico.web.outermost.PAGE_SECONDS", DEADLINE)
    async with trouble(sandbox, system, "slow", seconds=HANGS):
        began = time.monotonic()
        answers = await asyncio.gather(*(ask(door, *cell) for cell in waiting))
        took = time.monotonic() - began
    assert took < PATIENCE
    faults = [
        f"{cell[0]} in {cell[1]} {fault}"
        for cell, answer in zip(waiting, answers, strict=True)
        for fault in [*later(cell, answer), *spoken(cell, answer, door, foreign)]
    ]
    assert not faults, "\n".join(faults)


async def test_each_call_of_a_page_fails_alone(door: Door, sandbox: SandboxControl, foreign: list[str]) -> None:
    """One action of WHMCS fails, the others answer: no page breaks in the middle."""
    wrong = []
    for route in [route for route in READS if "whmcs" in needs(route).systems]:
        before = calls()
        await ask(door, route, "ja")
        for action in sorted(action for system, action in calls() - before if system == "whmcs"):
            async with trouble(sandbox, "whmcs", "down", call=action):
                answer = await ask(door, route, "ja")
            if answer.status_code not in (200, 503):
                wrong.append(f"{route} without {action}: {answer.status_code}")
            wrong += [f"{route} without {action} {fault}" for fault in spoken((route, "ja"), answer, door, foreign)]
    assert not wrong, "\n".join(wrong)


def needs(route: Route) -> Needs:
    return NEEDS.get(str(route), NONE)


@asynccontextmanager
async def trouble(sandbox: SandboxControl, system: str, mode: str, **more: object) -> AsyncIterator[None]:
    await sandbox.dial(system, mode, **more)
    try:
        yield
    finally:
        await sandbox.undial(system)


def compared(cell: Cell, system: str, well: httpx2.Response, answer: httpx2.Response) -> list[str]:
    """What is wrong with an answer, beside the one that was given when all was well."""
    route, language = cell
    if system not in needs(route).systems:
        return [] if lasting(answer) == lasting(well) else ["is touched by what it does not need"]
    if system in needs(route).whole:
        return refused(route, language, answer)
    return partial(route, language, needs(route).parts[system], well, answer)


def refused(route: Route, language: str, answer: httpx2.Response) -> list[str]:
    """The page is about that alone: it says so, and when to come back."""
    if answer.status_code not in (502, 503) or not answer.headers.get("retry-after"):
        return [f"answers {answer.status_code}, retry-after {answer.headers.get('retry-after')}"]
    if route.is_api:
        document = answer.json()
        is_right = document["code"] in CODES and document["retry_after"] and "problem+json" in kind_of(answer)
        return [] if is_right else [f"answers {document}"]
    return [] if Page(answer).headings == [words(TRY_LATER, language)] else [f"is headed {Page(answer).headings}"]


def partial(route: Route, language: str, parts: int, well: httpx2.Response, answer: httpx2.Response) -> list[str]:
    """So many parts are missing, all others are as they were."""
    if answer.status_code != 200:
        return [f"answers {answer.status_code}"]
    if route.is_api:
        missing = answer.json()["unavailable"]
        return [] if len(missing) == parts else [f"misses {missing}"]
    before, now = sections(lasting(well)), sections(lasting(answer))
    away = [name for name, text in now.items() if words(LATER, language) in text]
    changed = [name for name in now if name not in away and now[name] != before.get(name)]
    faults = [f"says later in {away}"] if len(away) != parts else []
    faults += [f"changes {changed}"] if changed else []
    return faults + ([] if Page(answer).headings == Page(well).headings else ["has another heading"])


def later(cell: Cell, answer: httpx2.Response) -> list[str]:
    """It answers at all, and says what is missing: on a busy machine more may be too late than what hangs."""
    route, language = cell
    if answer.status_code in (502, 503):
        return refused(route, language, answer)
    says = answer.json().get("unavailable") if route.is_api else words(LATER, language) in answer.text
    return [] if answer.status_code == 200 and says else [f"answers {answer.status_code} as if all were well"]


def spoken(cell: Cell, answer: httpx2.Response, door: Door, foreign: list[str]) -> list[str]:
    """What no answer may say."""
    route, language = cell
    if not route.is_api:
        is_page = kind_of(answer).startswith("text/html") and answer.status_code != 303
        return faults_of(answer, language, door.portal.settings.portal.url, foreign) if is_page else []
    is_english = language == "ja" and answer.status_code >= 400 and answer.json()["detail"].isascii()
    return ["explains itself in English"] if is_english else []


def kind_of(answer: httpx2.Response) -> str:
    return answer.headers.get("content-type", "")


def words(message: Message, language: str) -> str:
    return message.in_language(language)
