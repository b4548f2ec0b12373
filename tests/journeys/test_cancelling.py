"""An order is taken back: by the customer, by staff before their eyes, and a moment too late."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.journeys.conftest import Person
from tests.journeys.outside import Newcomer, Outside
from tests.journeys.walk import Walk

ORDER = "/orders/801[0-9A-Za-z]{15}"
LIVE_MS = 30_000


def test_the_customer_cancels(walk: Walk, outside: Outside) -> None:
    """Another window of theirs sees it without being touched; the cart and a new order are as before."""
    newcomer, order_id = orders(walk, outside)
    elsewhere = walk.page.context.new_page()
    elsewhere.goto(f"/orders/{order_id}")
    walk.follow("Cancel this order")
    walk.reads("Cancel this order?", "VPN Home", "Prices without tax.", "you can cancel it free of charge")
    walk.follow("Keep it")
    walk.reads("Waiting for approval")
    walk.follow("Cancel this order")
    walk.press("Cancel the order")
    walk.is_at(f"/orders/{order_id}")
    walk.reads("Your order is cancelled. You pay nothing for it.", "Cancelled by you")
    expect(walk.page.get_by_role("link", name="Cancel this order")).to_have_count(0)
    expect(elsewhere.locator("main")).to_contain_text("You cancelled this order", timeout=LIVE_MS)
    assert f"/orders/{order_id}" in outside.mail(newcomer.email, "Your order is cancelled")["text"]
    walk.go("/notifications")
    walk.reads("You cancelled your order.")


def test_without_script(person: Person, outside: Outside) -> None:
    """The button again, from a page that was kept: nothing breaks, and nothing is done twice."""
    walk = person(java_script_enabled=False)
    newcomer, order_id = orders(walk, outside)
    walk.go(f"/orders/{order_id}/cancellation")
    kept = walk.page.context.new_page()
    kept.goto(f"/orders/{order_id}/cancellation")
    walk.press("Cancel the order")
    kept.get_by_role("button", name="Cancel the order").click()
    expect(kept.locator("main")).to_contain_text("You cancelled this order")
    outside.mail(newcomer.email, "Your order is cancelled")
    walk.go(f"/orders/{order_id}/cancellation")
    walk.is_at(f"/orders/{order_id}")


def test_staff_cancel_while_somebody_looks(walk: Walk, outside: Outside) -> None:
    newcomer, order_id = orders(walk, outside)
    address = walk.page.url
    outside.press("salesforce", "cancel-order", order=order_id)
    expect(walk.page.locator("main")).to_contain_text("cancelled by our staff", timeout=LIVE_MS)
    assert walk.page.url == address
    expect(walk.page.locator("h1")).to_be_focused()
    expect(walk.page.get_by_role("link", name="Cancel this order")).to_have_count(0)
    assert f"/orders/{order_id}" in outside.mail(newcomer.email, "Your order was cancelled")["text"]


def test_it_was_approved_a_moment_before(walk: Walk, outside: Outside) -> None:
    newcomer, order_id = orders(walk, outside)
    walk.follow("Cancel this order")
    outside.press("salesforce", "approve-order", order=order_id)
    walk.press("Cancel the order", status=409)
    walk.reads("This order was not cancelled", "Ask our support")
    walk.follow("Back to the order")
    walk.reload_until(lambda: walk.shows("Your order is complete"))
    assert all("cancelled" not in mail["subject"] for mail in outside.mails(newcomer.email, 2))


def orders(walk: Walk, outside: Outside) -> tuple[Newcomer, str]:
    newcomer = outside.newcomer()
    walk.sign_up(newcomer)
    outside.press("whmcs", "add-card", client_id=walk.api("/me")["whmcs_client_id"])
    walk.go("/catalog/VPN-HOME")
    walk.press("Add to cart")
    walk.follow("Go to checkout")
    walk.press("Place the order")
    walk.is_at(ORDER)
    return newcomer, walk.page.url.rpartition("/")[2]
