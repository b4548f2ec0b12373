"""By keyboard and by ear: refused forms, menus, the skip link, what is read out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.stack import Stack
from tests.journeys.conftest import Person
from tests.journeys.outside import Newcomer, Outside
from tests.journeys.places import NOBODY, RESIDENT, places
from tests.journeys.resident import Resident
from tests.journeys.sight import serious
from tests.journeys.test_every_page import ANY, enters
from tests.journeys.walk import Walk

# Forms in which one types: their places on the page, and what they are sent to. (The style book's go nowhere.)
TYPED = """() => [...document.forms].map((form, place) => [place, form.method, new URL(form.action).pathname,
  [...form.elements].some((e) => e.name && e.type !== "hidden" && e.tagName !== "BUTTON")])
  .filter(([place, method, path, is_typed]) => method === "post" && is_typed)"""
SEND_EMPTY = """(place) => {
  const form = document.forms[place];
  for (const e of form.elements) if (["INPUT", "TEXTAREA"].includes(e.tagName) && e.type !== "hidden") e.value = "";
  form.noValidate = true;
  form.requestSubmit();
}"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", [NOBODY, RESIDENT])
def test_every_refused_form_leads_to_its_fields(who: str, person: Person, stack: Stack, resident: Resident) -> None:
    """Sent empty, each form comes back with a summary that has the focus and whose links lead to the wrong fields."""
    walk, seen, faults = person(), set[str](), list[str]()
    enters(walk, stack, resident, who)
    walk.expect_trouble(*ANY, 409, 422)
    for path in [path for path in places(resident)[who] if not path.startswith("/style-book")]:
        walk.page.goto(path)
        for place, _, action, _ in walk.page.evaluate(TYPED):
            if action not in seen:
                seen.add(action)
                walk.page.goto(path)
                faults += [f"{path} → {action}: {fault}" for fault in refused(walk.page, place)]
    assert not faults, "\n".join(faults)
    assert len(seen) >= (5 if who == NOBODY else 6), seen


def refused(page: Page, place: int) -> list[str]:
    with page.expect_navigation() as navigation:
        page.evaluate(SEND_EMPTY, place)
    if navigation.value.status not in (401, 409, 422):
        return [f"answers {navigation.value.status}"]
    summary = page.locator("#error-summary")
    expect(summary).to_be_focused()
    faults = serious(page)
    links = summary.locator("a[href^='#']")
    for number in range(links.count()):
        target = (links.nth(number).get_attribute("href") or "")[1:]
        links.nth(number).click()
        field = page.locator(f'[id="{target}"]')
        if field.count() != 1 or not field.evaluate("(e) => e === document.activeElement || e.tagName === 'FIELDSET'"):
            faults.append(f"the summary's link to {target} does not lead there")
    return faults


def test_the_skip_link_skips(walk: Walk, stack: Stack, resident: Resident) -> None:
    enters(walk, stack, resident, RESIDENT)
    walk.go("/billing")
    walk.page.keyboard.press("Tab")
    skip = walk.page.locator("a.skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    walk.page.keyboard.press("Enter")
    walk.page.keyboard.press("Tab")
    assert walk.page.evaluate("() => document.querySelector('main').contains(document.activeElement)")


def test_the_menu_closes_by_escape(walk: Walk, stack: Stack, resident: Resident) -> None:
    enters(walk, stack, resident, RESIDENT)
    walk.go("/home")
    summary, out = walk.page.locator("details.menu > summary"), walk.page.get_by_role("button", name="Sign out")
    summary.focus()
    walk.page.keyboard.press("Enter")
    expect(out).to_be_visible()
    walk.page.keyboard.press("Tab")
    assert walk.page.evaluate("() => document.querySelector('.menu-body').contains(document.activeElement)")
    walk.page.keyboard.press("Escape")
    expect(out).to_be_hidden()
    expect(summary).to_be_focused()


def test_what_was_done_is_read_out(walk: Walk, outside: Outside) -> None:
    """After an order: the thanks at once, and each step of it as it comes, on the page that one is on."""
    newcomer = outside.newcomer()
    walk.sign_up(newcomer)
    live = walk.page.locator("#live")
    expect(live).to_have_attribute("role", "status")
    expect(live).to_have_text("Welcome! Your account is ready.")
    order_id = orders(walk, newcomer)
    expect(live).to_have_text("Thank you. We have received your order.")
    expect(walk.page.locator("h1")).to_be_focused()
    expect(walk.page.locator(".flash[role=status]")).to_have_count(1)
    address = walk.page.url
    outside.press("salesforce", "approve-order", order=order_id)
    expect(live).to_contain_text("Complete", timeout=30_000)
    assert walk.page.url == address
    expect(walk.page.locator("h1")).to_be_focused()


def orders(walk: Walk, newcomer: Newcomer) -> str:
    walk.outside.press("whmcs", "add-card", client_id=walk.api("/me")["whmcs_client_id"])
    walk.go("/catalog/VPN-HOME")
    walk.press("Add to cart")
    walk.follow("Go to checkout")
    walk.press("Place the order")
    walk.is_at("/orders/801[0-9A-Za-z]{15}")
    return walk.page.url.rpartition("/")[2]
