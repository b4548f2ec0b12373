"""What Salesforce itself enforces on orders and their lines (reference §3.6, §3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portico_sandbox.salesforce.errors import refuse
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import children_of, row_of
from portico_sandbox.salesforce.objects import ORDER, ORDER_STATUS_CODES, PRICEBOOK_ENTRY
from portico_sandbox.store import Row

if TYPE_CHECKING:
    from portico_sandbox.salesforce.changes import Changes


def order_created(changes: Changes, row: Row) -> None:
    row["StatusCode"] = ORDER_STATUS_CODES[row["Status"]]
    if row["StatusCode"] != "Draft":
        code = knob(changes.sandbox, "created_activated")
        raise refuse(code, "Choose a valid order status: an order starts as a draft.", "Status")
    _check_dates(row)


def order_updated(changes: Changes, before: Row, row: Row, given: set[str]) -> None:
    row["StatusCode"] = ORDER_STATUS_CODES[row["Status"]]
    if before["StatusCode"] == "Draft" and row["StatusCode"] == "Activated":
        _activate(changes, row, given)
    elif before["StatusCode"] == "Activated" and row["StatusCode"] == "Draft":
        row["ActivatedDate"] = row["ActivatedById"] = None
    if before["StatusCode"] == "Activated":
        _check_frozen(before, row)
    if before.get("Pricebook2Id") != row.get("Pricebook2Id") and items_of(changes, row["Id"]):
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "The order has products of its price book.", "Pricebook2Id")
    _check_dates(row)


def order_deleted(changes: Changes, row: Row) -> None:
    if row["StatusCode"] == "Activated":
        code = knob(changes.sandbox, "delete_of_activated_order")
        raise refuse(code, "An activated order can't be deleted.")


def item_created(changes: Changes, row: Row) -> None:
    order = _order_of(changes, row)
    _check_open(changes, order)
    entry = row_of(changes.sandbox.store, PRICEBOOK_ENTRY, row["PricebookEntryId"])
    assert entry  # references were looked up before
    if not order.get("Pricebook2Id"):
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "The order has no price book yet.", "PricebookEntryId")
    if entry["Pricebook2Id"] != order["Pricebook2Id"]:
        message = "pricebook entry is in a different pricebook than the one assigned to the order"
        raise refuse("FIELD_INTEGRITY_EXCEPTION", f"field integrity exception: ({message})", "PricebookEntryId")
    if not entry["IsActive"]:
        message = "field integrity exception: (pricebook entry is inactive)"
        raise refuse("FIELD_INTEGRITY_EXCEPTION", message, "PricebookEntryId")
    if row.get("UnitPrice") is None:
        raise refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [UnitPrice]", "UnitPrice")
    row |= {"ListPrice": entry["UnitPrice"], "Product2Id": entry["Product2Id"]}
    _price(row)
    _check_item_dates(row, order)


def item_updated(changes: Changes, _before: Row, row: Row, _given: set[str]) -> None:
    if row.get("UnitPrice") is None:
        raise refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [UnitPrice]", "UnitPrice")
    _price(row)
    _check_item_dates(row, _order_of(changes, row))


def item_deleted(changes: Changes, row: Row) -> None:
    order = row_of(changes.sandbox.store, ORDER, row["OrderId"])
    if order:  # None where the whole order goes
        _check_open(changes, order)


def sum_up(changes: Changes, item: Row) -> None:
    """Brings the order's total in line with its items."""
    order = row_of(changes.sandbox.store, ORDER, item["OrderId"])
    if order:
        total = round(sum(each["TotalPrice"] for each in items_of(changes, order["Id"])), 2)
        if total != order.get("TotalAmount"):
            changes.put(ORDER, {**order, "TotalAmount": total}, derived=True)


def items_of(changes: Changes, order_id: str) -> list[Row]:
    return children_of(changes.sandbox.store, "OrderItem", "OrderId", order_id)


def _activate(changes: Changes, row: Row, given: set[str]) -> None:
    if given != {"Status"}:
        code = knob(changes.sandbox, "activation_with_other_fields")
        raise refuse(code, "An order is activated by its status alone: leave the other fields out.", "Status")
    if not items_of(changes, row["Id"]):
        code = knob(changes.sandbox, "activation_without_items")
        raise refuse(code, "An order must have at least one product.", "Status")
    row |= {"ActivatedDate": changes.stamp, "ActivatedById": changes.caller.user_id}


def _check_frozen(before: Row, row: Row) -> None:
    for name in ("AccountId", "ContractId", "Pricebook2Id", "EffectiveDate"):
        if before.get(name) != row.get(name):
            raise refuse("FIELD_INTEGRITY_EXCEPTION", f"{name} of an activated order can't change.", name)


def _check_dates(row: Row) -> None:
    if row.get("EndDate") and row["EndDate"] < row["EffectiveDate"]:
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "The order ends before it starts.", "EndDate")


def _check_open(changes: Changes, order: Row) -> None:
    if order["StatusCode"] == "Activated":
        code = knob(changes.sandbox, "lines_of_activated_order")
        raise refuse(code, "The products of an activated order can't be added or removed.", "OrderId")


def _price(row: Row) -> None:
    if not row.get("Quantity"):
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "The quantity can't be zero.", "Quantity")
    row["TotalPrice"] = round(row["Quantity"] * row["UnitPrice"], 2)


def _check_item_dates(row: Row, order: Row) -> None:
    if row.get("ServiceDate") and row["ServiceDate"] < order["EffectiveDate"]:
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "The product starts before the order does.", "ServiceDate")
    if row.get("EndDate") and order.get("EndDate") and row["EndDate"] > order["EndDate"]:
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "The product ends after the order does.", "EndDate")


def _order_of(changes: Changes, row: Row) -> Row:
    order = row_of(changes.sandbox.store, ORDER, row["OrderId"])
    assert order  # a required reference, looked up before
    return order
