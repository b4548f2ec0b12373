"""Dates, times, money, colors and pages of lists."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from unicodedata import normalize
from zoneinfo import ZoneInfo

import pytest
from babel import dates, numbers
from hypothesis import given
from hypothesis import strategies as st

from portico.i18n import Message, _m, format_date, format_datetime, format_time, known
from portico.money import Money
from portico.web.paging import Paging
from portico.web.theme import DARK_GROUND, LIGHT_GROUND, contrast, theme_css

TOKYO = ZoneInfo("Asia/Tokyo")
MOMENTS = st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
STYLES = {"en": "medium", "ja": "long"}


@given(MOMENTS, st.sampled_from(["en", "ja"]))
def test_dates_read_as_babel_writes_them(moment: datetime, language: str) -> None:
    style = STYLES[language]
    assert format_date(moment.date(), language) == dates.format_date(moment.date(), style, language)
    assert format_time(moment, language, TOKYO) == dates.format_time(moment, "short", TOKYO, language)


def test_a_moment_is_shown_in_the_zone() -> None:
    moment = datetime(2026, 11, 30, 23, 2, tzinfo=UTC)
    assert format_datetime(moment, "en", TOKYO) == "Dec 1, 2026, 8:02\u202fAM"
    assert format_datetime(moment, "ja", TOKYO) == "2026年12月1日 8:02"


@given(
    st.decimals(-10_000_000, 10_000_000, places=2, allow_nan=False),
    st.sampled_from(["JPY", "USD", "EUR"]),
    st.sampled_from(["en", "ja"]),
)
def test_money_reads_as_babel_writes_it(amount: Decimal, currency: str, language: str) -> None:
    money = Money(amount, currency).rounded()
    babel = numbers.format_currency(money.amount + 0, currency, locale=language)
    assert str(money).replace("-¥0", "¥0") == normalize("NFKC", babel)


def test_a_sentence_speaks_the_language_of_its_values() -> None:
    inner = Message("Paid")
    due = Message("Your invoice is due on %(day)s")(day=date(2026, 11, 3))
    assert due.in_language("ja") == "請求書のお支払期限は2026年11月3日です"
    assert Message("Invoice %(number)s")(number=inner).in_language("ja") == "請求書 支払い済み"


def test_a_sentence_is_found_by_its_key() -> None:
    sentence = _m("Paid")
    assert known(sentence.key) == sentence
    assert known("nothing") is None


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_any_accent_can_be_read(accent: str) -> None:
    css = theme_css(accent)
    light, dark = _pair(css, "--accent")
    on_light, on_dark = _pair(css, "--on-accent")
    assert contrast(light, LIGHT_GROUND) >= 4.5
    assert contrast(dark, DARK_GROUND) >= 4.5
    assert contrast(light, on_light) >= 4.5
    assert contrast(dark, on_dark) >= 4.5
    soft_light, soft_dark = _pair(css, "--accent-soft")
    assert contrast(light, soft_light) >= 4.5
    assert contrast(dark, soft_dark) >= 4.5


@pytest.mark.parametrize(
    ("total", "count", "shown"),
    [(0, 1, (0, 0)), (1, 1, (1, 1)), (10, 1, (1, 10)), (11, 2, (1, 10)), (1000, 100, (1, 10))],
)
def test_pages_of_a_list(total: int, count: int, shown: tuple[int, int]) -> None:
    first = Paging(1, 10, total, "/billing", (("status", "unpaid"), ("page", "1")))
    assert (first.count, (first.first, first.last)) == (count, shown)
    assert first.href(2) == "/billing?status=unpaid&page=2"
    assert first.href(1) == "/billing?status=unpaid"
    last = Paging(count, 10, total, "/billing", ())
    assert (last.last, last.href(1)) == (total, "/billing")


def _pair(css: str, name: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    light, dark = css.partition(f"{name}:light-dark(")[2].partition(")")[0].split(",")
    return _rgb(light), _rgb(dark)


def _rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = (float(int(color[place : place + 2], 16)) for place in (1, 3, 5))
    return red, green, blue
