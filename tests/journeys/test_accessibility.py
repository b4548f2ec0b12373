"""What only an order under way shows, light and dark, English and Japanese: nothing that axe calls serious."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import Person
from tests.journeys.outside import Newcomer, Outside
from tests.journeys.sight import serious, sticks_out
from tests.journeys.walk import Walk


@pytest.mark.parametrize("locale", ["en-US", "ja-JP"])
def test_the_way_to_a_line(locale: str, person: Person, outside: Outside) -> None:
    """Refused input, checkout with and without a card, progress, install code."""
    newcomer = outside.newcomer()
    walk = person(locale=locale)
    walk.sign_up(newcomer)
    faults = fills_the_cart(walk, newcomer)
    order_id = orders(walk)
    faults += seen(walk)
    outside.press("salesforce", "review-order", order=order_id, number=newcomer.line_number)
    walk.reload_until(lambda: walk.page.locator("form[action$='/install']").count() > 0)
    faults += seen(walk)
    walk.send(f"/orders/{order_id}/install")
    faults += seen(walk)
    assert not faults, "\n".join(faults)


def fills_the_cart(walk: Walk, newcomer: Newcomer) -> list[str]:
    walk.go("/catalog/MOB-ESIM-30GB")
    walk.fill(eid="123")
    walk.send("/cart/items", status=422)
    faults = seen(walk)
    walk.fill(eid=newcomer.eid)
    walk.send("/cart/items")
    walk.go("/checkout")
    return faults + seen(walk)


def orders(walk: Walk) -> str:
    walk.outside.press("whmcs", "add-card", client_id=walk.api("/me")["whmcs_client_id"])
    walk.go("/checkout")
    walk.send("/checkout")
    walk.is_at("/orders/801[0-9A-Za-z]{15}")
    return walk.page.url.rpartition("/")[2]


def seen(walk: Walk) -> list[str]:
    return [f"{walk.page.url}: {fault}" for fault in (*serious(walk.page), *sticks_out(walk.page))]
