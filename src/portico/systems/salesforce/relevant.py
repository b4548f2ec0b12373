"""Which fields of which entity matter to the portal: a change of others makes nothing stale and starts nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from portico.settings import SalesforceFields
from portico.systems.salesforce.bitmaps import EVERYTHING

_STANDARD: dict[str, frozenset[str]] = {
    "Account": frozenset({"Name", "Phone", "BillingAddress"}),
    "Product2": frozenset({"Name", "Description", "StockKeepingUnit", "IsActive"}),
    "PricebookEntry": frozenset({"UnitPrice", "IsActive", "Pricebook2Id", "Product2Id"}),
    "Order": frozenset(
        {"AccountId", "Status", "StatusCode", "EffectiveDate", "OrderNumber", "TotalAmount", "ShippingAddress"}
    ),
    "OrderItem": frozenset({"OrderId", "Product2Id", "PricebookEntryId", "Quantity", "UnitPrice"}),
}
"""What the queries of this package read, as change events name it: a compound field stands for its parts."""
_OURS = {"Account": "account_", "Product2": "product_", "Order": "order_", "OrderItem": "item_"}
"""Entity → how the settings of its fields begin in the field map."""


def relevant_fields(fields: SalesforceFields) -> Mapping[str, frozenset[str]]:
    """By entity. An entity that is not here is wholly relevant."""
    values: dict[str, str] = fields.model_dump()
    return {
        entity: standard | {value for name, value in values.items() if name.startswith(_OURS.get(entity, "-"))}
        for entity, standard in _STANDARD.items()
    }


def matters(relevant: Mapping[str, frozenset[str]], entity: str, changed: Collection[str]) -> bool:
    """Whether a change of these fields (of a change event, or EVERYTHING) can concern us."""
    return entity not in relevant or changed == EVERYTHING or not relevant[entity].isdisjoint(changed)
