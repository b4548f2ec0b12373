"""The shortest walk: in with what world.json says, around, and out."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.fixtures.stack import Stack


def test_a_ready_customer_signs_in_and_out(page: Page, stack: Stack) -> None:
    customer = stack.world["customers"]["ready"][0]
    page.goto("/sign-in")
    page.locator("input[name=email]").fill(customer["email"])
    page.locator("input[name=password]").fill(customer["password"])
    page.locator("form[action='/sign-in'] button").click()
    expect(page).to_have_url(f"{stack.url}/home")
    page.goto("/billing")
    expect(page.locator("h1")).to_have_count(1)
    page.locator("details:has(form[action='/sign-out']) > summary").click()
    page.locator("form[action='/sign-out'] button").click()
    page.goto("/home")
    expect(page.locator("input[name=email]")).to_be_visible()


def test_the_first_pages_can_be_used_by_everybody(page: Page) -> None:
    for path in ("/", "/sign-in", "/sign-up"):
        page.goto(path)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
