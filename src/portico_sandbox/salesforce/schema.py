"""What an object of the org is made of: fields, types, relationships. `objects.py` holds the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

FieldType = Literal[
    "id", "string", "textarea", "picklist", "multipicklist", "reference", "boolean", "int", "double", "currency",
    "date", "datetime", "email", "phone", "url", "address", "name", "base64",
]  # fmt: skip
TEXTS: frozenset[FieldType] = frozenset({"string", "textarea", "picklist", "multipicklist", "email", "phone", "url"})
NUMBERS: frozenset[FieldType] = frozenset({"int", "double", "currency"})
COMPOUNDS: frozenset[FieldType] = frozenset({"address", "name"})
SYSTEM_FIELDS = frozenset(
    {"Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)


@dataclass(frozen=True)
class Field:
    name: str
    type: FieldType
    length: int = 0
    required: bool = False
    createable: bool = True
    updateable: bool = True
    unique: bool = False
    external_id: bool = False
    indexed: bool = False
    values: tuple[str, ...] = ()
    """Of a picklist."""
    restricted: bool = False
    """Whether a picklist refuses other values."""
    refers_to: str = ""
    also_refers_to: tuple[str, ...] = ()
    """Further objects that a reference may name; relationships lead to `refers_to` alone."""
    relationship: str = ""
    """Name of the way to the parent; empty where SOQL knows none."""
    default: str | float | bool | None = None
    autonumber: str = ""
    """Format of the number that a new row is given."""
    mirrors: str = ""
    """`Product2.Name`: read from the parent, never stored."""
    parts: tuple[tuple[str, str], ...] = ()
    """Of a compound: (name within it, field that holds the value)."""
    part_of: str = ""
    in_events: bool = True
    write_only: bool = False
    bytes_limit: bool = False
    """The length counts bytes of UTF-8, not characters."""

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def is_stored(self) -> bool:
        """Whether a row holds the value as it is read: neither a mirror nor put together."""
        return not self.mirrors and self.type not in COMPOUNDS and self.type != "base64"

    @property
    def has_index(self) -> bool:
        return self.unique or self.external_id or self.indexed or bool(self.autonumber)


@dataclass(frozen=True)
class Child:
    """A child relationship: `SELECT (SELECT Id FROM OrderItems) FROM Order`."""

    relationship: str
    entity: str
    field: str
    cascade: bool = False


@dataclass(frozen=True)
class Entity:
    name: str
    prefix: str
    label: str
    plural: str
    fields: tuple[Field, ...]
    children: tuple[Child, ...] = ()
    selected: bool = False
    """Whether changes of it are published."""
    enriched: tuple[str, ...] = ()
    """Fields that the custom channel adds to every UPDATE and DELETE event."""
    no_stamps_in_create_events: bool = False
    writable: bool = True

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name.lower(): field for field in self.fields}

    @cached_property
    def _by_relationship(self) -> dict[str, Field]:
        return {field.relationship.lower(): field for field in self.fields if field.relationship}

    @cached_property
    def indexed(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.has_index)

    def field(self, name: str) -> Field | None:
        """Names are case-insensitive, as everywhere in Salesforce."""
        return self._by_name.get(name.lower())

    def parent(self, relationship: str) -> Field | None:
        return self._by_relationship.get(relationship.lower())

    def child(self, relationship: str) -> Child | None:
        return next((child for child in self.children if child.relationship.lower() == relationship.lower()), None)

    @property
    def table(self) -> str:
        return f"sf:{self.name}"


def text(name: str, length: int = 255, **more: object) -> Field:
    return Field(name, "string", length, **more)  # type: ignore[arg-type]


def long_text(name: str, length: int = 32000, **more: object) -> Field:
    return Field(name, "textarea", length, **more)  # type: ignore[arg-type]


def picklist(name: str, *values: str, **more: object) -> Field:
    return Field(name, "picklist", 255, values=values, **more)  # type: ignore[arg-type]


def reference(name: str, to: str, relationship: str = "", **more: object) -> Field:
    way = relationship or name.removesuffix("Id")
    return Field(name, "reference", 18, refers_to=to, relationship=way, **more)  # type: ignore[arg-type]


def checkbox(name: str, default: bool = False, **more: object) -> Field:
    return Field(name, "boolean", default=default, **more)  # type: ignore[arg-type]


def read_only(name: str, kind: FieldType, length: int = 0, **more: object) -> Field:
    return Field(name, kind, length, createable=False, updateable=False, **more)  # type: ignore[arg-type]


_ADDRESS_LENGTHS = {"Street": 255, "City": 40, "State": 80, "PostalCode": 20, "Country": 80}


def address(kind: str) -> Iterator[Field]:
    """The compound, read-only field and its parts: `address("Billing")`."""
    compound = f"{kind}Address"
    names = (*_ADDRESS_LENGTHS, "Latitude", "Longitude", "GeocodeAccuracy")
    parts = tuple((name, f"{kind}{name}") for name in names)
    yield read_only(compound, "address", parts=parts)
    for name, length in _ADDRESS_LENGTHS.items():
        yield Field(f"{kind}{name}", "textarea" if name == "Street" else "string", length, part_of=compound)
    yield Field(f"{kind}Latitude", "double", part_of=compound)
    yield Field(f"{kind}Longitude", "double", part_of=compound)
    yield Field(f"{kind}GeocodeAccuracy", "picklist", 40, part_of=compound)


ID_FIELDS = (
    read_only("Id", "id", 18, in_events=False),
    read_only("IsDeleted", "boolean", default=False, in_events=False),
)
STAMPS = (
    read_only("CreatedDate", "datetime"),
    read_only("CreatedById", "reference", 18, refers_to="User", relationship="CreatedBy"),
    read_only("LastModifiedDate", "datetime"),
    read_only("LastModifiedById", "reference", 18, refers_to="User", relationship="LastModifiedBy"),
    read_only("SystemModstamp", "datetime", in_events=False),
)
OWNER = reference("OwnerId", "User")
