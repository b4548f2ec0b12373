"""Shapes that all API answers share: money, lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from portico.money import Money

T = TypeVar("T")


class MoneyShape(msgspec.Struct, frozen=True):
    """`{"amount": "1100", "currency": "JPY"}`: the currency's own number of decimals."""

    amount: str
    currency: str


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """A list and how old it is; `next_cursor` leads to the next page."""

    items: Sequence[T]
    next_cursor: str | None
    total: int
    as_of: datetime | None


def money_shape(money: Money) -> MoneyShape:
    return MoneyShape(f"{money.rounded().amount:.{money.decimals}f}", money.currency)


def whole(items: Sequence[T], as_of: datetime | None) -> Listing[T]:
    """A list that is answered in one page."""
    return Listing(items, None, len(items), as_of)
