"""What may stand in the way of an order at the last moment, and how it goes on."""

from __future__ import annotations

import pytest

from tests.fixtures.until import until_sync
from tests.journeys.outside import Newcomer, Outside
from tests.journeys.walk import Walk


@pytest.fixture
def newcomer(outside: Outside) -> Newcomer:
    return outside.newcomer(eligibility="Mobile;Internet")


def test_the_card_is_gone(walk: Walk, newcomer: Newcomer, outside: Outside) -> None:
    client_id = is_at_checkout(walk, newcomer, "VPN-HOME")
    outside.press("whmcs", "remove-cards", client_id=client_id)  # WHMCS tells nobody
    walk.press("Place the order", status=409)
    walk.sees_summary("You have no valid payment method yet.")
    walk.press("Add a card at our billing site")
    walk.fill(number="4242424242424242", expiry="01/35")
    walk.press("Add card")
    walk.follow("Return to the portal")
    walk.is_at("/checkout")
    orders(walk, newcomer)


def test_the_product_is_no_longer_for_them(walk: Walk, newcomer: Newcomer, outside: Outside) -> None:
    is_at_checkout(walk, newcomer, "NET-FIBER-1G")
    outside.press("salesforce", "change-eligibility", account=newcomer.account, eligibility="Mobile")
    until_sync(lambda: walk.api("/eligibility")["eligibility"] == ["Mobile"])
    walk.press("Place the order", status=409)
    walk.sees_summary("has changed since you saw it")
    walk.reads("This product is not available for your account. Remove it to go on.")
    walk.follow("Back to the cart")
    while walk.shows("Remove it to go on."):
        walk.page.get_by_role("button", name="Remove").first.click()
    walk.reads("Your cart is empty")
    assert orders_of(newcomer, outside) == 0


def test_the_price_has_changed(walk: Walk, newcomer: Newcomer, outside: Outside) -> None:
    is_at_checkout(walk, newcomer, "OTH-MAIL")
    outside.press("salesforce", "change-price", sku="OTH-MAIL", net="350")
    until_sync(lambda: walk.api("/cart")["monthly"]["net"]["amount"] == "350")
    walk.press("Place the order", status=409)
    walk.sees_summary("a price has changed since you saw it")
    walk.reads("¥350", "¥385")
    assert orders_of(newcomer, outside) == 0
    orders(walk, newcomer)


def test_whmcs_is_down(walk: Walk, newcomer: Newcomer, outside: Outside) -> None:
    is_at_checkout(walk, newcomer, "VPN-HOME")
    with outside.trouble("whmcs"):
        walk.press("Place the order", status=503)
        walk.reads("Please try again later")
        walk.go("/checkout", status=503)
        walk.reads("Please try again later")
        walk.go("/cart")
        walk.reads("VPN Home", "¥550")
    assert orders_of(newcomer, outside) == 0
    walk.go("/checkout")
    orders(walk, newcomer)


def test_salesforce_does_not_answer_to_the_order(walk: Walk, newcomer: Newcomer, outside: Outside) -> None:
    """It may have been placed or not: the person need not know, and there is one order in the end."""
    is_at_checkout(walk, newcomer, "VPN-HOME")
    with outside.trouble("salesforce", call="composite"):
        walk.press("Place the order", status=202)
        walk.is_at("/orders/pending-[0-9a-f-]+")
        walk.reads("We are finishing your order", "Please do not repeat it")
    walk.reload_until(lambda: "/pending-" not in walk.page.url, 60)
    walk.reads("Waiting for approval")
    assert orders_of(newcomer, outside) == 1


def is_at_checkout(walk: Walk, newcomer: Newcomer, sku: str) -> str:
    """Signed up, with a card and a cart; answers the WHMCS client id."""
    walk.sign_up(newcomer)
    client_id: str = walk.api("/me")["whmcs_client_id"]
    walk.outside.press("whmcs", "add-card", client_id=client_id)
    walk.go(f"/catalog/{sku}")
    walk.press("Add to cart")
    walk.follow("Go to checkout")
    return client_id


def orders(walk: Walk, newcomer: Newcomer) -> None:
    walk.press("Place the order")
    walk.is_at("/orders/801[0-9A-Za-z]{15}")
    assert orders_of(newcomer, walk.outside) == 1


def orders_of(newcomer: Newcomer, outside: Outside) -> int:
    return len(outside.ledger("salesforce", "create Order", AccountId=newcomer.account))
