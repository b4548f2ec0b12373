"""What an order is to us: as it is read, and as it is created."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from portico.customer import SfAccountId
from portico.money import Money
from portico.systems.salesforce.catalog import BillingCycle, ItemClass, SimKind
from portico.systems.salesforce.sf_id import SfItemId, SfOrderId

OrderStage = Literal["draft", "in_review", "cancelled", "approved"]
"""What `Status` and `StatusCode` together mean; `draft` is any other status of the org before approval."""
FulfillmentStatus = Literal["Pending", "In Progress", "On Hold", "Completed", "Failed"]


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
    """Empty where the product has none; orders older than the portal hold products that it does not know."""
    product_name: str
    item_class: ItemClass | None
    billing_cycle: BillingCycle | None
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
    whmcs_service_id: str | None
    """As staff read it; several are separated by commas."""
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
    stage: OrderStage
    effective_date: date
    created_at: datetime
    total: Money
    fulfillment_status: FulfillmentStatus | None
    error_code: str | None
    error_message: str | None
    whmcs_order_id: str | None
    portal_id: str | None
    """The marker of the portal's own orders."""
    shipping_address: ShippingAddress
    address_changed: bool
    items: tuple[OrderItem, ...]

    @property
    def is_approved(self) -> bool:
        return self.status_code == "Activated"


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
