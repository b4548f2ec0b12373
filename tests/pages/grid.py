"""Asking for a page or a read of the API, and what is compared of the answer."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from pathlib import Path

import httpx2
from babel.messages.pofile import read_po

import portico
from portico.systems.http import UPSTREAM_SECONDS
from tests.fixtures.browser import Page, check_page
from tests.house.conftest import Door
from tests.house.test_crawl import path_of
from tests.house.two_customers import Route, routes

PO = Path(portico.__file__).parent / "locales/ja/LC_MESSAGES/portico.po"
LANGUAGES = ("en", "ja")
NO_PAGES = ("/static/", "/favicon.ico", "/livez", "/readyz")
READS = [route for route in routes() if route.method == "GET" and not route.template.startswith(NO_PAGES)]
"""All that can be looked at, of the whole portal."""
PASSING = (
    (re.compile(r'<p class="as-of">[^<]*</p>|"as_of": ?"[^"]*"'), "AS OF"),  # copies and live reads say when
    # When a device was last seen is noted anew each minute.
    (re.compile(r"<time [^>]*>[^<]*</time>|\b\d{4}-\d\d-\d\dT[\d:.]+Z?"), "TIME"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),  # what makes a form count once
    (re.compile(r"\b[0-9a-f]{16}\b"), "REQUEST"),
)
"""What differs between two answers that are the same."""
SECTION = re.compile(r'<section [^>]*aria-label="([^"]*)">.*?</section>', re.DOTALL)
INSIDE = re.compile(
    r"Traceback|\.py\b|\bException\b|\bNone\b|\bMessage\(|%\(|\{\{|object at 0x|\b[a-z]+(_[a-z]+)+\b", re.I
)
"""What only we may read: names of our own code, codes of errors, values without words."""
SHORTEST = 12
"""Letters of an English sentence that can't be part of a name."""


def english() -> list[str]:
    """Our sentences as they read when their Japanese was forgotten; of one with values its longest piece."""
    with PO.open("rb") as file:
        texts = [message.id for message in read_po(file, locale="ja")]
    whole = [text if isinstance(text, str) else text[-1] for text in texts]
    pieces = [max(re.split(r"%\(\w+\)\w", text), key=len).strip().replace("%%", "%") for text in whole]
    return [piece for piece in pieces if len(piece) >= SHORTEST and " " in piece]


async def ask(door: Door, route: Route, language: str) -> httpx2.Response:
    """As the one who may enter there."""
    visitor = {"staff": door.staff, "public": door.nobody}.get(route.access, door.owner)
    accept = "application/json" if route.is_api else "text/html"
    return await visitor.get(path_of(route, door), headers={"accept": accept, "accept-language": language})


def lasting(answer: httpx2.Response) -> str:
    """Status and body without what passes."""
    text = answer.text
    for pattern, name in PASSING:
        text = pattern.sub(name, text)
    return f"{answer.status_code}\n{text}"


def sections(text: str) -> dict[str, str]:
    """The parts of a page by their names."""
    return {unescape(found[1]): found[0] for found in SECTION.finditer(text)}


def faults_of(answer: httpx2.Response, language: str, origin: str, foreign: list[str]) -> list[str]:
    """What no page may do, whatever has happened."""
    page = Page(answer)
    check_page(page, origin)
    found = [f"shows {inside[0]!r}" for inside in [INSIDE.search(_without_addresses(page.text))] if inside]
    if page.language != language:
        found.append(f"is in {page.language}")
    if language == "ja":
        found += [f"says in English: {text}" for text in foreign if text in page.text]
    return found


def calls() -> Counter[tuple[str, str]]:
    """(system, call) → how often, since the process began."""
    counted: Counter[tuple[str, str]] = Counter()
    for metric in UPSTREAM_SECONDS.collect():
        for sample in metric.samples:
            if sample.name.endswith("_count"):
                counted[sample.labels["system"], sample.labels["call"]] += int(sample.value)
    return counted


def _without_addresses(text: str) -> str:
    return re.sub(r"\S+@\S+|\S+\$\S+", "", text)
