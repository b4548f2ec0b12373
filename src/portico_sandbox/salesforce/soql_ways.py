"""From the words of a query to fields of objects: relationships followed, functions applied, rights obeyed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from portico_sandbox.salesforce.access import readable
from portico_sandbox.salesforce.lookup import row_of, value_of
from portico_sandbox.salesforce.schema import NUMBERS, Entity, Field
from portico_sandbox.salesforce.soql_dates import part_of_moment
from portico_sandbox.salesforce.soql_tree import AGGREGATES, DATE_FUNCTIONS, Path, Term, Wrong
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

MOST_HOPS = 5
Reader = Callable[[Row], Any]


@dataclass(frozen=True)
class Way:
    """A field seen from an object: the references to follow, then the field."""

    hops: tuple[tuple[Field, Entity], ...]
    entity: Entity
    """That holds the field."""
    field: Field

    def value(self, sandbox: Sandbox, row: Row | None) -> Any:
        owner = self.owner(sandbox, row)
        return None if owner is None else value_of(sandbox.store, self.entity, owner, self.field)

    def owner(self, sandbox: Sandbox, row: Row | None) -> Row | None:
        for reference, target in self.hops:
            row = row_of(sandbox.store, target, (row or {}).get(reference.name), deleted=True)
        return row

    def reader(self, sandbox: Sandbox) -> Reader:
        """The same as `value`, made once for many rows."""
        name = self.field.name
        if not self.hops and self.field.is_stored:
            return lambda row: row.get(name)
        return lambda row: self.value(sandbox, row)


@dataclass(frozen=True)
class Column:
    """A term of a query that is known to make sense."""

    term: Term
    way: Way
    field: Field
    """What its values are like: the field itself, or a stand-in with the type that the function yields."""

    def reader(self, sandbox: Sandbox) -> Reader:
        read = self.way.reader(sandbox)
        if self.term.function not in DATE_FUNCTIONS:
            return read
        function, local = self.term.function, self.term.local
        return lambda row: part_of_moment(function, read(row), local=local)


@dataclass(frozen=True)
class Scope:
    """An object of a query, and the names that its FROM gave."""

    sandbox: Sandbox
    entity: Entity
    aliases: tuple[tuple[str, Path], ...] = ()

    def way(self, path: Path, at: int | None = None) -> Way:
        """Raises Wrong (INVALID_FIELD) where there is no such field or relationship."""
        steps = self._steps(path)
        if len(steps) - 1 > MOST_HOPS:
            raise Wrong("INVALID_FIELD", f"At most {MOST_HOPS} levels of relationships may be traversed", at)
        hops: list[tuple[Field, Entity]] = []
        here = self.entity
        for step in steps[:-1]:
            reference, target = self._parent(here, step, at)
            hops.append((reference, target))
            here = target
        field = here.field(steps[-1])
        if field is None or field.write_only:
            raise Wrong("INVALID_FIELD", no_such_column(steps[-1], here), at)
        return Way(tuple(hops), here, field)

    def column(self, term: Term) -> Column:
        """Raises Wrong where the field is unknown or the function does not fit it."""
        way = self.way(term.path, term.at)
        if term.function in DATE_FUNCTIONS:
            return Column(term, way, _dated(term, way.field))
        if term.function in AGGREGATES:
            return Column(term, way, _aggregated(term, way.field))
        return Column(term, way, way.field)

    def _steps(self, path: Path) -> Path:
        if len(path) == 1:
            return path
        for alias, stands_for in self.aliases:
            if path[0].lower() == alias:
                return (*stands_for, *path[1:])
        return path[1:] if path[0].lower() == self.entity.name.lower() else path

    def _parent(self, here: Entity, step: str, at: int | None) -> tuple[Field, Entity]:
        reference = here.parent(step)
        target = readable(self.sandbox, reference.refers_to) if reference else None
        if reference is None or target is None:
            message = (
                f"Didn't understand relationship '{step}' in field path. If you are attempting to use a custom "
                "relationship, be sure to append the '__r' after the custom relationship name. Please reference your "
                "WSDL or the describe call for the appropriate names."
            )
            raise Wrong("INVALID_FIELD", message, at)
        return reference, target


def sort_key(field: Field, value: Any) -> Any:
    """Text is compared without case, ids as they are."""
    exact = ("id", "reference", "date", "datetime")
    return value.casefold() if isinstance(value, str) and field.type not in exact else value


def no_such_column(name: str, entity: Entity) -> str:
    return (
        f"No such column '{name}' on entity '{entity.name}'. If you are attempting to use a custom field, be sure to "
        "append the '__c' after the custom field name. Please reference your WSDL or the describe call for the "
        "appropriate names."
    )


def is_long_text(field: Field) -> bool:
    """What can be read but not compared, sorted or grouped by."""
    return field.type in ("address", "base64") or (field.type == "textarea" and field.length > 255)


def _dated(term: Term, field: Field) -> Field:
    fits = field.type == "datetime" if term.function in ("DAY_ONLY", "HOUR_IN_DAY") else _is_time(field)
    if not fits or (term.local and field.type != "datetime"):
        raise Wrong("INVALID_FIELD", f"field {field.name} does not support the function {term.function}", term.at)
    return replace(field, type="date" if term.function == "DAY_ONLY" else "int")


def _is_time(field: Field) -> bool:
    return field.type in ("date", "datetime")


def _aggregated(term: Term, field: Field) -> Field:
    if term.function in ("COUNT", "COUNT_DISTINCT"):
        fits, kind = not is_long_text(field), "int"
    elif term.function in ("SUM", "AVG"):
        fits, kind = field.type in NUMBERS, "double"
    else:
        fits, kind = not is_long_text(field) and field.type not in ("boolean", "id", "multipicklist"), field.type
    if not fits:
        message = f"field {field.name} does not support aggregate operator {term.function}"
        raise Wrong("MALFORMED_QUERY", message, term.at)
    return replace(field, type=kind)  # type: ignore[arg-type]
