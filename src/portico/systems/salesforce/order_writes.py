"""Writes to orders: creating one whole, and telling how its fulfillment goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from portico.customer import SfAccountId
from portico.errors import SystemRefused, SystemSurprised
from portico.systems.salesforce.client import Part, Salesforce
from portico.systems.salesforce.errors import SYSTEM, OrderExists
from portico.systems.salesforce.exact_json import encode
from portico.systems.salesforce.orders import FulfillmentStatus, ShippingAddress
from portico.systems.salesforce.sf_id import SfItemId, SfOrderId, normalized
from portico.systems.salesforce.sf_id import account_id as checked_account
from portico.systems.salesforce.sf_id import item_id as checked_item
from portico.systems.salesforce.sf_id import order_id as checked_order

ROWS_OF_A_COLLECTION = 200
MOST_ITEMS = 5 * ROWS_OF_A_COLLECTION
"""A composite call may hold five collections."""

_LONGEST_CODE = 80
_LONGEST_MESSAGE = 255


@dataclass(frozen=True)
class NewOrderItem:
    entry_id: str
    """Of the pricebook entry."""
    quantity: int
    unit_price: Decimal
    """Net, in the currency of the pricebook."""
    portal_item_id: str
    eid: str | None = None


@dataclass(frozen=True)
class NewOrder:
    marker: str
    """Unique; a second order with it is refused."""
    account_id: SfAccountId
    effective_date: date
    shipping_address: ShippingAddress
    address_changed: bool
    """Whether the customer gave another address than the one that billing holds."""
    items: tuple[NewOrderItem, ...]


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
    whmcs_order_id: int | None = None,
) -> None:
    """Tells staff how it goes. No error code clears what stood there. Repeating does no harm.

    Never together with the order's own Status: Salesforce refuses other fields beside an activation.
    """
    fields = sf.fields
    values = {
        fields.order_fulfillment_status: status.value,
        fields.order_error_code: error_code and error_code[:_LONGEST_CODE],
        fields.order_error_message: error_message and error_message[:_LONGEST_MESSAGE],
        fields.order_updated_at: updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if whmcs_order_id is not None:
        values[fields.order_whmcs_order_id] = str(whmcs_order_id)
    await sf.update("Order", checked_order(order_id), values, name="update Order")


async def update_item(
    sf: Salesforce,
    item_id: SfItemId,
    *,
    whmcs_service_id: int | None = None,
    line_number: str | None = None,
    eid: str | None = None,
    iccid: str | None = None,
    activation_status: str | None = None,
) -> None:
    """Writes what became of an item; what is None stays as it is. Repeating does no harm."""
    fields = sf.fields
    values = {
        fields.item_whmcs_service_id: None if whmcs_service_id is None else str(whmcs_service_id),
        fields.item_line_number: line_number,
        fields.item_eid: eid,
        fields.item_iccid: iccid,
        fields.item_activation_status: activation_status,
    }
    told = {field: value for field, value in values.items() if value is not None}
    if told:
        await sf.update("OrderItem", checked_item(item_id), told, name="update OrderItem")


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
