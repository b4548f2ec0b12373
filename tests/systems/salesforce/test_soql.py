"""SOQL text: nothing that a person typed can become anything but a value."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.systems.salesforce.soql import LONGEST_TEXT, Containing, Value, names, soql

_LITERAL = re.compile(r"""'(?:[^'\\\x00-\x1f\x7f]|\\(?:[nrtbf"'\\]|u[0-9A-F]{4}))*'""")
_UNESCAPE = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def read_back(literal: str) -> str:
    """A reader after the vendor's description of text literals."""
    return re.sub(
        r"\\(u[0-9A-F]{4}|.)",
        lambda found: chr(int(found[1][1:], 16)) if len(found[1]) == 5 else _UNESCAPE.get(found[1], found[1]),
        literal[1:-1],
    )


@given(st.text(max_size=300))
def test_any_text_is_one_literal_and_reads_back_as_itself(text: str) -> None:
    literal = soql("{value}", value=text)
    assert _LITERAL.fullmatch(literal)
    assert read_back(literal) == text
    literal.encode()


@given(st.text(max_size=300))
def test_slots_in_values_are_not_filled(text: str) -> None:
    filled = soql("A = {one} AND B = {two}", one="{two}" + text, two="x")
    assert filled.endswith(" AND B = 'x'")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("O'Neill", "'O\\'Neill'"),
        ("a\\", "'a\\\\'"),
        (True, "TRUE"),
        (False, "FALSE"),
        (None, "NULL"),
        (12, "12"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 11, 23), "2026-11-23"),
        (datetime(2026, 11, 23, 9, 30, 15, 999, UTC), "2026-11-23T09:30:15Z"),
        (datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=9))), "2026-11-23T00:00:00Z"),
        (["a", "b'"], "('a', 'b\\'')"),
        (Containing("100%_'"), "'%100\\%\\_\\'%'"),
        (names("Id", "Product2.Name"), "Id, Product2.Name"),
    ],
)
def test_values_are_written_by_their_type(value: Value, written: str) -> None:
    assert soql("{value}", value=value) == written


@pytest.mark.parametrize("field", ["", "Id, Name", "Id FROM Account--", "1Id", "Id.", ".Id", "Nаme", "Id\n", "a b"])
def test_names_are_names(field: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        names(field)


@pytest.mark.parametrize("value", ["x" * (LONGEST_TEXT + 1), [], datetime(2026, 11, 23)])
def test_what_soql_cannot_hold_is_refused(value: Value) -> None:
    with pytest.raises(ValueError, match=r"long|nothing|zone"):
        soql("{value}", value=value)
