"""In with what world.json says, around, and out; and what is said to whoever can't come in."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.fixtures.stack import Stack
from tests.journeys.walk import Walk

WRONG = "E-mail address or password is not right."


def test_a_ready_customer_signs_in_and_out(walk: Walk, stack: Stack) -> None:
    customer = stack.world["customers"]["ready"][0]
    walk.go("/billing")
    walk.is_at(r"/sign-in\?next=/billing")
    signs_in(walk, customer["email"], customer["password"])
    walk.is_at("/billing")  # where they wanted to go
    walk.page.locator("details:has(form[action='/sign-out']) > summary").click()
    walk.press("Sign out")
    walk.is_at("/sign-in")
    walk.reads("You are signed out.")
    walk.page.go_back()
    expect(walk.page.locator("input[name=email]")).to_be_visible()


def test_a_wrong_password_reads_like_an_unknown_address(walk: Walk, stack: Stack) -> None:
    known = stack.world["customers"]["ready"][1]["email"]
    for email in (known, "nobody@mail.example"):
        walk.go("/sign-in")
        signs_in(walk, email, "not the password", status=401)
        walk.sees_summary(WRONG)
        expect(walk.page.locator("[name=email]")).to_have_value(email)
        expect(walk.page.locator("[name=password]")).to_have_value("")
    signs_in(walk, "", "", status=422)
    walk.sees_summary("Enter your e-mail address.", "Enter your password.")


def test_the_first_pages_can_be_used_by_everybody(walk: Walk) -> None:
    for path in ("/", "/sign-in", "/sign-up"):
        walk.go(path)
        found = Axe().run(walk.page)
        assert found.violations_count == 0, found.generate_report()


def signs_in(walk: Walk, email: str, password: str, *, status: int = 200) -> None:
    walk.fill(email=email, password=password)
    walk.press("Sign in", status=status)
