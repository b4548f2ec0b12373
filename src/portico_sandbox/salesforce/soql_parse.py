"""SOQL text into a tree by recursive descent. Knows grammar only, no objects and no fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from portico_sandbox.salesforce.soql_tokens import Token, tokens_of, unescaped
from portico_sandbox.salesforce.soql_tree import (
    AGGREGATES,
    DATE_FUNCTIONS,
    RENDERINGS,
    ChildItem,
    Comparison,
    Condition,
    FieldsItem,
    Item,
    Junction,
    Literal,
    Not,
    Path,
    Query,
    Sorting,
    Term,
    Wrong,
)

_CLAUSES = frozenset({"WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "FOR", "USING", "ALL", "UPDATE"})
_RESERVED = _CLAUSES | {"FROM", "SELECT", "AND", "OR", "NOT"}
_FUNCTIONS = AGGREGATES | DATE_FUNCTIONS | RENDERINGS
_Part = TypeVar("_Part")
_DEEPEST = 100  # nested parentheses


def parse(text: str) -> Query:
    """Raises Wrong (MALFORMED_QUERY) with the place."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokens_of(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Query:
        query = self._query()
        if self._peek.kind != "end":
            raise self._unexpected()
        return query

    def _query(self) -> Query:
        self._expect("SELECT")
        items, counting = self._items()
        self._expect("FROM")
        query = replace(self._source(), items=items, counting=counting)
        if self._take("USING"):
            self._expect("SCOPE")
            self._name()
        where = self._condition() if self._take("WHERE") else None
        if self._take("WITH"):  # who looks is decided by the session: SECURITY_ENFORCED, USER_MODE
            self._name()
        group = self._group() if self._take("GROUP") else ()
        having = self._condition() if self._take("HAVING") else None
        order = self._order() if self._take("ORDER") else ()
        limit = self._count() if self._take("LIMIT") else None
        offset = self._count() if self._take("OFFSET") else 0
        self._purposes()
        return replace(query, where=where, group=group, having=having, order=order, limit=limit, offset=offset)

    def _source(self) -> Query:
        """Any name can be an object: `Order` and `Group` are words of the grammar as well."""
        token = self._peek
        if token.kind != "name":
            raise self._unexpected()
        self._next += 1
        aliases = [(self._alias() or token.text.lower(), ())]
        found: list[tuple[str, Path]] = list(aliases)
        while self._take(","):
            steps = self._path()
            known = dict(found).get(steps[0].lower(), ())
            found.append((self._alias() or steps[-1].lower(), (*known, *steps[1:])))
        return Query(token.text, aliases=tuple(found), at=token.at)

    def _alias(self) -> str:
        given = self._take("AS")
        if given or (self._peek.kind == "name" and self._peek.word not in _RESERVED):
            return self._name().lower()
        return ""

    def _items(self) -> tuple[tuple[Item, ...], bool]:
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        if items == [Term((), "COUNT")]:
            return (), True
        if Term((), "COUNT") in items:
            raise self._unexpected()
        return tuple(items), False

    def _item(self) -> Item:
        if self._take("("):
            query = self._nested(self._query)
            self._expect(")")
            return ChildItem(query)
        if self._peek.word == "FIELDS" and self._after.text == "(":
            return self._fields()
        term = self._term()
        named = self._peek.kind == "name" and self._peek.word not in _RESERVED
        return replace(term, alias=self._name()) if named else term

    def _fields(self) -> FieldsItem:
        at = self._peek.at
        self._next += 2
        which = self._peek.word
        if which not in ("ALL", "STANDARD", "CUSTOM"):
            raise self._unexpected()
        self._next += 1
        self._expect(")")
        return FieldsItem(which, at)

    def _term(self) -> Term:
        """A field, `COUNT()`, or a function of a field."""
        token = self._peek
        if token.kind != "name" or self._after.text != "(":
            return Term(self._path(), at=token.at)
        if token.word not in _FUNCTIONS:
            raise self._unexpected()
        self._next += 2
        if token.word == "COUNT" and self._take(")"):
            return Term((), "COUNT", at=token.at)
        local = self._peek.word == "CONVERTTIMEZONE" and self._after.text == "("
        self._next += 2 if local else 0
        path = self._path()
        for _ in range(2 if local else 1):
            self._expect(")")
        return Term(path, token.word, local, at=token.at)

    def _condition(self) -> Condition:
        first = self._operand()
        word = self._peek.word
        if word not in ("AND", "OR"):
            return first
        conditions = [first]
        while self._take(word):
            conditions.append(self._operand())
        if self._peek.word in ("AND", "OR"):  # the two may not be mixed without parentheses
            raise self._unexpected()
        return Junction("AND" if word == "AND" else "OR", tuple(conditions))

    def _operand(self) -> Condition:
        if self._take("NOT"):
            return Not(self._nested(self._operand))
        if self._take("("):
            condition = self._nested(self._condition)
            self._expect(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Comparison:
        term = self._term()
        operator = self._advance().word
        if operator == "NOT":
            self._expect("IN")
            operator = "NOT IN"
        if operator in ("=", "!=", "<>", "<", "<=", ">", ">=", "LIKE"):
            value = self._literal(like=operator == "LIKE")
            return Comparison(term, "!=" if operator == "<>" else operator, (value,))
        if operator not in ("IN", "NOT IN", "INCLUDES", "EXCLUDES"):
            self._next -= 1
            raise self._unexpected()
        self._expect("(")
        if operator in ("IN", "NOT IN") and self._peek.word == "SELECT":
            comparison = Comparison(term, operator, (), self._nested(self._query))
        else:
            comparison = Comparison(term, operator, self._literals())
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
                return Literal("string", unescaped(token, like=like), token.at)
            case "number" | "date" | "datetime":
                return Literal(token.kind, token.text, token.at)
            case "name" if token.word in ("TRUE", "FALSE"):
                return Literal("boolean", token.word, token.at)
            case "name" if token.word == "NULL":
                return Literal("null", "", token.at)
            case "name" if "." not in token.text and token.word not in _RESERVED:
                return Literal("range", token.word, token.at)
            case _:
                self._next -= 1
                raise self._unexpected()

    def _group(self) -> tuple[Term, ...]:
        self._expect("BY")
        terms = [self._term()]
        while self._take(","):
            terms.append(self._term())
        return tuple(terms)

    def _order(self) -> tuple[Sorting, ...]:
        self._expect("BY")
        sortings = [self._sorting()]
        while self._take(","):
            sortings.append(self._sorting())
        return tuple(sortings)

    def _sorting(self) -> Sorting:
        term = self._term()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        nulls_last = False
        if self._take("NULLS"):
            nulls_last = self._take("LAST")
            if not nulls_last:
                self._expect("FIRST")
        return Sorting(term, descending, nulls_last)

    def _purposes(self) -> None:
        """`FOR VIEW`, `FOR REFERENCE`, `FOR UPDATE`, `UPDATE TRACKING`: accepted, and without effect here."""
        while self._peek.word in ("FOR", "UPDATE"):
            allowed = ("VIEW", "REFERENCE", "UPDATE") if self._advance().word == "FOR" else ("TRACKING", "VIEWSTAT")
            if not any(self._take(word) for word in allowed):
                raise self._unexpected()
            while self._take(","):
                self._name()

    def _count(self) -> int:
        token = self._advance()
        if token.kind != "number" or not token.text.isdigit():
            self._next -= 1
            raise self._unexpected()
        return int(token.text)

    def _name(self) -> str:
        token = self._advance()
        if token.kind != "name" or token.word in _RESERVED:
            self._next -= 1
            raise self._unexpected()
        return token.text

    def _path(self) -> Path:
        return tuple(self._name().split("."))

    def _nested(self, part: Callable[[], _Part]) -> _Part:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Wrong("MALFORMED_QUERY", "The query is nested too deeply", self._peek.at)
        found = part()
        self._depth -= 1
        return found

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    @property
    def _after(self) -> Token:
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)]

    def _advance(self) -> Token:
        token = self._peek
        if token.kind == "end":
            raise self._unexpected()
        self._next += 1
        return token

    def _take(self, word: str) -> bool:
        taken = self._peek.kind != "string" and self._peek.word == word
        self._next += taken
        return taken

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._unexpected()

    def _unexpected(self) -> Wrong:
        return Wrong("MALFORMED_QUERY", f"unexpected token: '{self._peek.text}'", self._peek.at)
