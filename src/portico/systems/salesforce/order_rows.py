"""Orders in SOQL: which fields are asked for, and how a row of them is read."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

from portico.customer import SfAccountId
from portico.money import Money
from portico.systems.salesforce.catalog import BillingCycle, ItemClass, SimKind
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.order_types import FulfillmentStatus, Order, OrderItem, OrderStage, ShippingAddress
from portico.systems.salesforce.rows import Row
from portico.systems.salesforce.sf_id import SfItemId, SfOrderId
from portico.systems.salesforce.soql import Names, names


def order_fields(sf: Salesforce) -> Names:
    standard = ("Id", "OrderNumber", "AccountId", "Status", "StatusCode", "EffectiveDate", "CreatedDate", "TotalAmount")
    address = ("ShippingStreet", "ShippingCity", "ShippingState", "ShippingPostalCode", "ShippingCountry")
    fields = sf.fields
    ours = (
        fields.order_portal_id,
        fields.order_address_changed,
        fields.order_fulfillment_status,
        fields.order_error_code,
        fields.order_error_message,
        fields.order_whmcs_order_id,
    )
    return names(*standard, *address, *ours)


def item_fields(sf: Salesforce) -> Names:
    fields = sf.fields
    of_product = (
        "StockKeepingUnit",
        "Name",
        fields.product_item_class,
        fields.product_billing_cycle,
        fields.product_sim_kind,
        fields.product_freebit_plan_code,
        fields.product_whmcs_product_id,
    )
    ours = (
        fields.item_portal_id,
        fields.item_eid,
        fields.item_iccid,
        fields.item_line_number,
        fields.item_whmcs_service_id,
        fields.item_activation_status,
    )
    return names("Id", "Quantity", "UnitPrice", *(f"Product2.{field}" for field in of_product), *ours)


async def order_in(sf: Salesforce, row: Row) -> Order:
    """The order in a row. Words that the portal does not know count as none: they must not hide an old order."""
    fields = sf.fields
    items = await sf.children(row, "OrderItems", name="query OrderItem")
    return Order(
        id=SfOrderId(row.id()),
        number=row.text("OrderNumber"),
        account_id=SfAccountId(row.id("AccountId")),
        status=row.text("Status"),
        status_code=row.text("StatusCode"),
        stage=_stage(sf, row.text("Status"), row.text("StatusCode")),
        effective_date=row.day("EffectiveDate"),
        created_at=row.moment("CreatedDate"),
        total=Money(row.number_or_none("TotalAmount") or Decimal(0), sf.currency),
        fulfillment_status=_fulfillment_status(row.text_or_none(fields.order_fulfillment_status)),
        error_code=row.text_or_none(fields.order_error_code),
        error_message=row.text_or_none(fields.order_error_message),
        whmcs_order_id=row.text_or_none(fields.order_whmcs_order_id),
        portal_id=row.text_or_none(fields.order_portal_id),
        shipping_address=_address(row),
        address_changed=row.flag(fields.order_address_changed),
        items=tuple(_item(sf, item) for item in items),
    )


def _stage(sf: Salesforce, status: str, status_code: str) -> OrderStage:
    if status_code != "Draft":
        return "approved"
    stages: dict[str, OrderStage] = {
        sf.settings.order_status_pending: "in_review",
        sf.settings.order_status_cancelled: "cancelled",
    }
    return stages.get(status, "draft")


def _fulfillment_status(word: str | None) -> FulfillmentStatus | None:
    return next((status for status in get_args(FulfillmentStatus) if status == word), None)


def _address(row: Row) -> ShippingAddress:
    parts = ("Street", "City", "State", "PostalCode", "Country")
    return ShippingAddress(*(row.text_or_none(f"Shipping{part}") or "" for part in parts))


def _item(sf: Salesforce, row: Row) -> OrderItem:
    fields = sf.fields
    return OrderItem(
        id=SfItemId(row.id()),
        sku=row.text_or_none("Product2.StockKeepingUnit") or "",
        product_name=row.text("Product2.Name"),
        item_class=row.known_or_none(f"Product2.{fields.product_item_class}", ItemClass),
        billing_cycle=row.known_or_none(f"Product2.{fields.product_billing_cycle}", BillingCycle),
        sim_kind=row.known_or_none(f"Product2.{fields.product_sim_kind}", SimKind),
        freebit_plan_code=row.text_or_none(f"Product2.{fields.product_freebit_plan_code}"),
        whmcs_product_id=row.known_or_none(f"Product2.{fields.product_whmcs_product_id}", int),
        quantity=row.whole("Quantity"),
        unit_price=Money(row.number_or_none("UnitPrice") or Decimal(0), sf.currency),
        portal_item_id=row.text_or_none(fields.item_portal_id),
        eid=row.text_or_none(fields.item_eid),
        iccid=row.text_or_none(fields.item_iccid),
        line_number=row.text_or_none(fields.item_line_number),
        whmcs_service_id=row.text_or_none(fields.item_whmcs_service_id),
        activation_status=row.text_or_none(fields.item_activation_status),
    )
