"""What a person reads who can't sign up (yet), and that nothing of what they typed is lost but the password."""

from __future__ import annotations

import dataclasses

import pytest
from playwright.sync_api import expect

from tests.fixtures.stack import Stack
from tests.journeys.outside import Newcomer, Outside
from tests.journeys.walk import Walk

NO_SUCH_NUMBER = "We could not find this customer number with this postal code."
TRY_LATER = "We can not sign you up just now"
TAKEN_NUMBER = Newcomer("CN-100301", "420-0851", "somebody.new@mail.example", "")


@pytest.fixture
def newcomer(outside: Outside) -> Newcomer:
    return outside.newcomer()


def test_an_unknown_number_and_a_wrong_postal_code_read_alike(walk: Walk, newcomer: Newcomer) -> None:
    strangers = [
        dataclasses.replace(newcomer, customer_number="CN-000000"),
        dataclasses.replace(newcomer, postal_code="999-9999"),
    ]
    summaries = [refusal(walk, stranger, 422) for stranger in strangers]
    assert summaries[0] == summaries[1]
    assert NO_SUCH_NUMBER in summaries[0]


def test_a_taken_number_says_how_to_get_in(walk: Walk) -> None:
    refusal(walk, TAKEN_NUMBER, 409)
    walk.sees_summary("already has a portal account")
    walk.page.locator("#error-summary").get_by_role("link", name="Sign in").click()
    walk.is_at("/sign-in")


def test_a_taken_address_says_how_to_get_in(walk: Walk, newcomer: Newcomer, stack: Stack) -> None:
    taken = stack.world["customers"]["ready"][0]["email"]
    refusal(walk, dataclasses.replace(newcomer, email=taken), 409)
    walk.sees_summary("already an account with this e-mail address")
    walk.fill(email=newcomer.email, password="correct horse battery")
    walk.send("/sign-up")
    walk.is_at("/home")  # the rest was still there


def test_every_field_says_what_it_wants(walk: Walk) -> None:
    walk.go("/sign-up")
    walk.fill(email="hanako@", password="12345", last_name="佐藤", address__postal_code="15")
    walk.send("/sign-up", status=422)
    walk.sees_summary("Please check the marked fields.", "Enter your customer number.", "Enter your first name.")
    for name, said in {
        "email": "Enter a whole e-mail address",
        "password": "at least 10 characters",
        "phone": "Enter a phone number",
        "address.postal_code": "7 digits",
        "address.street": "Enter your street address.",
    }.items():
        expect(walk.page.locator(f'[id="f-{name}-fault"]')).to_contain_text(said)
        expect(walk.page.locator(f'[name="{name}"]')).to_have_attribute("aria-invalid", "true")
    expect(walk.page.locator("[name=last_name]")).to_have_value("佐藤")
    expect(walk.page.locator("[name=password]")).to_have_value("")
    walk.page.locator("#error-summary").get_by_role("link", name="Enter your first name.").click()
    expect(walk.page.locator("[name=first_name]")).to_be_focused()


@pytest.mark.parametrize("system", ["whmcs", "salesforce"])
def test_a_system_is_down_try_again_later(walk: Walk, newcomer: Newcomer, outside: Outside, system: str) -> None:
    with outside.trouble(system):
        refusal(walk, newcomer, 503)
        walk.sees_summary(TRY_LATER, "Nothing was created.")
    assert clients_of(newcomer, outside) == 0
    walk.fill(password="correct horse battery")
    walk.send("/sign-up")
    walk.is_at("/home")
    assert clients_of(newcomer, outside) == 1


def refusal(walk: Walk, person: Newcomer, status: int) -> str:
    """Signs up and is refused; answers what the summary says."""
    walk.go("/sign-up")
    typed = person.typed()
    walk.type_in(typed)
    answer = walk.send("/sign-up", status=status)
    assert ("retry-after" in answer.headers) == (status == 503)
    walk.is_at("/sign-up")
    walk.sees_summary()
    for name, value in typed.items():
        expect(walk.page.locator(f'[name="{name}"]')).to_have_value("" if name == "password" else value)
    return walk.page.locator("#error-summary").inner_text()


def clients_of(newcomer: Newcomer, outside: Outside) -> int:
    return len(outside.ledger("whmcs", "AddClient", email=newcomer.email))
