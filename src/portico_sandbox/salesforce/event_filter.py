"""Filter expressions of channel members: read, checked and evaluated over the values of one record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

MOST_FIELDS = 10
LONGEST = 131_072  # characters

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:\\.|[^'\\])*')
    |(?P<moment>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)
    |(?P<number>[+-]?\d+(?:\.\d+)?)
    |(?P<word>[A-Za-z]\w*)
    |(?P<sign><=|>=|!=|<>|[=<>()]))""",
    re.VERBOSE,
)
Test = Callable[[Mapping[str, Any]], bool]


class FilterWrong(Exception):
    """An expression that no channel takes; the text says why."""


@dataclass(frozen=True)
class Filter:
    fields: tuple[str, ...]
    test: Test


@cache
def parse_filter(text: str) -> Filter:
    """Raises FilterWrong. Field names are as written; the caller checks that the object has them."""
    if len(text) > LONGEST:
        raise FilterWrong(f"A filter has at most {LONGEST} characters.")
    parser = _Parser(_tokens(text))
    test = parser.either()
    parser.expect_end()
    if len(parser.fields) > MOST_FIELDS:
        raise FilterWrong(f"A filter names at most {MOST_FIELDS} fields.")
    return Filter(tuple(parser.fields), test)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise FilterWrong(f"Not understood from here: {text[at : at + 40]}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self.fields: dict[str, None] = {}

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise FilterWrong(f"Too much: {self._tokens[self._at][1]}")

    def either(self) -> Test:
        tests = [self._all()]
        while self._word("OR"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda values: any(test(values) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._word("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda values: all(test(values) for test in tests)

    def _one(self) -> Test:
        if self._word("NOT"):
            denied = self._one()
            return lambda values: not denied(values)
        if self._sign("("):
            inner = self.either()
            if not self._sign(")"):
                raise FilterWrong("A closing parenthesis is missing.")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        kind, name = self._next()
        if kind != "word":
            raise FilterWrong(f"A field is expected, not {name}")
        operator = self._next()[1].upper()
        if operator not in _OPERATORS:
            raise FilterWrong(f"{operator} is no operator of filters.")
        self.fields[name] = None
        wanted, compare = _literal(*self._next()), _OPERATORS[operator]
        return lambda values: compare(values.get(name), wanted)

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise FilterWrong("The expression ends too early.")
        self._at += 1
        return self._tokens[self._at - 1]

    def _word(self, word: str) -> bool:
        return self._skip("word", word)

    def _sign(self, sign: str) -> bool:
        return self._skip("sign", sign)

    def _skip(self, kind: str, text: str) -> bool:
        here = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if here[0] == kind and here[1].upper() == text:
            self._at += 1
            return True
        return False


def _literal(kind: str, text: str) -> Any:
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if kind == "number":
        return float(text)
    if kind == "moment":
        return text
    words = {"TRUE": True, "FALSE": False, "NULL": None}
    if kind != "word" or text.upper() not in words:
        raise FilterWrong(f"{text} is no value of filters.")
    return words[text.upper()]


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return value.casefold() == wanted.casefold()
    return bool(value == wanted)


def _like(value: Any, wanted: Any) -> bool:
    if not isinstance(value, str) or not isinstance(wanted, str):
        return False
    pattern = "".join({"%": ".*", "_": "."}.get(each, re.escape(each)) for each in wanted)
    return re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL) is not None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(value: Any, wanted: Any) -> bool:
        comparable = isinstance(value, str) == isinstance(wanted, str)
        return value is not None and wanted is not None and comparable and compare(value, wanted)

    return test


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": _equal,
    "!=": lambda value, wanted: not _equal(value, wanted),
    "<>": lambda value, wanted: not _equal(value, wanted),
    "<": _ordered(lambda value, wanted: value < wanted),
    "<=": _ordered(lambda value, wanted: value <= wanted),
    ">": _ordered(lambda value, wanted: value > wanted),
    ">=": _ordered(lambda value, wanted: value >= wanted),
    "LIKE": _like,
}
