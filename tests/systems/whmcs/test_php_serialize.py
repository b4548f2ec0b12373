"""Serialized maps that PHP (as the stand-in reads it) understands the way they were meant."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portico.systems.whmcs.php_serialize import serialize, serialized_map
from portico_sandbox.whmcs.php_serialize import loads, read_map

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT
MAPS = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(st.integers(0, 9999), inner, max_size=4),
    max_leaves=12,
)


@given(MAPS)
def test_php_reads_what_was_written(value: Any) -> None:
    assert loads(serialize(value)) == value


@given(st.dictionaries(st.integers(1, 10**6), TEXT, max_size=6))
def test_custom_fields_arrive(fields: dict[int, str]) -> None:
    assert read_map(serialized_map(fields)) == fields


def test_the_length_of_text_is_in_bytes() -> None:
    assert serialize("東京") == 's:6:"東京";'.encode()


def test_the_example_of_the_reference() -> None:
    assert serialized_map({12: "ORD-77"}) == "YToxOntpOjEyO3M6NjoiT1JELTc3Ijt9"


def test_keys_that_look_like_integers_are_integers() -> None:
    keys = {"12": "a", "-3": "b", "0": "c", "012": "d", "-0": "e", "1.5": "f", "9223372036854775808": "g"}
    written = serialize(keys)
    assert written.startswith(b'a:7:{i:12;s:1:"a";i:-3;')
    for text in (b's:3:"012"', b's:2:"-0"', b's:3:"1.5"', b's:19:"9223372036854775808"'):
        assert text in written
