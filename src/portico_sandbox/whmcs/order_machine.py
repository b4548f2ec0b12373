"""The life of an order: placed, accepted, cancelled, put back to Pending, with its services and invoice."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs import invoice_machine
from portico_sandbox.whmcs.changes import Change
from portico_sandbox.whmcs.invoice_machine import Line, totals
from portico_sandbox.whmcs.rows import INVOICES, ORDERS, SERVICES, find, rows_where
from portico_sandbox.whmcs.services import service_row
from portico_sandbox.whmcs.switches import switches_of
from portico_sandbox.whmcs.values import CYCLE_LABELS, CYCLE_MONTHS, ZERO_DATE, add_months, local_time, money
from portico_sandbox.world_types import TAX_RATE_PERCENT


@dataclass(frozen=True)
class CartItem:
    product: Row
    price: Decimal  # net, each
    quantity: int
    domain: str
    customfields: dict[str, str]

    @property
    def amount(self) -> Decimal:
        return self.price * self.quantity


def place(made: Change, client_id: int, cart: list[CartItem], gateway: str, with_invoice: bool, **values: Any) -> Row:
    """Order and services Pending, the invoice Unpaid; no invoice when nothing is due."""
    order_id = made.new_id(ORDERS)
    services = [_new_service(made, client_id, order_id, item, gateway) for item in cart]
    net = sum((item.amount for item in cart), Decimal(0))
    invoice_id = 0
    if with_invoice and net > 0:
        lines = [_line(made, service, item) for service, item in zip(services, cart, strict=True)]
        invoice_id = invoice_machine.new_invoice(made, client_id, lines, paymentmethod=gateway)["id"]
    order = order_row(
        order_id,
        client_id,
        services,
        [item.product for item in cart],
        ordernum=1_000_000_000 + secrets.randbelow(9_000_000_000),
        date=local_time(made.sandbox),
        amount=money(net + net * TAX_RATE_PERCENT / 100),
        paymentmethod=gateway,
        invoiceid=invoice_id,
        **values,
    )
    made.tx.put(ORDERS, str(order_id), order)
    return order


def accept(made: Change, order: Row) -> None:
    """The services become Active, unless the switch `accept_activates` is off."""
    made.announce("AcceptOrder", order["userid"], order=order["id"])
    made.tx.change(ORDERS, str(order["id"]), status="Active")
    if not switches_of(made.sandbox).accept_activates:
        return
    for service in services_of(made.sandbox, order):
        if service["status"] == "Pending":
            made.tx.change(SERVICES, str(service["id"]), status="Active")
            made.announce("AfterModuleCreate", order["userid"], service=service["id"])


def cancel(made: Change, order: Row) -> None:
    made.announce("CancelOrder", order["userid"], order=order["id"])
    _move_all(made, order, "Cancelled")
    invoice = find(made.sandbox, INVOICES, order["invoiceid"])
    if invoice and invoice["status"] == "Unpaid" and switches_of(made.sandbox).cancel_order_cancels_invoice:
        invoice_machine.cancel(made, invoice)


def put_back(made: Change, order: Row) -> None:
    made.announce("PendingOrder", order["userid"], order=order["id"])
    _move_all(made, order, "Pending")


def services_of(sandbox: Sandbox, order: Row) -> list[Row]:
    return rows_where(sandbox, SERVICES, orderid=order["id"])


def order_row(order_id: int, client_id: int, services: list[Row], products: list[Row], **values: Any) -> Row:
    """A complete row; its line items are a record of the moment of ordering."""
    items = [_line_item(service, product) for service, product in zip(services, products, strict=True)]
    return {"id": order_id, "userid": client_id, "status": "Pending", "notes": "", "lineitems": items, **values}


def order_amount(sandbox: Sandbox, invoice_id: int) -> str:
    invoice = find(sandbox, INVOICES, invoice_id)
    return money(totals(invoice).total if invoice else 0)


def _new_service(made: Change, client_id: int, order_id: int, item: CartItem, gateway: str) -> Row:
    today = made.sandbox.clock.today().isoformat()
    recurring = item.product["cycle"] in CYCLE_MONTHS
    service = service_row(
        made.new_id(SERVICES),
        client_id,
        order_id,
        item.product,
        qty=item.quantity,
        regdate=today,
        nextduedate=today if recurring else ZERO_DATE,
        domain=item.domain,
        firstpaymentamount=money(item.amount),
        recurringamount=money(item.amount if recurring else 0),
        paymentmethod=gateway,
        customfields=item.customfields,
    )
    made.tx.put(SERVICES, str(service["id"]), service)
    return service


def _line(made: Change, service: Row, item: CartItem) -> Line:
    text = f"{item.product['name']} - {item.domain}" if item.domain else str(item.product["name"])
    if months := CYCLE_MONTHS.get(item.product["cycle"], 0):
        text += f" ({period(made.sandbox.clock.today(), months)})"
    return Line(text, item.amount, kind="Hosting", related=service["id"])


def period(start: date, months: int) -> str:
    """`2026-05-01 - 2026-05-31`: what an invoice line says that it is for."""
    return f"{start.isoformat()} - {(add_months(start, months) - timedelta(days=1)).isoformat()}"


def _line_item(service: Row, product: Row) -> Row:
    return {
        "type": "product",
        "relid": service["id"],
        "producttype": "Other Product/Service",
        "product": f"{product['group']} - {product['name']}",
        "domain": service["domain"],
        "billingcycle": CYCLE_LABELS[service["billingcycle"]],
        "amount": service["firstpaymentamount"],
    }


def _move_all(made: Change, order: Row, status: str) -> None:
    made.tx.change(ORDERS, str(order["id"]), status=status)
    for service in services_of(made.sandbox, order):
        made.tx.change(SERVICES, str(service["id"]), status=status)
