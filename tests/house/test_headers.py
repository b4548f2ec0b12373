"""What every answer carries, found by walking through the public pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx2
import pytest_asyncio
from litestar import Litestar

from portico.settings import read_settings
from portico.web import seal, web_parts
from tests.fixtures.browser import Page, check_page

ORIGIN = "http://localhost:8000"
EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest_asyncio.fixture(loop_scope="session")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """The frame alone: style book, static files, errors. Pages with data are walked through in the journeys."""
    settings = read_settings()
    settings.portal.demo = True
    app = Litestar(openapi_config=None, **web_parts(settings))
    seal(app)
    transport = httpx2.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers={"accept": "text/html"}) as made:
        yield made


async def test_every_public_page_holds_to_the_policy(client: httpx2.AsyncClient) -> None:
    seen, waiting = set[str](), ["/style-book", "/style-book/card", "/style-book/crash", "/nowhere"]
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = await client.get(path)
        check_answer(answer)
        if answer.status_code < 300 and answer.headers["content-type"].startswith("text/html"):
            page = Page(answer)
            check_page(page, ORIGIN)
            waiting += {link for link in map(path_of, page.links) if link.startswith("/style-book")} - seen
    assert len(seen) > 5


async def test_pages_are_kept_nowhere_and_files_for_good(client: httpx2.AsyncClient) -> None:
    page = await client.get("/style-book")
    assert page.headers["cache-control"] == "no-store"
    files = {part for part in page.text.split('"') if part.startswith("/static/")}
    assert files
    for file in files:
        answer = await client.get(file)
        check_answer(answer)
        assert "immutable" in answer.headers["cache-control"], file


async def test_a_secure_portal_stays_secure() -> None:
    settings = read_settings()
    settings.portal.url = "https://my.example"
    app = Litestar(openapi_config=None, **web_parts(settings))
    seal(app)
    transport = httpx2.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="https://my.example") as client:
        answer = await client.post(
            "/preferences/theme", data={"theme": "dark"}, headers={"sec-fetch-site": "same-origin"}
        )
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert answer.headers["set-cookie"].startswith("__Host-portico-theme=dark")
    for flag in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"):
        assert flag in answer.headers["set-cookie"]


def check_answer(answer: httpx2.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert "camera=()" in answer.headers["permissions-policy"]
    assert answer.headers["x-request-id"]
    assert EVERYWHERE.items() <= dict(answer.headers).items(), answer.url


def path_of(link: str) -> str:
    parts = urlsplit(urldefrag(urljoin(ORIGIN, link)).url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
