"""Amounts of money: exact, with their currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

_DECIMALS = {"JPY": 0, "KRW": 0}
_SIGNS = {"JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}


@dataclass(frozen=True, slots=True, order=True)
class Money:
    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def __mul__(self, factor: int | Decimal) -> Money:
        return Money(self.amount * factor, self.currency)

    @property
    def decimals(self) -> int:
        return _DECIMALS.get(self.currency, 2)

    def rounded(self, rounding: str = ROUND_HALF_UP) -> Money:
        """To the currency's smallest unit."""
        return Money(self.amount.quantize(Decimal(1).scaleb(-self.decimals), rounding), self.currency)

    def tax(self, rate: Decimal) -> Money:
        """The tax on this net amount, rounded down as is usual for consumption tax in Japan."""
        return Money(self.amount * rate, self.currency).rounded(ROUND_DOWN)

    def __str__(self) -> str:
        """`¥1,100`; the currency's own number of decimals."""
        amount = f"{self.rounded().amount:,.{self.decimals}f}"
        sign = _SIGNS.get(self.currency)
        if sign is None:
            return f"{amount} {self.currency}"
        return f"-{sign}{amount[1:]}" if amount.startswith("-") else f"{sign}{amount}"

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
