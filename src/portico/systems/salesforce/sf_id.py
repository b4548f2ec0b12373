"""Salesforce ids: 15 case-sensitive characters, or 18 with a checksum. Ours are always 18."""

from __future__ import annotations

from typing import NewType

from portico.customer import SfAccountId
from portico.errors import NotFound

SfOrderId = NewType("SfOrderId", str)
SfItemId = NewType("SfItemId", str)
SfCaseId = NewType("SfCaseId", str)
SfContactId = NewType("SfContactId", str)

_CHECK_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ZERO = "0" * 15


def account_id(value: str) -> SfAccountId:
    """An id that came from outside. Raises NotFound where it can't be the id of an account."""
    return SfAccountId(_from_outside(value, "001"))


def order_id(value: str) -> SfOrderId:
    """An id that came from outside. Raises NotFound where it can't be the id of an order."""
    return SfOrderId(_from_outside(value, "801"))


def item_id(value: str) -> SfItemId:
    """An id that came from outside. Raises NotFound where it can't be the id of an order item."""
    return SfItemId(_from_outside(value, "802"))


def case_id(value: str) -> SfCaseId:
    """An id that came from outside. Raises NotFound where it can't be the id of a case."""
    return SfCaseId(_from_outside(value, "500"))


def normalized(value: str) -> str:
    """15 or 18 characters to 18. Raises ValueError where it is no id, or its checksum does not match."""
    if len(value) not in (15, 18) or not value.isascii() or not value.isalnum():
        raise ValueError("not a Salesforce id")
    full = value[:15] + _checksum(value[:15])
    if len(value) == 18 and value != full:
        raise ValueError("checksum of the Salesforce id does not match")
    return full


def is_nobody(value: str) -> bool:
    """The all-zero id, which stands for every record in overflow events."""
    return value.startswith(_ZERO)


def _from_outside(value: str, prefix: str) -> str:
    try:
        full = normalized(value)
    except ValueError:
        raise NotFound("malformed id") from None
    if not full.startswith(prefix):
        raise NotFound("id of another kind of thing")
    return full


def _checksum(fifteen: str) -> str:
    """Each block of five tells by one letter which of its characters are upper case, the first one in bit 0."""
    blocks = (fifteen[start : start + 5] for start in (0, 5, 10))
    return "".join(
        _CHECK_LETTERS[sum("A" <= letter <= "Z" and 1 << bit for bit, letter in enumerate(block))] for block in blocks
    )
