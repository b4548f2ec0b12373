"""What people type, made uniform; and whose try a request counts as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.identity.fields import normal_email, normal_number, normal_phone, normal_postal_code, normal_words
from portico.identity.passwords import password_fault
from portico.identity.visitors import source_of


@pytest.mark.parametrize(
    "typed", ["090-1234-5678", "０９０ー１２３４－５６７８", "+81 90 1234 5678", "(090) 1234−5678"]
)
def test_phone_numbers(typed: str) -> None:
    assert normal_phone(typed) == "09012345678"


@pytest.mark.parametrize("typed", ["150-0041", "1500041", "〒150ー0041", "１５０－００４１", " 150 0041 "])
def test_postal_codes(typed: str) -> None:
    assert normal_postal_code(typed) == "150-0041"


@pytest.mark.parametrize("typed", ["cn-100101", "ＣＮ－１００１０１", " CN‐100 101 ", "CN−100101"])
def test_customer_numbers(typed: str) -> None:
    assert normal_number(typed) == "CN-100101"


def test_names_keep_their_characters() -> None:
    assert normal_words(" 髙﨑\u3000 湊\n") == "髙﨑 湊"


KEYS = st.sampled_from("aZ09 -_.@+()ー－‐−〜〒　ａＺ０９．＠＋（）ｱカ漢ß")


@given(st.text(KEYS))
def test_making_uniform_twice_changes_nothing(typed: str) -> None:
    for normal in (normal_number, normal_postal_code, normal_phone, normal_words, normal_email):
        assert normal(normal(typed)) == normal(typed)


@pytest.mark.parametrize("password", ["パスワードはながいです！", "correct horse battery", "x7#kQ9!mPz2"])
def test_good_passwords(password: str) -> None:
    assert password_fault(password, 10, ["hina.sato@mail.example", "陽菜"]) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "source"),
    [
        ("192.0.2.1", "203.0.113.9", 0, "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", 1, "203.0.113.9"),
        ("192.0.2.1", "6.6.6.6, 203.0.113.9", 1, "203.0.113.9"),
        ("192.0.2.1", "6.6.6.6, 203.0.113.9, 192.0.2.5", 2, "203.0.113.9"),
        ("192.0.2.1", "", 1, "192.0.2.1"),
        ("192.0.2.1", "nonsense", 1, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "", 0, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "", 0, "192.0.2.1"),
        ("", "", 0, "unknown"),
    ],
)
def test_the_source_of_a_try(peer: str, forwarded: str, proxies: int, source: str) -> None:
    assert source_of(peer, forwarded, proxies) == source
