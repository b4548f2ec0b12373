"""No link of any page leads nowhere: not to a missing page, not to a failing one, not to a missing part of a page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urldefrag

import pytest

from portico.identity.seed import seed_people
from portico.portal import Portal
from tests.fixtures.browser import Browser, Page

MOST_PAGES = 400
PEOPLE = {
    "ken.tanaka@mail.example": "/orders/",  # 11 invoices, and an order that he places here
    "daniel.kowalski@mail.example": "/services/",  # overdue and suspended
    "yuko.inoue@mail.example": "/services/",  # a service in each state
    "grace.kim@mail.example": "/billing/payment-methods",  # nothing bought, no card
}


@pytest.mark.parametrize("email", PEOPLE)
async def test_a_customer_meets_no_dead_link(
    email: str, client: Browser, portal: Portal, world: dict[str, Any]
) -> None:
    person = next(one for one in world["customers"]["ready"] if one["email"] == email)
    await seed_people(portal, {"customers": {"ready": [person]}, "staff": []})
    await client.sign_in(email, person["password"])
    if email.startswith("ken"):
        await orders_something(client)
    seen = await crawl(client, "/home", "/cart", "/checkout")
    assert any(path.startswith(f"{client.origin}{PEOPLE[email]}") for path in seen), sorted(seen)


async def test_a_guest_meets_no_dead_link(client: Browser) -> None:
    seen = await crawl(client, "/")
    assert f"{client.origin}/sign-up" in seen


async def crawl(client: Browser, *starts: str) -> set[str]:
    """Follows every link of the portal from there on; answers the addresses."""
    waiting = [(f"{client.origin}{start}", "the beginning") for start in starts]
    seen: set[str] = set()
    dead: list[str] = []
    while waiting:
        address, found_on = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        assert len(seen) < MOST_PAGES, f"no end of links: {sorted(seen)[-20:]}"
        page = await looked_at(client, address)
        if page is None:
            dead.append(f"{address} on {found_on}")
            continue
        dead += missing_parts(page)
        waiting += [(urldefrag(link).url, address) for link in page.links if is_ours(client, link)]
    assert dead == []
    return seen


async def looked_at(client: Browser, address: str) -> Page | None:
    """The page that one ends up on; None where it is none."""
    try:
        return await client.visit(address)
    except AssertionError as wrong:
        print(wrong)
        return None


def missing_parts(page: Page) -> list[str]:
    """Links within the page whose part does not exist."""
    parts = [urldefrag(link) for link in page.links]
    own = [part.fragment for part in parts if part.fragment and part.url == urldefrag(page.url).url]
    return [f"#{name} on {page.url}" for name in own if name not in page.ids]


def is_ours(client: Browser, link: str) -> bool:
    return link.startswith(f"{client.origin}/")


async def orders_something(client: Browser) -> None:
    put = await client.client.put("/api/v1/cart", json={"items": [{"sku": "VPN-HOME"}]}, headers=signed(client))
    assert put.status_code == 200, put.text
    placed = await client.client.post("/api/v1/orders", json={}, headers=signed(client) | {"idempotency-key": "links"})
    assert placed.status_code == 201, placed.text


def signed(client: Browser) -> dict[str, str]:
    return {"origin": client.origin}
