"""Reading a record of a query answer: typed, or a surprise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from portico.errors import SystemSurprised
from portico.systems.salesforce.sf_id import normalized

Value = TypeVar("Value")


class Row:
    """A record. Fields may lie behind relationship dots (`Product2.Name`); a wrong type raises SystemSurprised."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record

    def id(self, field: str = "Id") -> str:
        """18 characters."""
        return self._as(field, normalized, self.text(field))

    def id_or_none(self, field: str) -> str | None:
        return self.id(field) if self._get(field) is not None else None

    def text(self, field: str) -> str:
        value = self.text_or_none(field)
        if value is None:
            raise self._surprise(field)
        return value

    def text_or_none(self, field: str) -> str | None:
        """Empty counts as none. A number where the org chose a number field for a code comes as its digits."""
        value = self._get(field)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            return value
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool) and value == int(value):
            return str(int(value))
        raise self._surprise(field)

    def whole_or_none(self, field: str) -> int | None:
        """A whole number, kept by the org as text or number."""
        value = self.text_or_none(field)
        return None if value is None else self._as(field, int, value)

    def whole(self, field: str) -> int:
        value = self.number(field)
        if value != int(value):
            raise self._surprise(field)
        return int(value)

    def number(self, field: str) -> Decimal:
        value = self._get(field)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise self._surprise(field)
        return Decimal(value)

    def number_or_none(self, field: str) -> Decimal | None:
        return None if self._get(field) is None else self.number(field)

    def flag(self, field: str) -> bool:
        value = self._get(field)
        if not isinstance(value, bool):
            raise self._surprise(field)
        return value

    def day(self, field: str) -> date:
        return self._as(field, date.fromisoformat, self.text(field))

    def moment(self, field: str) -> datetime:
        """Aware, UTC. Salesforce writes `2026-11-20T20:49:32.000+0000`."""
        return self._as(field, datetime.fromisoformat, self.text(field)).astimezone(UTC)

    def choices(self, field: str) -> frozenset[str]:
        """Of a multi-select picklist, which comes as `A;B`."""
        return frozenset(choice.strip() for choice in (self.text_or_none(field) or "").split(";") if choice.strip())

    def as_type(self, field: str, kind: Callable[[str], Value]) -> Value:
        """An enum out of a picklist."""
        return self._as(field, kind, self.text(field))

    def as_type_or_none(self, field: str, kind: Callable[[str], Value]) -> Value | None:
        return None if self.text_or_none(field) is None else self.as_type(field, kind)

    def known_or_none(self, field: str, kind: Callable[[str], Value]) -> Value | None:
        """Like `as_type_or_none`, but a word that we don't know counts as none."""
        try:
            return self.as_type_or_none(field, kind)
        except SystemSurprised:
            return None

    def page(self, relationship: str) -> Mapping[str, Any] | None:
        """The raw answer of a child subquery; Salesforce says null where there are no children."""
        value = self._get(relationship)
        if value is None or isinstance(value, dict):
            return value
        raise self._surprise(relationship)

    def first_child(self, relationship: str) -> Row | None:
        """The first record of a child subquery, if any."""
        records = (self.page(relationship) or {}).get("records")
        return Row(records[0]) if records else None

    def _get(self, field: str) -> Any:
        value: Any = self._record
        for step in field.split("."):
            if value is None:
                return None
            if not isinstance(value, Mapping) or step not in value:
                raise self._surprise(field)
            value = value[step]
        return value

    def _as(self, field: str, convert: Callable[[str], Value], value: str) -> Value:
        try:
            return convert(value)
        except (ValueError, InvalidOperation) as error:
            raise self._surprise(field) from error

    def _surprise(self, field: str) -> SystemSurprised:
        # Names the field only: the value may be personal.
        return SystemSurprised("salesforce", f"{field} is missing or of another type")
