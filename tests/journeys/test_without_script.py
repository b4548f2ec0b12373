"""Every form of the portal in a browser without script. The order itself: test_other_ways."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.fixtures.stack import Stack
from tests.journeys.conftest import Person
from tests.journeys.outside import PASSWORD, Newcomer, Outside
from tests.journeys.walk import Walk

NEW_PASSWORD = "another horse battery"


def test_everything_one_may_change(person: Person, outside: Outside, stack: Stack) -> None:
    newcomer, walk = outside.newcomer(), person(java_script_enabled=False)
    walk.sign_up(newcomer)
    changes_profile(walk)
    changes_email(walk, newcomer)
    asks_support(walk)
    reads_notices(walk)
    chooses_looks(walk)
    changes_password(walk)
    pays(walk, stack)
    leaves_and_forgets(walk, newcomer)


def test_linking(person: Person, stack: Stack) -> None:
    who, walk = stack.world["customers"]["whmcs_users"][0], person(java_script_enabled=False)
    walk.go("/get-started")
    walk.follow("Link your billing account")
    walk.fill(email=who["email"], password="wrong")
    walk.press("Link the account", status=401)
    walk.sees_summary()
    walk.fill(password=who["password"])
    walk.press("Link the account")
    walk.is_at(r"/password/new\?token=.*")
    walk.fill(new_password=PASSWORD)
    walk.press("Set the password")
    walk.is_at("/home")
    walk.reads("Welcome! Your account is ready.")


def changes_profile(walk: Walk) -> None:
    walk.go("/profile/details")
    walk.fill(phone="")
    walk.press("Save", status=422)
    walk.sees_summary("Please check the marked fields.")
    walk.fill(phone="03-9999-8888")
    walk.press("Save")
    walk.reads("Your changes are saved.", "0399998888")
    walk.go("/profile/address")
    walk.fill(city="Minato-ku")
    walk.press("Save")
    walk.is_at("/profile")
    walk.reads("Your changes are saved.", "Minato-ku")


def changes_email(walk: Walk, newcomer: Newcomer) -> None:
    new = f"new.{newcomer.email}"
    walk.go("/profile/email")
    walk.fill(email=new)
    walk.press("Send the code")
    walk.is_at("/profile/email/code")
    code = re.search(r"\b\d{6}\b", walk.outside.mails(new, 1)[0]["text"])
    assert code is not None
    walk.fill(code=code[0])
    walk.press("Use this address from now on")
    walk.page.goto("/profile")
    walk.reload_until(lambda: walk.shows(new))


def asks_support(walk: Walk) -> None:
    walk.go("/support/new")
    walk.fill(subject="No connection", description="Since yesterday evening.")
    walk.press("Send the question")
    walk.is_at("/support/500[0-9A-Za-z]{15}")
    walk.reads("No connection", "Since yesterday evening.")
    walk.fill(text="It is still so.")
    walk.press("Send the message")
    walk.reads("Your message was sent.", "It is still so.")


def reads_notices(walk: Walk) -> None:
    client_id = walk.api("/me")["whmcs_client_id"]
    walk.outside.press("whmcs", "add-card", client_id=client_id)
    walk.go("/catalog/VPN-HOME")
    walk.press("Add to cart")
    walk.follow("Go to checkout")
    walk.press("Place the order")
    order = walk.page.url.rpartition("/")[2]
    walk.outside.press("salesforce", "approve-order", order=order)
    walk.reload_until(lambda: walk.page.locator(".status", has_text="Complete").count() > 0)
    walk.page.goto("/notifications")
    walk.reload_until(lambda: walk.shows("Your order is complete."))
    walk.press("Mark all as read")
    expect(walk.page.get_by_role("button", name="Mark all as read")).to_have_count(0)
    expect(walk.page.locator(f"a[href='/orders/{order}']")).to_have_count(1)


def chooses_looks(walk: Walk) -> None:
    walk.go("/billing")
    walk.press("日本語")
    expect(walk.page.locator("html")).to_have_attribute("lang", "ja")
    walk.press("English")
    walk.press("Dark")
    expect(walk.page.locator("html")).to_have_attribute("data-theme", "dark")
    walk.is_at("/billing")


def changes_password(walk: Walk) -> None:
    walk.go("/profile/security")
    walk.fill(current_password="wrong", new_password=NEW_PASSWORD)
    walk.press("Change the password", status=422)
    walk.sees_summary()
    walk.fill(current_password=PASSWORD, new_password=NEW_PASSWORD)
    walk.press("Change the password")
    walk.reads("Your new password is set.")


def pays(walk: Walk, stack: Stack) -> None:
    walk.go("/billing")
    walk.page.locator("main table a").first.click()
    walk.is_at("/billing/invoices/[0-9]+")
    invoice = walk.page.url.rpartition("/")[2]
    walk.press("Pay this invoice")
    assert urlsplit(walk.page.url).path == "/viewinvoice.php"
    assert walk.page.url.startswith(stack.world["whmcs"]["url"])
    walk.page.get_by_role("button", name=re.compile("Pay .* now")).click()
    walk.follow("← Return to the portal")
    walk.reads(f"Invoice {invoice} is paid")


def leaves_and_forgets(walk: Walk, newcomer: Newcomer) -> None:
    walk.page.locator("details.menu > summary").click()
    walk.press("Sign out")
    walk.is_at("/sign-in")
    new = f"new.{newcomer.email}"
    walk.go("/password/forgotten")
    walk.fill(email=new)
    walk.press("Send me the link")
    mail = walk.outside.mail(new, "A new password for Portico Telecom")
    walk.go(next(link for link in mail["links"] if "/password/new" in link))
    walk.fill(new_password=PASSWORD)
    walk.press("Set the password")
    walk.is_at("/home")
