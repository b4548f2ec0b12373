"""The "Add a card" form: it knows test card numbers only."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, field
from datetime import date

TEST_CARDS = {
    "4242424242424242": "Visa",
    "5555555555554444": "Mastercard",
    "3566002020360505": "JCB",
    "378282246310005": "American Express",
}
DECLINED = "4000000000000002"


@dataclass(frozen=True)
class CardForm:
    """What was typed; `troubles` maps a field to a sentence."""

    number: str = ""
    expiry: str = ""
    brand: str = ""
    last_four: str = ""
    expires: str = ""  # YYYY-MM
    troubles: dict[str, str] = field(default_factory=dict)


def read_card(number: str, expiry: str, today: date) -> CardForm:
    digits = re.sub(r"[ -]", "", number)
    expires = _expires(expiry)
    troubles = {}
    if digits == DECLINED:
        troubles["number"] = "The bank declined this card. Please try another one."
    elif digits not in TEST_CARDS:
        troubles["number"] = "This demo takes the test numbers listed below only. Never enter a real card."
    if expires is None:
        troubles["expiry"] = "Enter the expiry date as month and year, such as 04/29."
    elif expires < today:
        troubles["expiry"] = "This card has expired. Enter a date in the future."
    month = f"{expires:%Y-%m}" if expires else ""
    return CardForm(number, expiry, TEST_CARDS.get(digits, ""), digits[-4:], month, troubles)


def _expires(text: str) -> date | None:
    """The last day of a month written as MM/YY or MM/YYYY."""
    match = re.fullmatch(r"\s*(0?[1-9]|1[0-2])\s*/\s*(?:20)?([0-9]{2})\s*", text)
    if not match:
        return None
    year, month = 2000 + int(match[2]), int(match[1])
    return date(year, month, calendar.monthrange(year, month)[1])
