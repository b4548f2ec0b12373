"""The world is one: ids are valid and never meet twice, and what refers to something finds it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico_sandbox.sf_id import is_id, suffix_of, to_18
from portico_sandbox.world import PORTAL_PRICEBOOK_ID, World
from portico_sandbox.world_types import Person

WORLD = World()
PEOPLE = WORLD.people


@pytest.mark.parametrize("known", ["0015f00002JUZPDAA5", "a0D30000001n7PiEAI", "000000000000000AAA"])
def test_known_suffixes(known: str) -> None:
    assert to_18(known[:15]) == to_18(known) == known


@given(st.text("abcXYZ019", min_size=15, max_size=15))
def test_a_wrong_suffix_is_no_id(fifteen: str) -> None:
    assert is_id(fifteen + suffix_of(fifteen))
    assert not is_id(fifteen + ("AAB" if suffix_of(fifteen) == "AAA" else "AAA"))


@pytest.mark.parametrize("wrong", ["", "001", "0015f00002JUZPDAA", "0015f00002JUZP-", "００１5f00002JUZPD"])
def test_what_is_no_id(wrong: str) -> None:
    assert not is_id(wrong)


def test_salesforce_ids_are_valid_and_of_their_kind() -> None:
    ids = {
        "001": [p.sf_account_id for p in PEOPLE if p.sf_account_id],
        "003": [p.sf_contact_id for p in PEOPLE if p.sf_contact_id],
        "01t": [p.sf_product_id for p in WORLD.products],
        "01u": [p.sf_entry_id for p in WORLD.products],
        "01s": [PORTAL_PRICEBOOK_ID],
    }
    for prefix, of_kind in ids.items():
        assert all(is_id(each) and len(each) == 18 and each.startswith(prefix) for each in of_kind), prefix
        assert len(set(of_kind)) == len(of_kind), prefix


def test_numbers_never_meet_twice() -> None:
    services = [service for person in PEOPLE for service in person.services]
    for values in (
        [p.customer_number for p in PEOPLE if p.customer_number],
        [p.email for p in PEOPLE],
        [p.whmcs_client_id for p in PEOPLE if p.whmcs_client_id],
        [p.whmcs_user_id for p in PEOPLE if p.whmcs_user_id],
        [i.id for p in PEOPLE for i in p.invoices],
        [c.id for p in PEOPLE for c in p.cards],
        [s.id for s in services],
        [s.line_number for s in services if s.line_number],
        [p.sku for p in WORLD.products],
        [p.whmcs_product_id for p in WORLD.products],
        [p.display_order for p in WORLD.products],
    ):
        assert [value for value, count in Counter(values).items() if count > 1] == []
    assert all(p.whmcs_client_id != p.whmcs_user_id for p in PEOPLE if p.whmcs_client_id)


def test_what_refers_to_something_finds_it() -> None:
    skus = set(WORLD.product_by_sku)
    assert {s.sku for p in PEOPLE for s in p.services} <= skus
    assert {p.requires_sku for p in WORLD.products} | {p.excludes_sku for p in WORLD.products} <= skus | {""}
    for person in PEOPLE:
        own = {service.id for service in person.services}
        assert {line.service_id for bill in person.invoices for line in bill.lines} <= own | {None}


def test_everybody_is_who_they_are_said_to_be() -> None:
    for person in PEOPLE:
        has_client, has_account = person.whmcs_client_id is not None, bool(person.sf_account_id)
        assert (person.whmcs_user_id is not None) == has_client == bool(person.password), person.email
        if person.role == "ready":
            assert has_client and has_account and person.portal_status == "Active", person.email
        if person.role == "free":
            assert has_account and not has_client, person.email
            assert person.address.postal_code and person.portal_status == "Not invited", person.email
        assert person.email.endswith(".example")
        assert person.notes


def test_the_states_that_matter_are_there() -> None:
    ready = of_role("ready")
    assert len(of_role("free")) >= 8
    assert len([p for p in PEOPLE if p.may_link]) >= 3
    assert {0, 1, 10, 11, 300} <= {len(p.invoices) for p in ready}
    assert any(not p.cards for p in ready)
    assert any(p.cards and all(card.expires_in_months < 0 for card in p.cards) for p in ready)
    assert any(bill.status == "Unpaid" and bill.due_in_days < 0 for p in ready for bill in p.invoices)
    assert {s.status for p in ready for s in p.services} == {
        "Active",
        "Pending",
        "Suspended",
        "Cancelled",
        "Terminated",
    }
    company = max(ready, key=lambda p: len(p.invoices))
    assert len({bill.status for bill in company.invoices}) == 7
    assert any(p.two_factor for p in PEOPLE)
    assert any(p.customer_number and not p.sf_account_id and p.whmcs_client_id for p in PEOPLE)
    for eligible in ({"Mobile"}, {"Internet"}, {"Mobile", "Internet"}, set[str]()):
        assert any(set(p.eligibility) == eligible for p in of_role("free")), eligible


def test_every_kind_of_product_is_there() -> None:
    products = WORLD.products
    assert {p.category for p in products} == {"Internet", "Mobile", "VPN", "Other"}
    assert {p.item_class for p in products} == {"Service", "Activation", "Installation", "Add-on"}
    assert {p.sim_kind for p in products} == {"", "Physical", "eSIM"}
    for flag in ("is_active", "portal_visible", "orderable", "available"):
        assert any(not getattr(product, flag) for product in products), flag
    assert any(product.promotion for product in products)
    for plan in (p for p in products if p.sim_kind):
        assert plan.freebit_plan_code and plan.requires_sku and plan.billing_cycle == "Monthly"


def of_role(role: str) -> list[Person]:
    return [person for person in PEOPLE if person.role == role]
