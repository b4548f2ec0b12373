"""Record ids of this org: allocation, and the vendor's answers to ids that are none."""

from __future__ import annotations

from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.sf_id import is_id, suffix_of, to_18
from portico_sandbox.store import Transaction

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_POD = "5g1"  # the world's own rows live on 5g0: no clash


def with_suffix(fifteen: str) -> str:
    return fifteen + suffix_of(fifteen)


def new_id(tx: Transaction, entity: Entity) -> str:
    """18 characters, in ascending order within an object."""
    return with_suffix(f"{entity.prefix}{_POD}{_base62(tx.next(f'sf_id:{entity.name}'), 9)}")


def normal(record_id: str) -> str | None:
    """The 18-character form, or None where this is no id."""
    return to_18(record_id) if is_id(record_id) else None


def field_id(number: int) -> str:
    """The 15-character id of a custom field, as it stands in event schemas."""
    return f"00N{_POD}{_base62(number, 9)}"


def _base62(number: int, width: int) -> str:
    letters = ""
    while number:
        number, digit = divmod(number, 62)
        letters = _DIGITS[digit] + letters
    return letters.rjust(width, "0")
