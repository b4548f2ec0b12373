"""SOQL text into a tree: a tokenizer and a recursive descent. Knows grammar only, no objects and no fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal as OneOf

from portico_sandbox.salesforce.errors import Fault, Refusal

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    |(?P<date>\d{4}-\d\d-\d\d)
    |(?P<number>[+-]?\d+(?:\.\d+)?(?![\w.]))
    |(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::\d+)?)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_CLAUSES = {"WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "FOR", "USING", "ALL"}

Path = tuple[str, ...]
Kind = OneOf["string", "number", "date", "datetime", "boolean", "null", "range"]


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int

    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else self.text


@dataclass(frozen=True)
class Literal:
    kind: Kind
    text: str
    """Unescaped for strings; as written else. Of a LIKE the escapes of `_` and `%` are kept."""


@dataclass(frozen=True)
class FieldItem:
    path: Path


@dataclass(frozen=True)
class ChildItem:
    query: Query


@dataclass(frozen=True)
class Comparison:
    path: Path
    operator: str
    """= != < <= > >= LIKE IN NOT IN INCLUDES EXCLUDES"""
    values: tuple[Literal, ...]
    query: Query | None = None
    """Of a semi-join: `Id IN (SELECT …)`."""


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class Junction:
    word: OneOf["AND", "OR"]
    conditions: tuple[Condition, ...]


Condition = Comparison | Not | Junction


@dataclass(frozen=True)
class Sorting:
    path: Path
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True)
class Query:
    entity: str
    items: tuple[FieldItem | ChildItem, ...] = ()
    counting: bool = False
    """COUNT(): only the number is wanted."""
    where: Condition | None = None
    order: tuple[Sorting, ...] = ()
    limit: int | None = None
    offset: int = 0
    alias: str = field(default="", compare=False)


def parse(text: str) -> Query:
    """Raises Refusal (MALFORMED_QUERY) that shows the place, as Salesforce does."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._tokenize())
        self._next = 0

    def _tokenize(self) -> list[Token]:
        tokens, at = [], 0
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if not found:
                raise self._wrong(at, f"line 1:{at} no viable alternative at character '{self._text[at]}'")
            if found.lastgroup != "space":
                tokens.append(Token(found.lastgroup or "", found.group(), at))
            at = found.end()
        end = Token("end", "<EOF>", len(self._text))
        return [*tokens, end, end]  # two: reading one more token never runs off

    def whole(self) -> Query:
        query = self._query()
        if self._peek.kind != "end":
            raise self._unexpected()
        return query

    def _query(self) -> Query:
        self._expect("SELECT")
        items, counting = self._items()
        self._expect("FROM")
        entity, alias = self._entity(), ""
        self._take("AS")
        if self._peek.kind == "name" and self._peek.word() not in _CLAUSES:
            alias = self._name()
        where = self._condition() if self._take("WHERE") else None
        order = self._order() if self._take("ORDER") else ()
        limit = self._count() if self._take("LIMIT") else None
        offset = self._count() if self._take("OFFSET") else 0
        return Query(entity, items, counting, where, order, limit, offset, alias)

    def _items(self) -> tuple[tuple[FieldItem | ChildItem, ...], bool]:
        if self._peek.word() == "COUNT" and self._tokens[self._next + 1].text == "(":
            self._next += 2
            self._expect(")")
            return (), True
        items: list[FieldItem | ChildItem] = [self._item()]
        while self._take(","):
            items.append(self._item())
        return tuple(items), False

    def _item(self) -> FieldItem | ChildItem:
        if not self._take("("):
            return FieldItem(self._path())
        query = self._query()
        self._expect(")")
        return ChildItem(query)

    def _condition(self) -> Condition:
        first = self._operand()
        word = self._peek.word()
        if word not in ("AND", "OR"):
            return first
        conditions = [first]
        while self._take(word):
            conditions.append(self._operand())
        if self._peek.word() in ("AND", "OR"):  # the two may not be mixed without parentheses
            raise self._unexpected()
        return Junction("AND" if word == "AND" else "OR", tuple(conditions))

    def _operand(self) -> Condition:
        if self._take("NOT"):
            return Not(self._operand())
        if self._take("("):
            condition = self._condition()
            self._expect(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Comparison:
        path = self._path()
        operator = self._advance().word()
        if operator == "NOT":
            self._expect("IN")
            operator = "NOT IN"
        if operator in ("=", "!=", "<>", "<", "<=", ">", ">=", "LIKE"):
            value = self._literal(like=operator == "LIKE")
            return Comparison(path, "!=" if operator == "<>" else operator, (value,))
        if operator not in ("IN", "NOT IN", "INCLUDES", "EXCLUDES"):
            self._next -= 1
            raise self._unexpected()
        self._expect("(")
        if operator in ("IN", "NOT IN") and self._peek.word() == "SELECT":
            comparison = Comparison(path, operator, (), self._query())
        else:
            comparison = Comparison(path, operator, self._literals())
        self._expect(")")
        return comparison

    def _literals(self) -> tuple[Literal, ...]:
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        return tuple(values)

    def _literal(self, *, like: bool = False) -> Literal:
        token = self._advance()
        match token.kind:
            case "string":
                return Literal("string", self._unescaped(token, like))
            case "number" | "date" | "datetime":
                return Literal(token.kind, token.text)
            case "name" if token.word() in ("TRUE", "FALSE"):
                return Literal("boolean", token.word())
            case "name" if token.word() == "NULL":
                return Literal("null", "")
            case "name" if "." not in token.text:
                return Literal("range", token.word())
            case _:
                self._next -= 1
                raise self._unexpected()

    def _unescaped(self, token: Token, like: bool) -> str:
        def one(found: re.Match[str]) -> str:
            if found[2]:
                return chr(int(found[2], 16))
            letter = found[1]
            if letter in "_%" and like:
                return "\\" + letter
            if letter == "\\" and like:
                return "\\\\"
            if letter not in _ESCAPES:
                raise self._wrong(token.at, f"Illegal string literal: \\{letter} is no escape sequence")
            return _ESCAPES[letter]

        return re.sub(r"\\(u([0-9A-Fa-f]{4})|.)", one, token.text[1:-1], flags=re.DOTALL)

    def _order(self) -> tuple[Sorting, ...]:
        self._expect("BY")
        sortings = [self._sorting()]
        while self._take(","):
            sortings.append(self._sorting())
        return tuple(sortings)

    def _sorting(self) -> Sorting:
        path = self._path()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        nulls_last = False
        if self._take("NULLS"):
            nulls_last = self._take("LAST")
            if not nulls_last:
                self._expect("FIRST")
        return Sorting(path, descending, nulls_last)

    def _count(self) -> int:
        token = self._advance()
        if token.kind != "number" or not token.text.isdigit():
            self._next -= 1
            raise self._unexpected()
        return int(token.text)

    def _entity(self) -> str:
        """Any name: `Order` and `Group` are objects as well as words of the grammar."""
        if self._peek.kind != "name":
            raise self._unexpected()
        return self._advance().text

    def _name(self) -> str:
        token = self._advance()
        if token.kind != "name" or token.word() in _CLAUSES | {"FROM", "SELECT"}:
            self._next -= 1
            raise self._unexpected()
        return token.text

    def _path(self) -> Path:
        return tuple(self._name().split("."))

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._peek
        self._next += 1
        return token

    def _take(self, word: str) -> bool:
        taken = self._peek.kind != "string" and self._peek.word() == word
        self._next += taken
        return taken

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._unexpected()

    def _unexpected(self) -> Refusal:
        return self._wrong(self._peek.at, f"unexpected token: '{self._peek.text}'")

    def _wrong(self, at: int, what: str) -> Refusal:
        return Refusal(Fault("MALFORMED_QUERY", place(self._text, at) + what))


def place(text: str, at: int) -> str:
    """Where in the text something is wrong, in the vendor's layout."""
    start = max(0, at - 40)
    shown = text[start : at + 20]
    return f"\n{shown}\n{' ' * (at - start)}^\nERROR at Row:1:Column:{at + 1}\n"
