"""No field that the portal reads may count as irrelevant: its copy would stay stale until the safety net."""

from __future__ import annotations

import pytest

from portico.systems.salesforce import accounts, catalog
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.order_rows import item_fields, order_fields
from portico.systems.salesforce.relevant import matters, relevant_fields
from portico.systems.salesforce.soql import Names

# Never changed (ids, dates of creation), or changed only with another field that is there.
CONSTANT = {"Id", "CreatedDate"}


def read_of(names: Names, within: str = "") -> set[str]:
    """Fields of one entity among those of a query, a part of an address by its compound's name."""
    fields = {name for name in names.text.split(", ") if name.startswith(within)}
    own = {name.removeprefix(within) for name in fields if "." not in name.removeprefix(within)}
    for compound in ("Billing", "Shipping"):
        parts = {name for name in own if name.startswith(compound) and not name.endswith("__c")}
        own = own - parts | ({f"{compound}Address"} if parts else set())
    return own - CONSTANT


@pytest.mark.parametrize("entity", ["Account", "Product2", "PricebookEntry", "Order", "OrderItem"])
async def test_what_is_read_is_relevant(sf: Salesforce, entity: str) -> None:
    read = {
        "Account": read_of(accounts._fields(sf)),
        "Product2": read_of(catalog._fields(sf), "Product2."),
        "PricebookEntry": read_of(catalog._fields(sf)),
        "Order": read_of(order_fields(sf)),
        "OrderItem": read_of(item_fields(sf)),
    }[entity]
    assert read and read <= relevant_fields(sf.fields)[entity]


async def test_every_field_of_the_map_is_relevant(sf: Salesforce) -> None:
    relevant = relevant_fields(sf.fields)
    begin = {"account": "Account", "product": "Product2", "order": "Order", "item": "OrderItem"}
    for name, value in sf.fields.model_dump().items():
        entity = begin.get(name.partition("_")[0])
        assert entity is None or value in relevant[entity], name


async def test_a_change_matters_where_any_of_its_fields_does(sf: Salesforce) -> None:
    relevant = relevant_fields(sf.fields)
    assert matters(relevant, "Order", {"Description", "Status"})
    assert not matters(relevant, "Order", {"Description", "LastModifiedDate"})
    assert matters(relevant, "Order", {"*"}) and matters(relevant, "Unknown__c", {"X"})
