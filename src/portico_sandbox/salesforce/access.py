"""What the integration user may see: hidden fields (field-level security), objects it has no right to, Orders off."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.objects import BY_NAME, entity_named
from portico_sandbox.salesforce.schema import SYSTEM_FIELDS, Entity
from portico_sandbox.sandbox import Sandbox

_TABLE = "sf_access"
_ORDERS = ("Order", "OrderItem", "OrderStatus")
"""Objects that do not exist where the org has not switched Orders on."""


class AlwaysVisible(ValueError):
    """Fields of the system can't be hidden; its text says which one was tried."""


def readable(sandbox: Sandbox, name: str) -> Entity | None:
    """The object as this user sees it; None where it is unknown, switched off or forbidden to the user."""
    entity = entity_named(name)
    return None if entity is None or is_closed(sandbox, entity) else visible(sandbox, entity)


def visible(sandbox: Sandbox, entity: Entity) -> Entity:
    """The object without its hidden fields."""
    hidden = hidden_fields(sandbox, entity)
    return _without(entity.name.lower(), hidden) if hidden else entity


def hidden_fields(sandbox: Sandbox, entity: Entity) -> frozenset[str]:
    """Names of the fields that neither REST nor change events show; the parts of a hidden compound are among them."""
    row = sandbox.store.get(_TABLE, entity.name)
    named = set(row["hidden"]) if row else set()
    return frozenset(named | {each.name for each in entity.fields if each.part_of in named}) if named else frozenset()


def is_closed(sandbox: Sandbox, entity: Entity) -> bool:
    """Whether the object is away for this user: no permission, or its feature is off."""
    if entity.name in _ORDERS and knob(sandbox, "orders_feature") == "off":
        return True
    row = sandbox.store.get(_TABLE, entity.name)
    return bool(row and row["closed"])


def changed_at(sandbox: Sandbox, entity: Entity) -> str:
    """When the user's rights on the object last changed, as rows are stamped; empty: never."""
    row = sandbox.store.get(_TABLE, entity.name)
    return row.get("at", "") if row else ""


def show_field(sandbox: Sandbox, entity: Entity, field_name: str, shown: bool) -> None:
    """Field-level security of one field. Raises AlwaysVisible, and KeyError where there is no such field."""
    field = entity.field(field_name)
    if field is None:
        raise KeyError(field_name)
    if field.name in SYSTEM_FIELDS:
        raise AlwaysVisible(field.name)
    row = sandbox.store.get(_TABLE, entity.name) or {"hidden": [], "closed": False}
    hidden = set(row["hidden"]) - {field.name} if shown else {*row["hidden"], field.name}
    with sandbox.store.begin() as tx:
        tx.put(_TABLE, entity.name, {**row, "hidden": sorted(hidden), "at": _stamp(sandbox)})


def open_object(sandbox: Sandbox, entity: Entity, is_open: bool) -> None:
    """The user's permission for a whole object."""
    row = sandbox.store.get(_TABLE, entity.name) or {"hidden": []}
    with sandbox.store.begin() as tx:
        tx.put(_TABLE, entity.name, {**row, "closed": not is_open, "at": _stamp(sandbox)})


def _stamp(sandbox: Sandbox) -> str:
    return f"{sandbox.clock.now():%Y-%m-%dT%H:%M:%S}.000+0000"


@lru_cache(maxsize=256)
def _without(name: str, hidden: frozenset[str]) -> Entity:
    entity = BY_NAME[name]
    return replace(entity, fields=tuple(each for each in entity.fields if each.name not in hidden))
