"""Salesforce record ids: 15 case-sensitive characters, and the 18-character form that survives case folding."""

from __future__ import annotations

_SUFFIX_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def suffix_of(fifteen: str) -> str:
    """The three letters that follow the 15: each tells which of five characters are upper case (lowest bit first)."""
    blocks = (fifteen[0:5], fifteen[5:10], fifteen[10:15])
    return "".join(_SUFFIX_LETTERS[_upper_case_bits(block)] for block in blocks)


def to_18(record_id: str) -> str:
    """Takes 15 or 18 characters, answers 18. Raises ValueError where this is no id (wrong length, letters, suffix)."""
    if len(record_id) not in (15, 18) or not (record_id.isascii() and record_id.isalnum()):
        raise ValueError(f"{record_id!r} is not a Salesforce id")
    full = record_id[:15] + suffix_of(record_id[:15])
    if len(record_id) == 18 and record_id != full:
        raise ValueError(f"{record_id!r} has a wrong suffix")
    return full


def is_id(record_id: str) -> bool:
    try:
        to_18(record_id)
    except ValueError:
        return False
    return True


def _upper_case_bits(block: str) -> int:
    return sum(1 << position for position, letter in enumerate(block) if "A" <= letter <= "Z")
