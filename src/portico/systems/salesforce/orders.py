"""Orders as Salesforce holds them: reads of a customer's orders and of those that wait for fulfillment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from portico.customer import SfAccountId
from portico.errors import NotFound, SystemSurprised
from portico.money import Money
from portico.systems.salesforce.catalog import BillingCycle, ItemClass, SimKind
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.errors import SYSTEM
from portico.systems.salesforce.rows import Row
from portico.systems.salesforce.sf_id import SfItemId, SfOrderId
from portico.systems.salesforce.sf_id import account_id as checked_account
from portico.systems.salesforce.sf_id import order_id as checked_order
from portico.systems.salesforce.soql import Names, names, soql

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


class FulfillmentStatus(StrEnum):
    PENDING = "Pending"
    IN_PROGRESS = "In Progress"
    ON_HOLD = "On Hold"
    COMPLETED = "Completed"
    FAILED = "Failed"


@dataclass(frozen=True)
class ShippingAddress:
    street: str
    city: str
    state: str
    postal_code: str
    country: str


@dataclass(frozen=True)
class OrderItem:
    id: SfItemId
    sku: str
    product_name: str
    item_class: ItemClass
    billing_cycle: BillingCycle
    sim_kind: SimKind | None
    freebit_plan_code: str | None
    whmcs_product_id: int | None
    quantity: int
    unit_price: Money
    """Net."""
    portal_item_id: str | None
    eid: str | None
    iccid: str | None
    line_number: str | None
    """The phone number, where the item is a line."""
    whmcs_service_id: int | None
    activation_status: str | None


@dataclass(frozen=True)
class Order:
    id: SfOrderId
    number: str
    account_id: SfAccountId
    status: str
    """The org's own word, `Pending Review` or `Approved` for instance."""
    status_code: str
    """`Draft` or `Activated`."""
    effective_date: date
    created_at: datetime
    total: Money
    fulfillment_status: FulfillmentStatus | None
    error_code: str | None
    error_message: str | None
    whmcs_order_id: int | None
    portal_id: str | None
    """The marker of the portal's own orders."""
    shipping_address: ShippingAddress
    address_changed: bool
    items: tuple[OrderItem, ...]

    @property
    def is_approved(self) -> bool:
        return self.status_code == "Activated"


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
    return await _order(sf, rows[0])


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
        pending=FulfillmentStatus.PENDING.value,
        since=changed_since,
    )
    return [SfOrderId(row.id()) for row in await sf.query(statement, name="query orders to fulfill")]


async def _query(sf: Salesforce, statement: str, name: str, **values: str) -> list[Row]:
    filled = soql(statement, fields=_order_fields(sf), item_fields=_item_fields(sf), **values)
    return await sf.query(filled, name=name)


def _order_fields(sf: Salesforce) -> Names:
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


def _item_fields(sf: Salesforce) -> Names:
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


async def _owned_order(sf: Salesforce, row: Row, account: SfAccountId) -> Order:
    order = await _order(sf, row)
    if order.account_id != account:
        raise NotFound("order of another account")
    return order


async def _order(sf: Salesforce, row: Row) -> Order:
    fields = sf.fields
    items = await sf.children(row, "OrderItems", name="query OrderItem")
    return Order(
        id=SfOrderId(row.id()),
        number=row.text("OrderNumber"),
        account_id=SfAccountId(row.id("AccountId")),
        status=row.text("Status"),
        status_code=row.text("StatusCode"),
        effective_date=row.day("EffectiveDate"),
        created_at=row.moment("CreatedDate"),
        total=Money(row.number_or_none("TotalAmount") or Decimal(0), sf.currency),
        fulfillment_status=row.as_type_or_none(fields.order_fulfillment_status, FulfillmentStatus),
        error_code=row.text_or_none(fields.order_error_code),
        error_message=row.text_or_none(fields.order_error_message),
        whmcs_order_id=row.whole_or_none(fields.order_whmcs_order_id),
        portal_id=row.text_or_none(fields.order_portal_id),
        shipping_address=_address(row),
        address_changed=row.flag(fields.order_address_changed),
        items=tuple(_item(sf, item) for item in items),
    )


def _address(row: Row) -> ShippingAddress:
    parts = ("Street", "City", "State", "PostalCode", "Country")
    return ShippingAddress(*(row.text_or_none(f"Shipping{part}") or "" for part in parts))


def _item(sf: Salesforce, row: Row) -> OrderItem:
    fields = sf.fields
    return OrderItem(
        id=SfItemId(row.id()),
        sku=row.text("Product2.StockKeepingUnit"),
        product_name=row.text("Product2.Name"),
        item_class=row.as_type(f"Product2.{fields.product_item_class}", ItemClass),
        billing_cycle=row.as_type(f"Product2.{fields.product_billing_cycle}", BillingCycle),
        sim_kind=row.as_type_or_none(f"Product2.{fields.product_sim_kind}", SimKind),
        freebit_plan_code=row.text_or_none(f"Product2.{fields.product_freebit_plan_code}"),
        whmcs_product_id=row.whole_or_none(f"Product2.{fields.product_whmcs_product_id}"),
        quantity=row.whole("Quantity"),
        unit_price=Money(row.number("UnitPrice"), sf.currency),
        portal_item_id=row.text_or_none(fields.item_portal_id),
        eid=row.text_or_none(fields.item_eid),
        iccid=row.text_or_none(fields.item_iccid),
        line_number=row.text_or_none(fields.item_line_number),
        whmcs_service_id=row.whole_or_none(fields.item_whmcs_service_id),
        activation_status=row.text_or_none(fields.item_activation_status),
    )
