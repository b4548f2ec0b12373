"""Forms that PHP (as the stand-in reads it) understands the way they were meant."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portico.systems.whmcs.php_form import encode_form
from portico_sandbox.whmcs.php_form import parse_form

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.recursive(
    TEXT | st.integers(),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4) | st.dictionaries(st.integers(0, 99), inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


def as_php_reads(value: Any) -> Any:
    if isinstance(value, list):
        value = dict(enumerate(value))
    return {key: as_php_reads(inner) for key, inner in value.items()} if isinstance(value, dict) else str(value)


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_php_reads_what_was_written(form: dict[str, Any]) -> None:
    assert parse_form(encode_form(form)) == {name: as_php_reads(value) for name, value in form.items()}


def test_arrays_have_explicit_indexes_and_stay_aligned_over_a_gap() -> None:
    assert encode_form({"priceoverride": [Decimal("980"), None, Decimal("0.50")]}) == (
        b"priceoverride%5B0%5D=980&priceoverride%5B2%5D=0.50"
    )


def test_true_is_one_and_false_is_left_out() -> None:
    # PHP reads the word `false` as true.
    assert encode_form({"noemail": True, "draft": False, "notes": None, "autosetup": 0}) == b"noemail=1&autosetup=0"


def test_plus_and_slash_of_base64_survive() -> None:
    assert encode_form({"customfields": ["a+b/c=="]}) == b"customfields%5B0%5D=a%2Bb%2Fc%3D%3D"


def test_big_amounts_are_not_written_with_an_exponent() -> None:
    assert encode_form({"amount": Decimal("1E+6")}) == b"amount=1000000"
