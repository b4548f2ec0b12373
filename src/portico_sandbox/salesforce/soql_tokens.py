"""SOQL text into tokens, and string literals into what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portico_sandbox.salesforce.soql_tree import Wrong

LONGEST_STATEMENT = 100_000  # characters
LONGEST_LITERAL = 4_000  # characters of one string literal in a condition

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    |(?P<date>\d{4}-\d\d-\d\d(?![\w:.-]))
    |(?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::\d+)?)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPES |= {letter.upper(): meaning for letter, meaning in _ESCAPES.items()}
_ESCAPE = re.compile(r"\\(u([0-9A-Fa-f]{4})|.)", re.DOTALL)


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else self.text


def tokens_of(text: str) -> list[Token]:
    """Ends with two end tokens: reading one more never runs off. Raises Wrong."""
    if len(text) > LONGEST_STATEMENT:
        raise Wrong("MALFORMED_QUERY", f"SOQL statements cannot be longer than {LONGEST_STATEMENT} characters.")
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise Wrong("MALFORMED_QUERY", f"line 1:{at} no viable alternative at character '{text[at]}'", at)
        if found.lastgroup != "space":
            tokens.append(Token(found.lastgroup or "", found.group(), at))
        at = found.end()
    end = Token("end", "<EOF>", len(text))
    return [*tokens, end, end]


def unescaped(token: Token, *, like: bool) -> str:
    """What a quoted text means. For LIKE the escaped wildcards stay escaped. Raises Wrong for an unknown escape."""

    def one(found: re.Match[str]) -> str:
        if found[2]:
            return chr(int(found[2], 16))
        letter = found[1]
        if like and letter in "_%\\":
            return "\\" + letter
        if letter not in _ESCAPES:
            message = f"Illegal string literal: Invalid string literal '{token.text[1:-1]}'. Illegal character "
            raise Wrong("MALFORMED_QUERY", f"{message}sequence '\\{letter}' in string literal.", token.at)
        return _ESCAPES[letter]

    meaning = _ESCAPE.sub(one, token.text[1:-1])
    if len(meaning) > LONGEST_LITERAL:
        message = f"The string literal is too long: at most {LONGEST_LITERAL} characters are allowed"
        raise Wrong("MALFORMED_QUERY", message, token.at)
    return meaning
