"""The whole way: from the contract letter to a line that works and a bill that is paid."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.fixtures.stack import Stack
from tests.fixtures.until import until_sync
from tests.journeys.outside import Newcomer, Outside
from tests.journeys.walk import Walk

PAID_WITHIN_SECONDS = 5
"""The design says 1 s; the machine that tests run on may be busy."""


def test_from_the_contract_letter_to_a_paid_bill(walk: Walk, outside: Outside, stack: Stack) -> None:
    newcomer = outside.newcomer()
    comes_in(walk)
    walk.type_in(newcomer.typed())
    walk.press("Create an account")
    walk.is_at("/home")
    walk.reads("Welcome! Your account is ready.", "Nothing", "You have no valid payment method")
    assert "/sign-in" in outside.mail(newcomer.email, "Welcome to Portico Telecom")["text"]

    chooses_an_esim_plan(walk, newcomer)
    adds_a_card_on_the_way(walk, stack)
    order_id = orders(walk)
    assert f"/orders/{order_id}" in outside.mail(newcomer.email, "We have received your order")["text"]

    becomes_complete(walk, newcomer, order_id)
    sees_the_install_code(walk, order_id)
    sees_the_line_among_the_services(walk, newcomer)
    pays_the_bill(walk, stack)
    walk.go("/home")
    walk.reads("All invoices are paid.", "Mobile eSIM 10 GB", newcomer.line_number)


def comes_in(walk: Walk) -> None:
    walk.go("/")
    walk.follow("Create an account")
    walk.is_at("/sign-up")


def chooses_an_esim_plan(walk: Walk, newcomer: Newcomer) -> None:
    walk.go("/catalog")
    walk.follow("Mobile eSIM 10 GB")
    walk.reads("¥1,980", "¥2,178 with tax", "eSIM activation fee")
    walk.fill(eid="123")
    walk.press("Add to cart", status=422)
    walk.sees_summary("32 digits")
    expect(walk.page.locator("[name=eid]")).to_have_value("123")
    walk.fill(eid=f"{newcomer.eid[:16]} {newcomer.eid[16:]}")
    walk.press("Add to cart")
    walk.is_at("/cart")
    walk.reads(
        "Added to your cart.",
        "Mobile eSIM 10 GB",
        f"EID ending in {newcomer.eid[-6:]}",
        "eSIM activation fee",
        "¥3,300",
    )


def adds_a_card_on_the_way(walk: Walk, stack: Stack) -> None:
    """No card, no order; the cart outlives the way to the billing site and back."""
    walk.follow("Go to checkout")
    walk.reads("You have no valid payment method yet")
    expect(walk.page.get_by_role("button", name="Place the order")).to_have_count(0)
    walk.press("Add a card at our billing site")
    assert walk.page.url.startswith(stack.world["whmcs"]["url"])
    walk.fill(number="4242 4242 4242 4242", expiry="12/34")
    walk.press("Add card")
    walk.follow("Return to the portal")
    walk.is_at("/checkout")
    walk.reads("A card was added.", "Mobile eSIM 10 GB", "1-2-3 Jinnan")


def orders(walk: Walk) -> str:
    walk.press("Place the order")
    walk.is_at("/orders/801[0-9A-Za-z]{15}")
    walk.reads("Thank you. We have received your order.", "Waiting for approval", "Order checked and approved")
    return walk.page.url.rpartition("/")[2]


def becomes_complete(walk: Walk, newcomer: Newcomer, order_id: str) -> None:
    walk.outside.press("salesforce", "review-order", order=order_id, number=newcomer.line_number)
    walk.reload_until(lambda: walk.shows("eSIM being prepared") or walk.shows("Complete"), 60)
    walk.reload_until(lambda: walk.shows("Complete"), 60)
    walk.reads("Your eSIM is ready", "Ready to use", f"Number {newcomer.line_number}")
    expect(walk.page.locator(".step-done")).to_have_count(7)
    order = walk.api(f"/orders/{order_id}")
    assert [step["state"] for step in order["timeline"]] == ["done"] * 9


def sees_the_install_code(walk: Walk, order_id: str) -> None:
    walk.press("Show the install code")
    walk.is_at(f"/orders/{order_id}/install")
    walk.reads("Install your eSIM", "LPA:1$smdp.portico.example$")
    expect(walk.page.get_by_role("img", name="Install code as a picture")).to_be_visible()


def sees_the_line_among_the_services(walk: Walk, newcomer: Newcomer) -> None:
    walk.go("/services")
    walk.follow("Mobile eSIM 10 GB")
    walk.reads("Active", newcomer.line_number, "¥1,980")


def pays_the_bill(walk: Walk, stack: Stack) -> None:
    walk.go("/billing")
    walk.page.locator("main table a").first.click()
    walk.is_at("/billing/invoices/[0-9]+")
    invoice_id = walk.page.url.rpartition("/")[2]
    walk.reads("To pay", "¥5,478 to pay")  # (1980 + 3000) and a tenth
    elsewhere = walk.page.context.new_page()
    elsewhere.goto(f"/billing/invoices/{invoice_id}")

    walk.press("Pay this invoice")
    landed = urlsplit(walk.page.url)
    assert walk.page.url.startswith(stack.world["whmcs"]["url"])
    assert (landed.path, landed.query) == ("/viewinvoice.php", f"id={invoice_id}")
    walk.page.get_by_role("button", name=re.compile("Pay .* now")).click()
    expect(walk.page.locator("main")).to_contain_text("This invoice has been paid")

    # Not by coming back: the hook alone tells the portal.
    paid_at = time.monotonic()
    until_sync(lambda: walk.api(f"/invoices/{invoice_id}")["status"] == "paid", PAID_WITHIN_SECONDS)
    print(f"\npaid at WHMCS → paid in the portal: {time.monotonic() - paid_at:.2f} s")
    elsewhere.reload()
    expect(elsewhere.locator("main .heading")).to_contain_text("Paid")

    walk.follow("← Return to the portal")
    walk.is_at(f"/billing/invoices/{invoice_id}")
    walk.reads(f"Invoice {invoice_id} is paid", "Paid")
