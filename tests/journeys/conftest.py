"""Browser journeys on the real demo. A run of their own: sync Playwright and async tests can't share a process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.fixtures.stack import Stack, demo_stack

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


@pytest.fixture
def page(chromium: Browser, stack: Stack) -> Iterator[Page]:
    """A fresh person's browser before the portal. Script errors and refused resources fail the test."""
    context = chromium.new_context(base_url=stack.url, locale="en-US")
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    context.close()
    assert faults == []
