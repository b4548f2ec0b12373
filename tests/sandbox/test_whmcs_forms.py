"""PHP's reading of forms and of serialized maps."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico_sandbox.whmcs.php_form import MAX_INPUT_VARS, MAX_NESTING, parse_form
from portico_sandbox.whmcs.php_serialize import MAX_DEPTH, BadSerialization, loads, read_map
from tests.sandbox.whmcs_calling import serialized


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ("a=1&a=2", {"a": "2"}),
        ("a", {"a": ""}),
        ("a=x+y%2Bz", {"a": "x y+z"}),
        ("a=%E6%9D%B1%E4%BA%AC", {"a": "東京"}),
        ("pid[0]=31&pid[1]=44", {"pid": {0: "31", 1: "44"}}),
        ("pid%5B0%5D=31", {"pid": {0: "31"}}),
        ("pid[]=1&pid[]=2", {"pid": {0: "1", 1: "2"}}),
        ("pid[7]=1&pid[]=2", {"pid": {7: "1", 8: "2"}}),
        ("a[0][label]=x&a[0][value]=y", {"a": {0: {"label": "x", "value": "y"}}}),
        ("a[][b]=x&a[][b]=y", {"a": {0: {"b": "x"}, 1: {"b": "y"}}}),
        ("a[01]=x&a[-5]=y&a[1.5]=z", {"a": {"01": "x", -5: "y", "1.5": "z"}}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b]=1&a=2", {"a": "2"}),
        ("a.b c=1", {"a_b_c": "1"}),
        ("a[b=1", {"a_b": "1"}),
        ("a[b]c=1", {"a": {"b": "1"}}),
        ("[a]=1&=2&&b=3", {"b": "3"}),
    ],
)
def test_forms_are_read_as_php_reads_them(body: str, form: dict[str, object]) -> None:
    assert parse_form(body.encode()) == form


def test_variables_past_the_limits_vanish_silently() -> None:
    many = "&".join(f"v{n}=1" for n in range(MAX_INPUT_VARS + 5))
    assert len(parse_form(many.encode())) == MAX_INPUT_VARS
    assert parse_form(b"deep" + b"[a]" * (MAX_NESTING + 1) + b"=1&b=2") == {"b": "2"}


def test_the_manuals_example_of_a_serialized_map() -> None:
    assert read_map("YToxOntpOjEyO3M6NjoiT1JELTc3Ijt9") == {12: "ORD-77"}


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"i:9;", 9),
        (b"b:1;", True),
        (b"d:0.5;", 0.5),
        (b"N;", None),
        ('s:6:"東京";'.encode(), "東京"),
        (b'a:2:{s:2:"12";s:1:"x";i:3;a:1:{s:3:"qty";i:2;}}', {12: "x", 3: {"qty": 2}}),
    ],
)
def test_plain_values_are_read(data: bytes, value: object) -> None:
    assert loads(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b'O:8:"stdClass":0:{}',
        b'C:3:"Foo":0:{}',
        b'a:1:{i:0;O:8:"stdClass":0:{}}',
        's:2:"東京";'.encode(),  # characters counted instead of bytes
        b'a:1:{i:0;s:1:"x";',
        b'a:99999999:{i:0;s:1:"x";}',
        b"a:1:{i:0;" * (MAX_DEPTH + 1) + b"i:1;" + b"}" * (MAX_DEPTH + 1),
        b"s:-1:",
        b"",
    ],
)
def test_objects_wrong_lengths_and_depth_are_refused(data: bytes) -> None:
    with pytest.raises(BadSerialization):
        loads(data)
    assert read_map(base64.b64encode(data).decode()) == {}


@given(st.dictionaries(st.integers(0, 10**9), st.text(max_size=30)))
def test_what_a_client_serializes_is_read_back(values: dict[int, str]) -> None:
    assert read_map(serialized(values)) == values


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    parse_form(data)
    read_map(data.decode("latin-1"))
