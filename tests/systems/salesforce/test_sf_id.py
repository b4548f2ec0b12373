"""Ids and their checksums."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import NotFound
from portico.systems.salesforce.sf_id import account_id, is_nobody, item_id, normalized, order_id

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("0015f00002JUZPD", "0015f00002JUZPDAA5"),
        ("a0D30000001n7Pi", "a0D30000001n7PiEAI"),
        ("000000000000000", "000000000000000AAA"),
    ],
)
def test_known_ids(short: str, full: str) -> None:
    assert normalized(short) == full
    assert normalized(full) == full


@given(st.text(alphabet=LETTERS, min_size=15, max_size=15))
def test_an_id_in_another_case_is_another_id_or_none(short: str) -> None:
    full = normalized(short)
    assert full[:15] == short
    if full.upper() != full:
        with pytest.raises(ValueError, match="checksum"):
            normalized(full[:15].upper() + full[15:])


@pytest.mark.parametrize("value", ["", "001", "0015f00002JUZPDAA6", "0015f00002JUZP'", "０015f00002JUZPD", "x" * 16])
def test_what_is_no_id_is_not_found(value: str) -> None:
    for kind in (account_id, order_id, item_id):
        with pytest.raises(NotFound):
            kind(value)


def test_the_kind_of_thing_is_checked() -> None:
    assert account_id("0015f00002JUZPD") == "0015f00002JUZPDAA5"
    with pytest.raises(NotFound):
        order_id("0015f00002JUZPD")


def test_the_zero_id_is_nobody() -> None:
    assert is_nobody("000000000000000AAA")
    assert not is_nobody("0015f00002JUZPDAA5")
