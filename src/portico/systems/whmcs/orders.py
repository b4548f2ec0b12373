"""Orders at WHMCS: placed for an approved Salesforce order, found again by its items, accepted or cancelled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from portico.customer import WhmcsClientId
from portico.errors import NotFound, SystemRefused, SystemSurprised
from portico.money import Money
from portico.settings import WhmcsSettings
from portico.systems.whmcs.client import Whmcs, call, call_for_all
from portico.systems.whmcs.errors import setup_wrong
from portico.systems.whmcs.ownership import must_be_of
from portico.systems.whmcs.php_form import FormValue
from portico.systems.whmcs.php_serialize import serialized_map
from portico.systems.whmcs.services import (
    CYCLE_WORDS,
    BillingCycle,
    ServiceStatus,
    get_clients_products,
    line_fields,
    product_field,
    read_cycle,
    read_status,
)
from portico.systems.whmcs.shapes import (
    Row,
    as_datetime,
    as_id,
    as_int,
    as_money,
    as_money_or_zero,
    as_raw,
    as_text,
    as_word,
    rows,
)

OrderStatus = Literal["pending", "active", "cancelled", "fraud", "other"]

_STATUSES: dict[str, OrderStatus] = {
    "pending": "pending",
    "active": "active",
    "cancelled": "cancelled",
    "fraud": "fraud",
}


@dataclass(frozen=True, slots=True)
class NewServiceLine:
    product_id: int
    billing_cycle: BillingCycle
    price: Money | None
    """Net price of a billing cycle, overriding the product's; None = the product's own (one-time items)."""
    order_item: str
    """The Salesforce order item's id: the marker by which the order is found again."""
    line_number: str = ""
    eid: str = ""


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    order_id: int
    service_ids: tuple[int, ...]
    """Their order is not that of the lines: read the services and match by `order_item`."""
    invoice_id: int | None


@dataclass(frozen=True, slots=True)
class OrderLine:
    kind: str
    """`product`, `addon`, …"""
    service_id: int | None
    product: str
    billing_cycle: BillingCycle
    amount: Money
    status: ServiceStatus


@dataclass(frozen=True, slots=True)
class WhmcsOrder:
    id: int
    number: str
    status: OrderStatus
    placed_at: datetime | None
    amount: Money
    invoice_id: int | None
    payment_status: str
    lines: tuple[OrderLine, ...]


async def add_order(
    whmcs: Whmcs, client_id: WhmcsClientId, gateway: str, lines: Sequence[NewServiceLine]
) -> OrderPlaced:
    """Places an order; it stays Pending and provisions nothing until accept_order. Never call it twice without
    find_orders_by_marker in between: a second call is a second order.

    One array index per line with quantity 1, since what a quantity makes depends on the product.
    Raises SystemRefused `client_closed`, `client_not_found`, `gateway_invalid`, `product_invalid`.
    """
    params: dict[str, FormValue] = {
        "clientid": client_id,
        "paymentmethod": gateway,
        "pid": [line.product_id for line in lines],
        "qty": [1 for _ in lines],
        "billingcycle": [CYCLE_WORDS[line.billing_cycle] for line in lines],
        "priceoverride": [_override(line) for line in lines],
        "customfields": [_custom_fields(whmcs.settings, line) for line in lines],
        "noemail": True,
        "noinvoiceemail": True,
    }
    answer = await call(whmcs, "AddOrder", params, repeatable=False)
    placed = as_raw(answer, "serviceids") or as_raw(answer, "productids")  # the name before 7.8
    return OrderPlaced(as_int(answer, "orderid"), _ids(placed), as_id(answer, "invoiceid"))


async def find_orders_by_marker(whmcs: Whmcs, client_id: WhmcsClientId, markers: Collection[str]) -> list[int]:
    """Ids of orders of this client that hold a service for one of these order items, half-built ones included.

    Cancelled ones count only where there is no other: staff end a double order by cancelling one.
    """
    services = await get_clients_products(whmcs, client_id)
    marked = [service for service in services if service.order_id and service.order_item in markers]
    alive = [service for service in marked if service.status not in ("cancelled", "fraud")]
    return sorted({service.order_id for service in alive or marked if service.order_id})


async def accept_order(whmcs: Whmcs, order_id: int) -> None:
    """Accepts a pending order without running modules. An order that is Active already counts as success.

    Raises SystemRefused `order_not_pending`.
    """
    await _settle(whmcs, "AcceptOrder", {"orderid": order_id, "autosetup": 0}, order_id, "active")


async def cancel_order(whmcs: Whmcs, order_id: int) -> None:
    """Cancels a pending order with its services. One that is Cancelled already counts as success.

    Raises SystemRefused `order_not_pending`. Its invoice may stay open: read it and see to it.
    """
    await _settle(whmcs, "CancelOrder", {"orderid": order_id, "noemail": True}, order_id, "cancelled")


async def get_order(whmcs: Whmcs, client_id: WhmcsClientId, order_id: int) -> WhmcsOrder:
    """As it was placed: later changes of its services or invoice do not show. Raises NotFound."""
    row = await _order_row(whmcs, order_id)
    if row is None:
        raise NotFound("order")
    must_be_of(row, client_id, "userid", "order")
    return _order(whmcs, row)


async def _settle(whmcs: Whmcs, action: str, params: dict[str, FormValue], order_id: int, wanted: OrderStatus) -> None:
    try:
        await call(whmcs, action, params, repeatable=False)
    except SystemRefused as refused:
        if refused.vendor_code != "order_not_pending":
            raise
        row = await _order_row(whmcs, order_id)
        if row is None or _STATUSES.get(as_word(row, "status")) != wanted:
            raise refused from None


async def _order_row(whmcs: Whmcs, order_id: int) -> Row | None:
    found = await call_for_all(whmcs, "GetOrders", {"id": order_id}, "orders", "order")
    return next((row for row in found if as_int(row, "id") == order_id), None)


def _override(line: NewServiceLine) -> Decimal | None:
    """None leaves the index out: an empty text might be read as a price of nothing."""
    return line.price.amount if line.price else None


def _custom_fields(settings: WhmcsSettings, line: NewServiceLine) -> str:
    marker_field = product_field(settings.field_order_item, line.product_id)
    if marker_field is None:
        # Without its marker an order of unknown outcome could never be found again.
        raise setup_wrong("AddOrder", f"WHMCS_FIELD_ORDER_ITEM names no field for product {line.product_id}")
    details = line_fields(settings, line.product_id, line_number=line.line_number, eid=line.eid)
    return serialized_map({marker_field: line.order_item, **details})


def _ids(text: str) -> tuple[int, ...]:
    """`"5501,5502"`, possibly empty."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise SystemSurprised("whmcs", "AddOrder: service ids are no numbers")
    return tuple(int(part) for part in parts)


def _order(whmcs: Whmcs, row: Row) -> WhmcsOrder:
    currency = whmcs.settings.currency
    return WhmcsOrder(
        id=as_int(row, "id"),
        number=as_raw(row, "ordernum"),
        status=_STATUSES.get(as_word(row, "status"), "other"),
        placed_at=as_datetime(row, "date", whmcs.timezone),
        amount=as_money(row, "amount", currency),
        invoice_id=as_id(row, "invoiceid"),
        payment_status=as_raw(row, "paymentstatus"),
        lines=tuple(_line(line, currency) for line in rows(row, "lineitems", "lineitem")),
    )


def _line(row: Row, currency: str) -> OrderLine:
    return OrderLine(
        kind=as_raw(row, "type"),
        service_id=as_id(row, "relid"),
        product=as_text(row, "product"),
        billing_cycle=read_cycle(row, "billingcycle"),
        amount=as_money_or_zero(row, "amount", currency),
        status=read_status(row, "status"),
    )
