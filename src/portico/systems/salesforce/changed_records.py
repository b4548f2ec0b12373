"""Records by their last change, and whose an order is: what events told, or should have told, read by REST."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.rows import Row
from portico.systems.salesforce.sf_id import normalized
from portico.systems.salesforce.soql import names, soql

WATCHED: Final = ("Product2", "PricebookEntry", "Account", "Order", "OrderItem")
"""Entities whose changes the portal lives on."""

_CHANGED = """
SELECT {fields} FROM {entity} WHERE SystemModstamp > {after} AND SystemModstamp <= {until}
ORDER BY SystemModstamp LIMIT {most}
""".strip()
_CHANGED_ENTRIES = _CHANGED.replace("ORDER BY", "AND Pricebook2Id = {pricebook} ORDER BY")
_OWNERS = "SELECT Id, AccountId FROM Order WHERE Id IN {ids}"
_ITEMS = "SELECT Id, OrderId, Order.AccountId FROM OrderItem WHERE Id IN {ids}"
_IDS_AT_ONCE = 200
"""A statement stands in the address, which may have 16 kB."""

_FIELDS = {
    "Order": ("Id", "SystemModstamp", "AccountId"),
    "OrderItem": ("Id", "SystemModstamp", "OrderId", "Order.AccountId"),
}


@dataclass(frozen=True)
class ChangedRecord:
    """A record that changed, or was deleted, at a moment (whole seconds)."""

    id: str
    at: datetime
    order_id: str | None
    account_id: str | None


async def changed_records(
    sf: Salesforce, entity: str, after: datetime, until: datetime, most: int
) -> list[ChangedRecord]:
    """Oldest change first, deleted ones too; entries of the portal's pricebook only. `most` answered: there are more.

    Raises as every call does.
    """
    statement = soql(
        _CHANGED_ENTRIES if entity == "PricebookEntry" else _CHANGED,
        fields=names(*_FIELDS.get(entity, ("Id", "SystemModstamp"))),
        entity=names(entity),
        after=after,
        until=until,
        most=most,
        pricebook=sf.settings.pricebook_id,
    )
    return [_changed(row, entity) for row in await sf.query(statement, name=f"query changed {entity}", deleted=True)]


async def accounts_of_orders(sf: Salesforce, order_ids: Collection[str]) -> dict[str, str]:
    """Account id by order id, of deleted orders too; what is not there has never been, or is gone for good."""
    return {row.id(): row.id("AccountId") for row in await _by_ids(sf, _OWNERS, order_ids, "query owners of orders")}


async def orders_of_items(sf: Salesforce, item_ids: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Order id by item id, and account id by order id."""
    rows = await _by_ids(sf, _ITEMS, item_ids, "query orders of items")
    return (
        {row.id(): row.id("OrderId") for row in rows},
        {row.id("OrderId"): account for row in rows if (account := row.id_or_none("Order.AccountId"))},
    )


async def _by_ids(sf: Salesforce, statement: str, ids: Collection[str], name: str) -> list[Row]:
    wanted = sorted({full for one in ids if (full := _id_or_none(one))})
    rows: list[Row] = []
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        some = wanted[start : start + _IDS_AT_ONCE]
        rows += await sf.query(soql(statement, ids=some), name=name, deleted=True)
    return rows


def _id_or_none(value: str) -> str | None:
    try:
        return normalized(value)
    except ValueError:
        return None


def _changed(row: Row, entity: str) -> ChangedRecord:
    order_id = account_id = None
    match entity:
        case "Account":
            account_id = row.id()
        case "Order":
            order_id, account_id = row.id(), row.id_or_none("AccountId")
        case "OrderItem":
            order_id, account_id = row.id_or_none("OrderId"), row.id_or_none("Order.AccountId")
    return ChangedRecord(row.id(), row.moment("SystemModstamp"), order_id, account_id)
