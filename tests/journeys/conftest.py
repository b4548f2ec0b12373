"""Browser journeys on the real demo. A run of their own: sync Playwright and async tests can't share a process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.fixtures.stack import Stack, demo_stack
from tests.journeys.outside import Outside
from tests.journeys.resident import Resident, settle
from tests.journeys.walk import WIDE, Walk

Person = Callable[..., Walk]
SECONDS = 15
"""What a page may take on a busy machine before a test gives up."""
expect.set_options(timeout=SECONDS * 1000)

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
MUST_RUN = bool(os.environ.get("BROWSER_TESTS_MUST_RUN"))
NONE_FOUND = "no Chromium found: apt-get install chromium, or name one with CHROMIUM=/path"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None and not MUST_RUN:
        for item in items:
            item.add_marker(pytest.mark.skip(NONE_FOUND))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.write_line(f"{skipped} browser tests were skipped: {NONE_FOUND}")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything, started once."""
    with demo_stack(tmp_path_factory.mktemp("demo") / "demo") as stack:
        stack.start()
        yield stack


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    assert CHROMIUM is not None, NONE_FOUND
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def outside(stack: Stack) -> Iterator[Outside]:
    outside = Outside(stack.world)
    yield outside
    outside.close()


@pytest.fixture(scope="session")
def resident(stack: Stack, outside: Outside) -> Resident:
    """Somebody to look at pages with; nobody changes what is theirs."""
    return settle(outside, stack.url)


@pytest.fixture
def person(chromium: Browser, stack: Stack, outside: Outside) -> Iterator[Person]:
    """Makes people with fresh browsers, such as `person(locale="ja-JP")` or `person(java_script_enabled=False)`.

    Script errors, refused resources and anything else that the console complains of fail the test.
    """
    walks: list[Walk] = []

    # Without transitions: one that is under way while a walk changes the window's size is aborted, with an error.
    usual = {"base_url": stack.url, "locale": "en-US", "viewport": WIDE, "reduced_motion": "reduce"}

    def somebody(**more: Any) -> Walk:
        context = chromium.new_context(**{**usual, **more})
        context.set_default_timeout(SECONDS * 1000)
        walks.append(Walk(context.new_page(), stack.url, outside))
        return walks[-1]

    yield somebody
    for walk in walks:
        walk.page.context.close()
    assert [fault for walk in walks for fault in walk.faults] == []


@pytest.fixture
def walk(person: Person) -> Walk:
    """A fresh person's browser before the portal."""
    return person()
