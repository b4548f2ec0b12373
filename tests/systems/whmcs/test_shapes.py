"""One reading for the many shapes of the same answer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import SystemSurprised
from portico.money import Money
from portico.systems.whmcs import shapes

ROWS = st.lists(
    st.dictionaries(st.sampled_from(["id", "name", "total"]), st.text("abc1", min_size=1, max_size=4), min_size=1),
    max_size=4,
)


def flattened(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        value = {str(index): inner for index, inner in enumerate(value)}
    if not isinstance(value, dict):
        return {name: value}
    return {key: leaf for inner, each in value.items() for key, leaf in flattened(f"{name}[{inner}]", each).items()}


@given(ROWS)
def test_rows_come_out_the_same_of_every_shape(rows: list[dict[str, str]]) -> None:
    numbered = {str(3 * index): row for index, row in enumerate(rows)}
    variants: list[Any] = [{"thing": rows}, rows, {"thing": numbered}, numbered]
    if len(rows) == 1:
        variants += [{"thing": rows[0]}, rows[0]]
    for variant in variants:
        answer = {"things": variant}
        assert shapes.rows(answer, "things", "thing") == rows
        flat = flattened("things", variant)
        if rows and variant is not rows[0]:
            assert shapes.rows(shapes.unflatten(flat), "things", "thing") == rows


@pytest.mark.parametrize(
    "empty", ["", None, [], {}, {"thing": []}, {"thing": ""}, {"thing": {}}, [[]], {"thing": [[]]}]
)
def test_every_empty_is_empty(empty: Any) -> None:
    assert shapes.rows({"things": empty}, "things", "thing") == []
    assert shapes.rows({}, "things", "thing") == []


@pytest.mark.parametrize("wrong", ["rubbish", 7, ["text"], {"thing": "text"}])
def test_what_is_no_list_is_a_surprise(wrong: Any) -> None:
    with pytest.raises(SystemSurprised):
        shapes.rows({"things": wrong}, "things", "thing")


def test_numeric_keys_are_taken_in_their_order_not_in_that_of_text() -> None:
    answer = {"things": {"10": {"id": 3}, "2": {"id": 2}, "0": {"id": 1}}}
    assert [row["id"] for row in shapes.rows(answer, "things", "thing")] == [1, 2, 3]


@given(st.integers(-(10**17), 10**17))
def test_numbers_as_text_and_as_numbers(number: int) -> None:
    assert shapes.as_int({"id": number}, "id") == shapes.as_int({"id": f" {number} "}, "id") == number


@pytest.mark.parametrize("wrong", [None, "", "7.0", "x", True, Decimal("7"), [], "1e3"])
def test_what_is_no_whole_number_is_a_surprise(wrong: Any) -> None:
    with pytest.raises(SystemSurprised):
        shapes.as_int({"id": wrong}, "id")


@pytest.mark.parametrize("none", [None, "", 0, "0", [], {}])
def test_no_id_is_none(none: Any) -> None:
    assert shapes.as_id({"id": none}, "id") is None


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *[(word, True) for word in (True, 1, "1", "true", "on")],
        *[(word, False) for word in (False, 0, "0", "false", "", None)],
    ],
)
def test_booleans(value: Any, meant: bool) -> None:
    assert shapes.as_bool({"flag": value}, "flag") is meant


def test_a_word_that_is_neither_true_nor_false_is_a_surprise() -> None:
    with pytest.raises(SystemSurprised):
        shapes.as_bool({"flag": "perhaps"}, "flag")


@pytest.mark.parametrize(("value", "amount"), [("3000.00", "3000"), (3000, "3000"), (Decimal("3000.5"), "3000.5")])
def test_amounts_are_exact(value: Any, amount: str) -> None:
    assert shapes.as_money({"total": value}, "total", "JPY") == Money(Decimal(amount), "JPY")
    assert str(shapes.as_money({"total": value}, "total", "JPY").amount) == amount


@pytest.mark.parametrize("wrong", ["¥3,000", "3,000.00", "", None, True, 3.5, "NaN", "1e5", "Infinity"])
def test_what_is_no_amount_is_a_surprise(wrong: Any) -> None:
    with pytest.raises(SystemSurprised):
        shapes.as_money({"total": wrong}, "total", "JPY")


def test_dates_and_zero_dates() -> None:
    assert shapes.as_date({"date": "2026-05-01"}, "date") == date(2026, 5, 1)
    assert shapes.as_date({"date": "2026-05-01 10:00:00"}, "date") == date(2026, 5, 1)
    for zero in ("0000-00-00", "0000-00-00 00:00:00", "", None):
        assert shapes.as_date({"date": zero}, "date") is None
    with pytest.raises(SystemSurprised):
        shapes.as_date({"date": "01/05/2026"}, "date")


def test_times_are_the_servers_and_become_utc() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    assert shapes.as_datetime({"at": "2026-05-01 09:15:00"}, "at", tokyo) == datetime(2026, 5, 1, 0, 15, tzinfo=UTC)
    assert shapes.as_datetime({"at": "0000-00-00 00:00:00"}, "at", tokyo) is None


@pytest.mark.parametrize(
    ("text", "last_day"),
    [
        ("02/28", date(2028, 2, 29)),
        ("0928", date(2028, 9, 30)),
        ("12/2030", date(2030, 12, 31)),
        ("", None),
        ("00/00", None),
    ],
)
def test_a_card_is_good_until_the_end_of_its_month(text: str, last_day: date | None) -> None:
    assert shapes.as_month_end({"expiry_date": text}, "expiry_date") == last_day


def test_an_expiry_that_can_not_be_is_a_surprise() -> None:
    with pytest.raises(SystemSurprised):
        shapes.as_month_end({"expiry_date": "13/28"}, "expiry_date")


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        ("O&#039;Brien &amp; S&ouml;hne", "O'Brien & Söhne"),
        ("&amp;amp;", "&amp;"),
        ("R&not", "R&not"),
        ("a & b", "a & b"),
        ("&quot;5&quot;", '"5"'),
        ("&#x6771;&#20140;", "東京"),
        ("東京", "東京"),
    ],
)
def test_entities_are_decoded_exactly_once(stored: str, meant: str) -> None:
    assert shapes.as_text({"name": stored}, "name") == meant
    assert shapes.as_raw({"name": stored}, "name") == stored


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_encoding_once_is_undone(text: str) -> None:
    encoded = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    encoded = encoded.replace('"', "&quot;").replace("'", "&#039;")
    assert shapes.as_text({"name": encoded}, "name") == text


def test_an_empty_object_may_be_a_list() -> None:
    assert shapes.record({"client": []}, "client") == {}
    with pytest.raises(SystemSurprised):
        shapes.record({"client": ["x"]}, "client")
