"""The same way walked by others: without script, and on a phone in Japanese."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import expect

import portico
from tests.fixtures.stack import Stack
from tests.journeys.conftest import Person
from tests.journeys.outside import Newcomer, Outside
from tests.journeys.walk import NARROW, Walk

PO = Path(portico.__file__).parent / "locales/ja/LC_MESSAGES/portico.po"
ORDER = "/orders/801[0-9A-Za-z]{15}"
SHORTEST = 12
"""Letters of an English sentence that could not be part of a name."""


@pytest.fixture(scope="module")
def english() -> list[str]:
    """Our sentences without values, as they read when they were forgotten."""
    with PO.open("rb") as file:
        texts = [message.id for message in read_po(file, locale="ja") if isinstance(message.id, str)]
    return [text for text in texts if len(text) >= SHORTEST and "%" not in text and " " in text]


def test_without_script_two_clicks_make_one_order(person: Person, outside: Outside, stack: Stack) -> None:
    newcomer, walk = outside.newcomer(), person(java_script_enabled=False)
    walk.sign_up(newcomer)
    walk.go("/catalog/MOB-ESIM-3GB")
    walk.press("Add to cart", status=422)
    walk.sees_summary("32 digits")
    walk.fill(eid=newcomer.eid)
    walk.press("Add to cart")
    walk.follow("Go to checkout")
    walk.press("Add a card at our billing site")
    assert walk.page.url.startswith(stack.world["whmcs"]["url"])
    walk.fill(number="5555555555554444", expiry="11/33")
    walk.press("Add card")
    walk.follow("Return to the portal")
    with outside.trouble("salesforce", "slow", call="composite", seconds=0.8):
        assert walk.press_twice("Place the order", ORDER) == 2
    walk.reads("Mobile eSIM 3 GB", "Waiting for approval")
    assert orders_of(newcomer, outside) == 1

    walk.go("/cart")
    walk.reads("Your cart is empty")
    walk.page.locator("summary").first.click()
    walk.press("Sign out")
    walk.is_at("/sign-in")


def test_two_clicks_make_one_order(walk: Walk, outside: Outside) -> None:
    newcomer = outside.newcomer()
    walk.sign_up(newcomer)
    has_card_and_cart(walk, newcomer, "VPN-HOME")
    walk.go("/checkout")
    with outside.trouble("salesforce", "slow", call="composite", seconds=0.8):
        assert walk.press_twice("Place the order", ORDER) == 1  # the page itself stops the second
    walk.reads("Thank you. We have received your order.", "VPN Home")
    assert orders_of(newcomer, outside) == 1


def test_on_a_phone_in_japanese(person: Person, outside: Outside, english: list[str]) -> None:
    newcomer = outside.newcomer()
    walk = person(locale="ja-JP", viewport=NARROW, is_mobile=True, has_touch=True)

    def look(path: str, **more: int) -> None:
        walk.go(path, **more)
        speaks_japanese(walk, english)

    look("/")
    look("/sign-up")
    walk.type_in(newcomer.typed() | {"password": "short"})
    walk.send("/sign-up", status=422)
    speaks_japanese(walk, english)
    walk.sign_up(newcomer, last_name="佐藤", first_name="花子", address__state="東京都", address__city="渋谷区")
    speaks_japanese(walk, english)
    look("/catalog")
    look("/catalog/MOB-ESIM-10GB")
    walk.fill(eid=newcomer.eid)
    walk.send("/cart/items")
    speaks_japanese(walk, english)
    look("/checkout")
    outside.press("whmcs", "add-card", client_id=walk.api("/me")["whmcs_client_id"])
    look("/checkout")
    walk.send("/checkout")
    walk.is_at(ORDER)
    speaks_japanese(walk, english)
    for path in ("/orders", "/services", "/billing", "/billing/payment-methods", "/cart"):
        look(path)
    look("/orders/unknown", status=404)
    for mail in outside.mails(newcomer.email, 2):
        assert [text for text in english if text in mail["subject"] + mail["text"]] == []


def has_card_and_cart(walk: Walk, newcomer: Newcomer, sku: str) -> None:
    walk.outside.press("whmcs", "add-card", client_id=walk.api("/me")["whmcs_client_id"])
    walk.go(f"/catalog/{sku}")
    walk.press("Add to cart")


def orders_of(newcomer: Newcomer, outside: Outside) -> int:
    return len(outside.ledger("salesforce", "create Order", AccountId=newcomer.account))


def speaks_japanese(walk: Walk, english: list[str]) -> None:
    """No sentence of ours is left in English."""
    expect(walk.page.locator("html")).to_have_attribute("lang", "ja")
    words = walk.page.locator("body").inner_text()
    assert [text for text in english if text in words] == [], walk.page.url
