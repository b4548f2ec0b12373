"""The style book shows every part of a page, in every state that its styles know."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

import portico

HERE = Path(portico.__file__).parent
PARTS = ("page.html", "forms.html", "lists.html")
FAMILIES = ("status", "callout", "button", "step", "input")
"""Parts whose states are classes: `status-good`, `step-running` …"""
BESIDES = {"button-small"}
"""For rows of lists; shown where they are."""


def macros(file: str) -> list[str]:
    return re.findall(r"{% macro ([a-z]\w*)\(", (HERE / "components" / file).read_text())


@pytest.mark.parametrize("file", PARTS)
def test_every_part_is_in_it(file: str) -> None:
    book = (HERE / "components/style_book.html").read_text() + (HERE / "components/style_book_card.html").read_text()
    body = book.partition("{% block main %}")[2]
    assert [name for name in macros(file) if not re.search(rf"\b{name}\(", body)] == []


async def test_every_state_is_in_it(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/style-book")
    styles = "".join(file.read_text() for file in (HERE / "static/styles").glob("*.css"))
    states = set(re.findall(rf"\.((?:{'|'.join(FAMILIES)})-[a-z]+)\b", styles)) - BESIDES
    shown = {name for names in re.findall(r'class="([^"]*)"', answer.text) for name in names.split()}
    assert sorted(states - shown) == []
