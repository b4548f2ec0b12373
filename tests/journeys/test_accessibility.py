"""Each page in each of its states, light and dark, English and Japanese: nothing that axe calls serious."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.fixtures.stack import Stack
from tests.journeys.conftest import Person
from tests.journeys.outside import Newcomer, Outside
from tests.journeys.walk import Walk

LOOKS = {"light English": ("light", "en"), "dark Japanese": ("dark", "ja")}
TOO_BAD = ("serious", "critical")
EVERYBODY = ("/get-started", "/sign-in", "/sign-up", "/style-book", "/style-book/card", "/style-book/down")
PAGES = {
    "keiri@aozora.example": ("/home", "/billing", "/billing/invoices/10299", "/billing/payment-methods", "/services"),
    "daniel.kowalski@mail.example": ("/home", "/services/7022"),
    "tsubasa.matsumoto@mail.example": ("/home", "/billing/payment-methods"),
    "grace.kim@mail.example": (
        "/home",
        "/catalog",
        "/catalog/NET-FIBER-1G",
        "/cart",
        "/orders",
        "/billing",
        "/services",
    ),
}
"""Much of everything · overdue and suspended · a card that has expired · nothing yet. None of them is changed here."""


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest, stack: Stack) -> list[Any]:
    """The cookies of a person who has chosen colors and language."""
    theme, language = LOOKS[request.param]
    chosen = {"portico-theme": theme, "portico-lang": language}
    return [{"name": name, "value": value, "url": stack.url} for name, value in chosen.items()]


def test_the_pages_of_customers(person: Person, stack: Stack, look: list[Any]) -> None:
    faults: list[str] = []
    for email, paths in PAGES.items():
        walk = person()
        walk.page.context.add_cookies(look)
        enters(walk, stack, email)
        for path in paths:
            walk.go(path)
            faults += serious(walk)
    assert faults == []


def test_the_pages_of_everybody(person: Person, look: list[Any]) -> None:
    walk = person()
    walk.page.context.add_cookies(look)
    walk.expect_trouble(503)
    faults: list[str] = []
    for path in EVERYBODY:
        walk.page.goto(path)
        faults += serious(walk)
    assert faults == []


def test_the_way_to_a_line(person: Person, outside: Outside, look: list[Any]) -> None:
    """What only an order under way shows: refused input, checkout with and without a card, progress, install code."""
    newcomer = outside.newcomer()
    walk = person()
    walk.sign_up(newcomer)
    walk.page.context.add_cookies(look)
    faults = fills_the_cart(walk, newcomer)
    order_id = orders(walk)
    faults += serious(walk)
    outside.press("salesforce", "review-order", order=order_id, number=newcomer.line_number)
    walk.reload_until(lambda: walk.page.locator("form[action$='/install']").count() > 0, 60)
    faults += serious(walk)
    walk.send(f"/orders/{order_id}/install")
    faults += serious(walk)
    assert faults == []


def fills_the_cart(walk: Walk, newcomer: Newcomer) -> list[str]:
    faults: list[str] = []
    walk.go("/catalog/MOB-ESIM-30GB")
    walk.fill(eid="123")
    walk.send("/cart/items", status=422)
    faults += serious(walk)
    walk.fill(eid=newcomer.eid)
    walk.send("/cart/items")
    faults += serious(walk)
    walk.go("/checkout")
    return faults + serious(walk)


def orders(walk: Walk) -> str:
    walk.outside.press("whmcs", "add-card", client_id=walk.api("/me")["whmcs_client_id"])
    walk.go("/checkout")
    walk.send("/checkout")
    walk.is_at("/orders/801[0-9A-Za-z]{15}")
    return walk.page.url.rpartition("/")[2]


def enters(walk: Walk, stack: Stack, email: str) -> None:
    password = next(one["password"] for one in stack.world["customers"]["ready"] if one["email"] == email)
    walk.sign_in(email, password)


def serious(walk: Walk) -> list[str]:
    found = Axe().run(walk.page).response["violations"]
    return [
        f"{walk.page.url}: {fault['id']} {[node['html'][:150] for node in fault['nodes'][:3]]}"
        for fault in found
        if fault["impact"] in TOO_BAD
    ]
