"""Somebody else's thing behaves exactly like one that does not exist: every route, generated from the route table."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.fixtures.sandbox import SandboxControl
from tests.house.conftest import Door
from tests.house.two_customers import NOBODYS, Route, Things, differences, routes, state_of

ALL = routes()
# Whoever has the unguessable address may look (and learns nothing about the person), or it is nobody's.
OF_NO_CUSTOMER = {"sign-up", "part of the style book", "static file"}
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/cases/{case_id}/comments": {"text": "Good day"},
    "POST /support/{case_id}/messages": {"text": "Good day"},
}
"""What an address wants to be sent before it looks at the id."""
ELSEWHERE = [
    Route("GET", f"/support/new?{kind}={{thing}}", "customer", {"thing": kind})
    for kind in ("invoice", "service", "order", "case")
]
"""Ids that do not stand in the path."""
WITH_IDS = [route for route in ALL if route.ids and not set(route.ids.values()) <= OF_NO_CUSTOMER]


def test_every_kind_of_id_is_tried() -> None:
    kinds = {kind for route in ALL for kind in route.ids.values()} - OF_NO_CUSTOMER
    assert kinds - NOBODYS.keys() == set(), "two_customers.py has no example of these: another customer's, and nobody's"


async def test_a_strangers_id_is_like_none(door: Door, sandbox: SandboxControl) -> None:
    await door.stranger.put(
        "/api/v1/cart", json={"items": [{"sku": "VPN-HOME"}]}
    )  # theirs has one line, the other three
    before = await state_of(door.portal, sandbox)
    faults = []
    for route in (*WITH_IDS, *ELSEWHERE):
        for theirs, nobodys in pairs(route, door.things):
            answers = [await ask(door.stranger, route, ids) for ids in (theirs, nobodys)]
            said = [as_said(answer, route, ids) for answer, ids in zip(answers, (theirs, nobodys), strict=True)]
            if [answer.status_code for answer in answers] != [404, 404] or said[0] != said[1]:
                faults.append(f"{route}: {[answer.status_code for answer in answers]} {said}")
    assert faults == []
    assert differences(before, await state_of(door.portal, sandbox)) == []


async def test_the_examples_are_real(door: Door) -> None:
    """To their owner all these doors open."""
    faults = []
    for route in sorted((*WITH_IDS, *ELSEWHERE), key=lambda route: route.is_unsafe):
        for theirs, _ in pairs(route, door.things):
            answer = await ask(door.owner, route, theirs)
            if answer.status_code >= 400:
                faults.append(f"{route.path(theirs)}: {answer.status_code} {answer.text[:300]}")
    assert faults == []


async def test_who_may_not_enter_does_not(door: Door, sandbox: SandboxControl) -> None:
    """Nobody: to the sign-in. Staff at a customer's door, a customer at the staff's: refused."""
    before = await state_of(door.portal, sandbox)
    faults = []
    for route in ALL:
        closed_to = [(client, wanted) for doors, client, wanted in closed(door, route) if route.access in doors]
        for client, wanted in closed_to:
            answer = await ask(client, route, door.things.theirs)
            if answer.status_code != wanted:
                faults.append(f"{route}: {answer.status_code} instead of {wanted}")
            elif wanted == 303 and not answer.headers["location"].startswith("/sign-in"):
                faults.append(f"{route}: to {answer.headers['location']}")
    assert faults == []
    assert differences(before, await state_of(door.portal, sandbox)) == []


def closed(door: Door, route: Route) -> list[tuple[tuple[str, ...], httpx2.AsyncClient, int]]:
    """(kinds of doors, who stands before them, the answer they get)"""
    return [
        (("customer", "staff"), door.nobody, 401 if route.is_api else 303),
        (("customer",), door.staff, 403),
        (("staff",), door.owner, 403),
    ]


def pairs(route: Route, things: Things) -> list[tuple[dict[str, str], dict[str, str]]]:
    """The owner's ids and nobody's; an order or a case that is not known yet has an address too."""
    found = [(things.theirs, things.nobodys)]
    if "order" in route.ids.values() and route.method == "GET" and not route.is_api and "?" not in route.template:
        under_way = [{"order": f"pending-{ids['operation']}"} for ids in (things.theirs, things.nobodys)]
        found.append((under_way[0], under_way[1]))
    return found


async def ask(client: httpx2.AsyncClient, route: Route, ids: dict[str, str]) -> httpx2.Response:
    body: dict[str, Any] = {}
    if route.is_unsafe:
        given = BODIES.get(str(route), {})
        body = {"json": given} if route.is_api else {"data": given}
    headers = {"accept": "application/json" if route.is_api else "text/html"}
    return await client.request(route.method, route.path(ids), headers=headers, **body)


def as_said(answer: httpx2.Response, route: Route, ids: dict[str, str]) -> tuple[str, str, str]:
    """The answer without the address that was asked for and the id of the request."""
    body = answer.text.replace(answer.headers["x-request-id"], "").replace(route.path(ids), "")
    return body, answer.headers.get("content-type", ""), answer.headers.get("cache-control", "")
