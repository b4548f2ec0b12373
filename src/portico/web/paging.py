"""Pages of a list, by links: filter and sort stay in the query string."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from litestar import Request

PER_PAGE = 10


@dataclass(frozen=True, slots=True)
class Paging:
    number: int
    """Of the page shown, from 1; never beyond the last."""
    size: int
    total: int
    """Rows in all."""
    path: str
    query: tuple[tuple[str, str], ...]

    @property
    def count(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.offset + self.size, self.total)

    def href(self, number: int) -> str:
        pairs = [pair for pair in self.query if pair[0] != "page"]
        query = urlencode(pairs + [("page", str(number))] * (number > 1))
        return f"{self.path}?{query}" if query else self.path


def page_number(request: Request[Any, Any, Any]) -> int:
    """`?page=`, from 1; anything else is 1."""
    text = request.query_params.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text) else 1


def paging(request: Request[Any, Any, Any], total: int, size: int = PER_PAGE) -> Paging:
    """Where this request stands in a list of `total` rows: `rows[p.offset:p.offset + p.size]`."""
    query = tuple(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    last = max(1, -(-total // size))
    return Paging(min(page_number(request), last), size, total, request.scope["path"], query)
