"""Orders: a customer's, those that wait for fulfillment, creating one whole, telling how its fulfillment goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from portico.customer import SfAccountId
from portico.errors import NotFound, SystemRefused, SystemSurprised
from portico.systems.salesforce.client import Part, Salesforce
from portico.systems.salesforce.errors import SYSTEM, OrderExists
from portico.systems.salesforce.exact_json import encode
from portico.systems.salesforce.order_rows import item_fields, order_fields, order_in
from portico.systems.salesforce.order_types import (
    FulfillmentStatus,
    NewOrder,
    NewOrderItem,
    Order,
    OrderItem,
    ShippingAddress,
)
from portico.systems.salesforce.rows import Row
from portico.systems.salesforce.sf_id import SfItemId, SfOrderId, normalized
from portico.systems.salesforce.sf_id import account_id as checked_account
from portico.systems.salesforce.sf_id import item_id as checked_item
from portico.systems.salesforce.sf_id import order_id as checked_order
from portico.systems.salesforce.soql import names, soql

__all__ = [
    "FulfillmentStatus", "NewOrder", "NewOrderItem", "Order", "OrderExists", "OrderItem", "ShippingAddress",
    "create_order", "find_orders_by_marker", "find_orders_to_fulfill", "get_order", "get_order_to_fulfill",
    "get_orders", "update_fulfillment", "update_item",
]  # fmt: skip

ORDERS_OF_ACCOUNT = """
SELECT {fields}, (SELECT {item_fields} FROM OrderItems ORDER BY OrderItemNumber) FROM Order
WHERE AccountId = {account} ORDER BY CreatedDate DESC, OrderNumber DESC
""".strip()
# The owner stands in the query itself: somebody else's order is not even read.
ORDER_OF_ACCOUNT = """
SELECT {fields}, (SELECT {item_fields} FROM OrderItems ORDER BY OrderItemNumber) FROM Order
WHERE Id = {order} AND AccountId = {account}
""".strip()
ORDER = """
SELECT {fields}, (SELECT {item_fields} FROM OrderItems ORDER BY OrderItemNumber) FROM Order WHERE Id = {order}
""".strip()
ORDERS_BY_MARKER = """
SELECT Id, {marker_field}, (SELECT Id FROM OrderItems LIMIT 1) FROM Order WHERE {marker_field} = {marker}
""".strip()
ORDERS_TO_FULFILL = """
SELECT Id FROM Order WHERE StatusCode = 'Activated' AND ({status} = NULL OR {status} = {pending})
AND LastModifiedDate >= {since} ORDER BY LastModifiedDate
""".strip()


ROWS_OF_A_COLLECTION = 200
MOST_ITEMS = 5 * ROWS_OF_A_COLLECTION
"""A composite call may hold five collections."""

_LONGEST_CODE = 80
_LONGEST_MESSAGE = 255


async def get_orders(sf: Salesforce, account_id: SfAccountId) -> list[Order]:
    """All orders of an account, newest first."""
    account = checked_account(account_id)
    rows = await _query(sf, ORDERS_OF_ACCOUNT, "query Order", account=account)
    return [await _owned_order(sf, row, account) for row in rows]


async def get_order(sf: Salesforce, account_id: SfAccountId, order_id: str) -> Order:
    """An order of this account. Raises NotFound where it is unknown, malformed or somebody else's."""
    account, order = checked_account(account_id), checked_order(order_id)
    rows = await _query(sf, ORDER_OF_ACCOUNT, "query Order", account=account, order=order)
    if not rows:
        raise NotFound("no such order of this account")
    return await _owned_order(sf, rows[0], account)


async def get_order_to_fulfill(sf: Salesforce, order_id: str) -> Order:
    """Any account's order, for fulfillment only. Raises NotFound where there is none."""
    rows = await _query(sf, ORDER, "query Order", order=checked_order(order_id))
    if not rows:
        raise NotFound("no such order")
    return await order_in(sf, rows[0])


async def find_orders_by_marker(sf: Salesforce, marker: str) -> list[SfOrderId]:
    """The orders that carry this marker. Raises SystemSurprised for one without items: it is not the whole order."""
    field = names(sf.fields.order_portal_id)
    rows = await sf.query(soql(ORDERS_BY_MARKER, marker_field=field, marker=marker), name="query Order by marker")
    if any(row.first_child("OrderItems") is None for row in rows):
        raise SystemSurprised(SYSTEM, "an order with our marker but without items")
    return [SfOrderId(row.id()) for row in rows]


async def find_orders_to_fulfill(sf: Salesforce, changed_since: datetime) -> list[SfOrderId]:
    """Approved orders that fulfillment has not begun with, changed since then; oldest change first."""
    statement = soql(
        ORDERS_TO_FULFILL,
        status=names(sf.fields.order_fulfillment_status),
        pending="Pending",
        since=changed_since,
    )
    return [SfOrderId(row.id()) for row in await sf.query(statement, name="query orders to fulfill")]


async def create_order(sf: Salesforce, new_order: NewOrder) -> SfOrderId:
    """Creates the order with all its items, or nothing, in one call.

    Raises OrderExists where the marker is taken: look it up and adopt it. SystemRefused is a definite "no" and
    nothing was created. SystemDown(sent=True) and SystemSurprised mean that nobody knows; never call again before
    `find_orders_by_marker` was asked.
    """
    if not 0 < len(new_order.items) <= MOST_ITEMS:
        raise ValueError(f"an order has 1 to {MOST_ITEMS} items")
    order = Part("order", "POST", "/sobjects/Order", _order_body(sf, new_order))
    try:
        bodies = await sf.composite([order, *_item_parts(sf, new_order)], name="create Order")
    except SystemRefused as refused:
        if not _is_our_marker(sf, refused):
            raise
        raise OrderExists(SYSTEM, refused.vendor_code, refused.vendor_message) from None
    return _created_id(bodies["order"])


async def update_fulfillment(
    sf: Salesforce,
    order_id: str,
    *,
    status: FulfillmentStatus,
    error_code: str | None,
    error_message: str | None,
    updated_at: datetime,
    whmcs_order_id: str | None = None,
) -> None:
    """Tells staff how it goes. No error code clears what stood there. Repeating does no harm.

    Never together with the order's own Status: Salesforce refuses other fields beside an activation.
    """
    fields = sf.fields
    values = {
        fields.order_fulfillment_status: status,
        fields.order_error_code: (error_code or "")[:_LONGEST_CODE] or None,
        fields.order_error_message: (error_message or "")[:_LONGEST_MESSAGE] or None,
        fields.order_updated_at: updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if whmcs_order_id is not None:
        values[fields.order_whmcs_order_id] = whmcs_order_id
    await sf.update("Order", checked_order(order_id), values, name="update Order")


async def update_item(
    sf: Salesforce,
    item_id: SfItemId,
    *,
    whmcs_service_id: str | None = None,
    line_number: str | None = None,
    eid: str | None = None,
    iccid: str | None = None,
    activation_status: str | None = None,
) -> None:
    """Writes what became of an item; what is None stays as it is. Repeating does no harm."""
    fields = sf.fields
    values = {
        fields.item_whmcs_service_id: whmcs_service_id,
        fields.item_line_number: line_number,
        fields.item_eid: eid,
        fields.item_iccid: iccid,
        fields.item_activation_status: activation_status,
    }
    told = {field: value for field, value in values.items() if value is not None}
    if told:
        await sf.update("OrderItem", checked_item(item_id), told, name="update OrderItem")


async def _query(sf: Salesforce, statement: str, name: str, **values: str) -> list[Row]:
    filled = soql(statement, fields=order_fields(sf), item_fields=item_fields(sf), **values)
    return await sf.query(filled, name=name)


async def _owned_order(sf: Salesforce, row: Row, account: SfAccountId) -> Order:
    order = await order_in(sf, row)
    if order.account_id != account:
        raise NotFound("order of another account")
    return order


def _order_body(sf: Salesforce, new: NewOrder) -> dict[str, Any]:
    address = new.shipping_address
    return {
        "AccountId": checked_account(new.account_id),
        "EffectiveDate": new.effective_date.isoformat(),
        "Status": sf.settings.order_status_pending,
        "Pricebook2Id": normalized(sf.settings.pricebook_id),
        "ShippingStreet": address.street,
        "ShippingCity": address.city,
        "ShippingState": address.state,
        "ShippingPostalCode": address.postal_code,
        "ShippingCountry": address.country,
        sf.fields.order_portal_id: new.marker,
        sf.fields.order_address_changed: new.address_changed,
        sf.fields.order_fulfillment_status: "Pending",
    }


def _item_parts(sf: Salesforce, new: NewOrder) -> list[Part]:
    starts = range(0, len(new.items), ROWS_OF_A_COLLECTION)
    return [_collection(sf, start, new.items[start : start + ROWS_OF_A_COLLECTION]) for start in starts]


def _collection(sf: Salesforce, start: int, items: tuple[NewOrderItem, ...]) -> Part:
    records = [_item_body(sf, item) for item in items]
    return Part(f"items_{start}", "POST", "/composite/sobjects", {"allOrNone": True, "records": records})


def _item_body(sf: Salesforce, item: NewOrderItem) -> dict[str, Any]:
    body = {
        "attributes": {"type": "OrderItem"},
        "OrderId": "@{order.id}",
        "PricebookEntryId": normalized(item.entry_id),
        "Quantity": item.quantity,
        "UnitPrice": item.unit_price,
        sf.fields.item_portal_id: item.portal_item_id,
    }
    return body if item.eid is None else {**body, sf.fields.item_eid: item.eid}


def _is_our_marker(sf: Salesforce, refused: SystemRefused) -> bool:
    """Salesforce does not always name the field (`<unknown>`); the only other unique one is the items' id of ours."""
    codes = refused.facts.get("codes")
    return codes == ["DUPLICATE_VALUE"] and sf.fields.item_portal_id not in refused.vendor_message


def _created_id(body: Any) -> SfOrderId:
    try:
        return SfOrderId(normalized(body["id"]))
    except (TypeError, KeyError, ValueError) as error:
        raise SystemSurprised(SYSTEM, "created order without id", body=encode(body)) from error
