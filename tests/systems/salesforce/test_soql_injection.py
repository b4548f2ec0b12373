"""What people type reaches a parser of SOQL as the value it is, and never as another query."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.customer import SfAccountId
from portico.errors import NotFound
from portico.systems.salesforce import accounts, cases, orders
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.soql import Containing, soql
from portico_sandbox.salesforce.soql_parse import parse
from portico_sandbox.salesforce.soql_tree import Comparison, Junction, Query
from tests.systems.salesforce.stand_in import StandIn

CORPUS = [
    "' OR Name != '",
    "\\' OR Name != \\'",
    "\\",
    "x\\",
    "') OR (Name LIKE '%",
    "' LIMIT 1 OFFSET 1",
    "%",
    "_",
    "\\%",
    "\\u0027 OR Id != \\u0027",
    "\n' OR Id != null //",
    "'/**/OR/**/'1'='1",
    "\u2019 OR \u02bc",
    "\uff07 OR 1=1",
    "'; DELETE FROM Account",
    "{value}{one}{two}",
    "\x00'",
    "\x7f",
    "渋谷' AND '区",
    "NULL",
    "TRUE",
    "2026-11-23",
    "(SELECT Id FROM User)",
]
"""Ends of a text, escapes of escapes, wildcards, other alphabets' quotes, control characters, words of the language."""

TYPED = st.one_of(st.text(max_size=200), st.text("'\\\"%_nu0027 ()\n{}", max_size=60), st.sampled_from(CORPUS))
ONE = "SELECT Id FROM Account WHERE Name = {one} AND Type = {two}"


def compared(query: Query) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What is compared with what; fails where the query is not two comparisons joined by AND."""
    assert isinstance(query.where, Junction) and query.where.word == "AND"
    assert (query.entity, query.limit, query.offset, query.order) == ("Account", None, 0, ())
    found = {}
    for condition in query.where.conditions:
        assert isinstance(condition, Comparison) and condition.query is None
        assert {literal.kind for literal in condition.values} == {"string"}
        found[condition.term.path[-1]] = (condition.operator, tuple(literal.text for literal in condition.values))
    return found


@given(TYPED, TYPED)
def test_two_texts_are_parsed_back_as_they_were(one: str, two: str) -> None:
    read = compared(parse(soql(ONE, one=one, two=two)))
    assert read == {"Name": ("=", (one,)), "Type": ("=", (two,))}


@given(st.lists(TYPED, min_size=1, max_size=5), TYPED)
def test_lists_of_texts_are_parsed_back_as_they_were(many: list[str], two: str) -> None:
    read = compared(parse(soql(ONE.replace("= {one}", "IN {one}"), one=many, two=two)))
    assert read == {"Name": ("IN", tuple(many)), "Type": ("=", (two,))}


@given(TYPED)
def test_a_text_to_look_for_keeps_its_wildcards_as_letters(text: str) -> None:
    read = compared(parse(soql(ONE.replace("= {one}", "LIKE {one}"), one=Containing(text), two="x")))
    operator, (pattern,) = read["Name"]
    assert operator == "LIKE" and pattern[0] == pattern[-1] == "%"
    inner = pattern[1:-1]
    escaped = re.compile(r"\\(.)", re.DOTALL)
    assert not set("%_") & set(escaped.sub("", inner)), "no wildcard is left"
    assert escaped.sub(r"\1", inner) == text


@pytest.mark.parametrize("text", CORPUS)
async def test_nothing_typed_finds_what_it_does_not_name(org: StandIn, sf: Salesforce, text: str) -> None:
    """Every function that takes a text from outside, over the wire."""
    ready = SfAccountId(org.person("ready").sf_account_id)
    assert await accounts.find_account_by_number(sf, text) is None
    assert await orders.find_orders_by_marker(sf, text) == []
    assert await cases.find_cases_by_marker(sf, text) == []
    assert await cases.find_contact(sf, ready, text) in (None, org.person("ready").sf_contact_id)
    for read in (orders.get_order, cases.get_case):
        with pytest.raises(NotFound):
            await read(sf, ready, text)


@pytest.mark.parametrize("text", [text for text in CORPUS if text.isprintable()])
async def test_who_really_bears_such_a_number_is_found(sf: Salesforce, text: str) -> None:
    number = f"{text[:20]}-{uuid4().hex[:8]}"
    made = await sf.create("Account", {"Name": "Odd", sf.fields.account_customer_number: number}, name="create Account")
    found = await accounts.find_account_by_number(sf, number)
    assert found is not None and found.id == made


def test_moments_are_never_quoted() -> None:
    query = parse(
        soql("SELECT Id FROM Order WHERE LastModifiedDate > {since}", since=datetime(2026, 11, 23, tzinfo=UTC))
    )
    assert isinstance(query.where, Comparison) and query.where.values[0].kind != "string"
