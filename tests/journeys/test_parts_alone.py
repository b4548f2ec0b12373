"""A system is down: exactly the part that needs it says so, the rest of the portal works."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.fixtures.stack import Stack
from tests.journeys.outside import Outside
from tests.journeys.walk import Walk

LATER = "Not available just now"


def test_salesforce_is_down(walk: Walk, outside: Outside, stack: Stack) -> None:
    """Nothing of this customer has been read before, so that no copy can stand in."""
    enters(walk, stack, "yuko.inoue@mail.example")
    with outside.trouble("salesforce"):
        walk.go("/home")
        only_later(walk, "Open orders", "Questions")
        walk.reads("Mobile eSIM 3 GB", "All invoices are paid.")
        walk.go("/catalog")
        only_later(walk, "Products")
        walk.go("/orders")
        only_later(walk, "Orders")
        walk.go("/catalog/VPN-HOME", status=503)
        walk.reads("Please try again later")
        walk.go("/billing")
        expect(walk.page.get_by_text(LATER)).to_have_count(0)
    comes_back(walk, "Mobile eSIM 3 GB")


def test_whmcs_is_down(walk: Walk, outside: Outside, stack: Stack) -> None:
    enters(walk, stack, "isabella.delacruz@mail.example")
    with outside.trouble("whmcs"):
        walk.go("/home")
        only_later(walk, "Amount to pay", "Your services")
        for path, part in {
            "/billing": "Invoices",
            "/services": "Services",
            "/billing/payment-methods": "Payment methods",
        }.items():
            walk.go(path)
            only_later(walk, part)
        walk.go("/billing/invoices/9172", status=503)
        walk.reads("Please try again later")
        walk.go("/catalog")
        walk.reads("Mobile eSIM 10 GB")
        walk.go("/orders")
        walk.reads("No orders yet")
    comes_back(walk, "Mobile eSIM 10 GB")


def enters(walk: Walk, stack: Stack, email: str) -> None:
    password = next(one["password"] for one in stack.world["customers"]["ready"] if one["email"] == email)
    walk.sign_in(email, password)


def only_later(walk: Walk, *parts: str) -> None:
    """These parts say "later", and no other."""
    later = walk.page.locator("section", has_text=LATER)
    expect(later).to_have_count(len(parts))
    for part in parts:
        expect(walk.page.get_by_role("region", name=part, exact=True)).to_contain_text(LATER)


def comes_back(walk: Walk, words: str) -> None:
    walk.go("/home")
    walk.reads(words)
    expect(walk.page.get_by_text(LATER)).to_have_count(0)
