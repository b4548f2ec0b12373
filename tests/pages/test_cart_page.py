"""Cart, checkout and order: what a button did is said also without prices; what one agrees to is all there."""

from __future__ import annotations

import re

import httpx2

from tests.fixtures.browser import Page
from tests.fixtures.sandbox import SandboxControl
from tests.fulfillment.test_salesforce_calls import calls
from tests.house.conftest import Door

REMOVAL = re.compile(r"/cart/items/[^/]+/removal")


async def test_what_is_done_needs_no_price(door: Door) -> None:
    """Salesforce may die right after it: its prices are asked for before, never between the deed and the answer."""
    before = calls()
    page = Page(await door.owner.get("/cart"))
    a_look = calls() - before
    before = calls()
    assert (await door.owner.post("/cart/items", data={"sku": "OTH-SUPPORT"})).headers["location"] == "/cart"
    assert calls() - before == a_look
    before = calls()
    await remove(door, page)
    assert calls() - before == a_look


async def test_pressed_again_while_salesforce_is_away(door: Door, sandbox: SandboxControl) -> None:
    page = Page(await door.owner.get("/cart"))
    await remove(door, page)
    left = (await door.owner.get("/api/v1/cart")).json()["items"]
    await sandbox.dial("salesforce", "down")
    assert (await remove(door, page)).status_code == 303, "it has gone already: nothing is needed for it"
    await sandbox.undial()
    assert (await door.owner.get("/api/v1/cart")).json()["items"] == left


async def test_another_window_has_changed_it(door: Door) -> None:
    await door.owner.put("/api/v1/cart", json={"items": [{"sku": "VPN-HOME"}]})
    page = Page(await door.owner.get("/cart"))
    await door.owner.put("/api/v1/cart", json={"items": [{"sku": "VPN-HOME"}] * 2})
    answer = await remove(door, page)
    shown = await door.owner.get("/cart", headers={"accept-language": "en"})
    assert answer.headers["location"] == "/cart" and "Your cart has changed meanwhile" in shown.text
    assert len((await door.owner.get("/api/v1/cart")).json()["items"]) == 2


async def test_checkout_and_order_tell_all_that_is_agreed_to(door: Door) -> None:
    english = {"accept": "text/html", "accept-language": "en"}
    cart = (await door.owner.get("/api/v1/cart")).json()
    sums = [f"¥{int(cart[part]['gross']['amount']):,}" for part in ("monthly", "one_time")]
    checkout = Page(await door.owner.get("/checkout", headers=english)).text
    for words in (*sums, "Payment method", "Visa •••• 4242", "Nothing is charged now.", "All times are JST"):
        assert words in checkout, words
    placed = await door.owner.post("/api/v1/orders", json={}, headers={"idempotency-key": "sums"})
    order = Page(await door.owner.get(f"/orders/{placed.json()['id']}", headers=english)).text
    assert [words for words in ("With tax", *sums) if words not in order] == []
    assert "Totals are without tax." in Page(await door.owner.get("/orders", headers=english)).text


async def remove(door: Door, page: Page) -> httpx2.Response:
    """The last line that the page shows."""
    actions = [form.action for form in page.forms if REMOVAL.search(form.action)]
    return await door.owner.post(actions[-1])
