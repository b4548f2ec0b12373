"""Every address is walked to: looking changes nothing, nobody changes anything from another site, headers hold."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin

import httpx2

from tests.fixtures.browser import Page, check_page
from tests.fixtures.sandbox import SandboxControl
from tests.house.conftest import Door
from tests.house.test_headers import check_answer
from tests.house.two_customers import Route, differences, routes, state_of

ALL = routes()
PUBLIC_IDS = {
    "sign-up": "9f1f6f5e-0000-4000-8000-000000000000",
    "part of the style book": "card",
    "static file": "page.js",
}
FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "same-site", "origin": "http://neighbor.localhost:8000"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {},
)
FILES = ("/static/", "/favicon.ico", "/api/v1/openapi.json")
FAILURES = {
    ("GET", "/nowhere"): 404,
    ("GET", "/api/v1/nowhere"): 404,
    ("DELETE", "/home"): 405,
    ("PUT", "/api/v1/me"): 405,
    ("HEAD", "/home"): 200,
    ("GET", "/orders/801%00"): 404,
    ("GET", "/billing/invoices/99999999999999999999999"): 404,
    ("GET", "/billing?page=-1"): 200,
    ("GET", "/api/v1/invoices?cursor=x"): 422,
}


async def test_looking_changes_nothing(door: Door, sandbox: SandboxControl) -> None:
    """From every address of the route table along every link of every page, signed in."""
    origin = door.portal.settings.portal.url
    waiting = [path_of(route, door) for route in ALL if route.method == "GET"]
    before = await state_of(door.portal, sandbox)
    seen = set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = await door.owner.get(path, headers={"accept": "text/html"})
        check_answer(answer)
        assert answer.status_code < 500, f"{path}: {answer.status_code}"
        assert is_kept_right(path, answer), f"{path}: {answer.headers['cache-control']}"
        if answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"):
            page = Page(answer)
            check_page(page, origin)
            waiting += [link for link in map(own_path, page.links) if link]
    assert len(seen) > len(ALL) / 2
    assert differences(before, await state_of(door.portal, sandbox)) == []


async def test_no_link_of_a_page_leads_nowhere(door: Door) -> None:
    """What a page offers to follow is there."""
    dead = []
    for route in (route for route in ALL if route.method == "GET" and not route.is_api and route.access == "customer"):
        answer = await door.owner.get(path_of(route, door), headers={"accept": "text/html"})
        if answer.status_code != 200:
            continue
        for link in {link for link in map(own_path, Page(answer).links) if link}:
            there = await door.owner.get(link, headers={"accept": "text/html"})
            if there.status_code >= 400:
                dead.append(f"{path_of(route, door)} → {link}: {there.status_code}")
    assert sorted(dead) == []


async def test_nothing_is_changed_from_elsewhere(door: Door, sandbox: SandboxControl) -> None:
    del door.owner.headers["origin"]
    before = await state_of(door.portal, sandbox)
    let_in = []
    for route in (route for route in ALL if route.is_unsafe and route.access != "hook"):
        for headers in FROM_ELSEWHERE:
            sent = {"accept": "application/json", **headers}
            answer = await door.owner.request(route.method, path_of(route, door), headers=sent)
            check_answer(answer)
            if answer.status_code != 403 or answer.json()["code"] != "cross_site_request":
                let_in.append(f"{route} {headers}: {answer.status_code}")
    assert let_in == []
    assert differences(before, await state_of(door.portal, sandbox)) == []


async def test_a_hook_without_its_signature_changes_nothing(door: Door, sandbox: SandboxControl) -> None:
    before = await state_of(door.portal, sandbox)
    for route in (route for route in ALL if route.access == "hook"):
        answer = await door.nobody.post(route.template, json={"event": "InvoicePaid"})
        check_answer(answer)
        assert answer.status_code in (400, 401), route
    assert differences(before, await state_of(door.portal, sandbox)) == []


async def test_headers_stand_on_every_failure_too(door: Door) -> None:
    for (method, path), status in FAILURES.items():
        answer = await door.owner.request(method, path, headers={"accept": "text/html"})
        check_answer(answer)
        assert (path, answer.status_code) == (path, status)
        assert answer.headers["cache-control"] == "no-store"


def path_of(route: Route, door: Door) -> str:
    return route.path({**door.things.theirs, **PUBLIC_IDS})


def own_path(link: str) -> str | None:
    """Path and query of a link of ours that is not a file."""
    address = urldefrag(urljoin("http://localhost", link)).url
    split = httpx2.URL(address)
    if split.host != "localhost" or split.scheme != "http" or split.path.startswith("/static/"):
        return None
    return split.raw_path.decode()


def is_kept_right(path: str, answer: httpx2.Response) -> bool:
    """Only files may be kept by anybody."""
    kept = "public" if path.startswith(FILES) and answer.status_code == 200 else "no-store"
    return kept in answer.headers["cache-control"]
