"""Country codes and names, out of CLDR."""

from __future__ import annotations

import re
from functools import cache

from babel import Locale

_NO_COUNTRY = ("EU", "EZ", "UN", "XA", "XB", "ZZ")
_DIALING = {"JP": "81", "US": "1", "GB": "44", "DE": "49", "FR": "33", "KR": "82", "CN": "86", "IN": "91"}


@cache
def _names() -> dict[str, str]:
    names = Locale("en").territories.items()
    return {code: name for code, name in names if re.fullmatch("[A-Z]{2}", code) and code not in _NO_COUNTRY}


def is_country(code: str) -> bool:
    return code.upper() in _names()


def country_name(code: str) -> str:
    return _names().get(code, code)


def dialing_code(country: str) -> str:
    """Digits without the plus; empty for countries that nobody in this world comes from."""
    return _DIALING.get(country, "")
