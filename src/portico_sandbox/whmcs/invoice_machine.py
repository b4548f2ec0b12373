"""The life of an invoice: made, paid, cancelled, refunded; and what each step moves elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.changes import Change
from portico_sandbox.whmcs.rows import (
    CLIENTS,
    CREDITS,
    INVOICES,
    ORDERS,
    SERVICES,
    TRANSACTIONS,
    find,
    rows_where,
)
from portico_sandbox.whmcs.values import CYCLE_MONTHS, ZERO_DATE, ZERO_TIME, add_months, local_time, money
from portico_sandbox.world_types import TAX_RATE_PERCENT

PAYABLE = ("Unpaid", "Payment Pending", "Collections")


class WrongState(Exception):
    """The invoice can't make this step from where it is."""


@dataclass(frozen=True)
class Totals:
    subtotal: Decimal  # of the net lines
    tax: Decimal
    total: Decimal  # subtotal - credit + tax


@dataclass(frozen=True)
class Line:
    description: str
    amount: Decimal
    taxed: bool = True
    kind: str = ""  # WHMCS's type: Hosting, Item, ...
    related: int = 0  # for Hosting: the service


def totals(invoice: Row) -> Totals:
    subtotal = sum((Decimal(item["amount"]) for item in invoice["items"]), Decimal(0))
    taxed = sum((Decimal(item["amount"]) for item in invoice["items"] if item["taxed"]), Decimal(0))
    tax = (taxed * Decimal(invoice["taxrate"]) / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return Totals(subtotal, tax, subtotal - Decimal(invoice["credit"]) + tax)


def balance_of(sandbox: Sandbox, invoice: Row) -> Decimal:
    """What is left to pay after all transactions."""
    balance = totals(invoice).total
    for transaction in rows_where(sandbox, TRANSACTIONS, invoiceid=invoice["id"]):
        balance += Decimal(transaction["amountout"]) - Decimal(transaction["amountin"])
    return balance


def is_overdue(sandbox: Sandbox, invoice: Row) -> bool:
    due: str = invoice["duedate"]
    return invoice["status"] == "Unpaid" and due < sandbox.clock.today().isoformat()


def invoice_row(invoice_id: int, client_id: int, items: list[Row], **values: Any) -> Row:
    """A complete row; `values` overrides what a fresh unpaid invoice has."""
    fresh = {
        "id": invoice_id,
        "userid": client_id,
        "invoicenum": "",
        "date": ZERO_DATE,
        "duedate": ZERO_DATE,
        "datepaid": ZERO_TIME,
        "lastcaptureattempt": ZERO_TIME,
        "date_refunded": ZERO_TIME,
        "date_cancelled": ZERO_TIME,
        "credit": "0.00",
        "taxrate": money(TAX_RATE_PERCENT),
        "status": "Unpaid",
        "paymentmethod": "",
        "notes": "",
        "items": items,
        "created_at": "",
        "updated_at": "",
    }
    return {**fresh, **values}


def new_invoice(made: Change, client_id: int, lines: Sequence[Line], **values: Any) -> Row:
    """Makes an invoice out of lines (net amounts), today's dates where none are given, and tells the hooks."""
    today, now = made.sandbox.clock.today().isoformat(), local_time(made.sandbox)
    dates = {"date": today, "duedate": today, "created_at": now, "updated_at": now}
    items = [_item(made, line) for line in lines]
    invoice = invoice_row(made.new_id(INVOICES), client_id, items, **{**dates, **values})
    made.tx.put(INVOICES, str(invoice["id"]), invoice)
    if invoice["status"] != "Draft":
        made.announce("InvoiceCreated", client_id, invoice=invoice["id"])
    return invoice


def add_payment(made: Change, invoice: Row, amount: Decimal, gateway: str, transid: str = "", fees: str = "0") -> Row:
    """Books a payment. Settles the invoice when nothing is left to pay. Raises WrongState where it can't be paid."""
    if invoice["status"] not in PAYABLE:
        raise WrongState(f"Invoice {invoice['id']} is {invoice['status']} and can't be paid.")
    payment = transaction_row(
        made.sandbox,
        made.new_id(TRANSACTIONS),
        invoice,
        gateway=gateway,
        amountin=money(amount),
        transid=transid or f"ch_{secrets.token_hex(8)}",
        fees=money(fees),
    )
    made.tx.put(TRANSACTIONS, str(payment["id"]), payment)
    made.announce("AddInvoicePayment", invoice["userid"], invoice=invoice["id"])
    if balance_of(made.sandbox, invoice) <= 0:
        settle(made, invoice)
    return payment


def settle(made: Change, invoice: Row) -> None:
    """Paid in full: the services' due dates move on by a cycle, orders learn of it."""
    paid = _move(made, invoice, "Paid", datepaid=local_time(made.sandbox))
    for item in paid["items"]:
        if item["type"] == "Hosting":
            advance_due_date(made, item["relid"])
    made.announce("InvoicePaid", paid["userid"], invoice=paid["id"])
    for order in rows_where(made.sandbox, ORDERS, invoiceid=paid["id"]):
        made.announce("OrderPaid", paid["userid"], order=order["id"], invoice=paid["id"])


def advance_due_date(made: Change, service_id: int) -> None:
    service = find(made.sandbox, SERVICES, service_id)
    months = CYCLE_MONTHS.get(service["billingcycle"], 0) if service else 0
    if service is None or service["status"] in ("Cancelled", "Terminated"):
        return
    if months and service["nextduedate"] != ZERO_DATE:
        due = add_months(date.fromisoformat(service["nextduedate"]), months)
        made.tx.change(SERVICES, str(service_id), nextduedate=due.isoformat())


def cancel(made: Change, invoice: Row) -> Row:
    if invoice["status"] not in ("Draft", *PAYABLE):
        raise WrongState(f"Invoice {invoice['id']} is {invoice['status']} and can't be cancelled.")
    cancelled = _move(made, invoice, "Cancelled", date_cancelled=local_time(made.sandbox))
    made.announce("InvoiceCancelled", invoice["userid"], invoice=invoice["id"])
    return cancelled


def mark_unpaid(made: Change, invoice: Row) -> Row:
    unpaid = _move(made, invoice, "Unpaid", datepaid=ZERO_TIME)
    made.announce("InvoiceUnpaid", invoice["userid"], invoice=invoice["id"])
    return unpaid


def refund(made: Change, invoice: Row) -> Row:
    """Pays all back that was paid. Raises WrongState unless the invoice is Paid."""
    if invoice["status"] != "Paid":
        raise WrongState(f"Invoice {invoice['id']} is {invoice['status']}: only a paid one can be refunded.")
    payments = rows_where(made.sandbox, TRANSACTIONS, invoiceid=invoice["id"])
    out = transaction_row(
        made.sandbox,
        made.new_id(TRANSACTIONS),
        invoice,
        amountout=money(sum((Decimal(p["amountin"]) - Decimal(p["amountout"]) for p in payments), Decimal(0))),
        gateway=invoice["paymentmethod"],
        description="Refund of Invoice Payment",
        transid=f"re_{secrets.token_hex(8)}",
        refundid=payments[0]["id"] if payments else 0,
    )
    made.tx.put(TRANSACTIONS, str(out["id"]), out)
    refunded = _move(made, invoice, "Refunded", date_refunded=local_time(made.sandbox))
    made.announce("AddTransaction", invoice["userid"], transaction=out["id"], invoice=invoice["id"])
    made.announce("InvoiceRefunded", invoice["userid"], invoice=invoice["id"])
    return refunded


def apply_credit(made: Change, invoice: Row) -> None:
    """Uses what the client has in credit on this invoice, and settles it when that is enough."""
    client = made.tx.change(CLIENTS, str(invoice["userid"]))
    used = min(Decimal(client["credit"]), balance_of(made.sandbox, invoice))
    if used <= 0:
        return
    made.tx.change(CLIENTS, str(client["id"]), credit=money(Decimal(client["credit"]) - used))
    description = f"Credit Applied to Invoice #{invoice['id']}"
    credit = credit_row(made.sandbox, made.new_id(CREDITS), client["id"], description, -used, invoice["id"])
    made.tx.put(CREDITS, str(credit["id"]), credit)
    changed = made.tx.change(INVOICES, str(invoice["id"]), credit=money(Decimal(invoice["credit"]) + used))
    if balance_of(made.sandbox, changed) <= 0:
        settle(made, changed)


def transaction_row(sandbox: Sandbox, transaction_id: int, invoice: Row, **values: Any) -> Row:
    fresh = {
        "id": transaction_id,
        "userid": invoice["userid"],
        "currency": 0,
        "gateway": "",
        "date": local_time(sandbox),
        "description": "Invoice Payment",
        "amountin": "0.00",
        "fees": "0.00",
        "amountout": "0.00",
        "rate": "1.00000",
        "transid": "",
        "invoiceid": invoice["id"],
        "refundid": 0,
    }
    return {**fresh, **values}


def credit_row(
    sandbox: Sandbox, credit_id: int, client_id: int, description: str, amount: Any, related: int = 0
) -> Row:
    return {
        "id": credit_id,
        "clientid": client_id,
        "date": sandbox.clock.today().isoformat(),
        "description": description,
        "amount": money(amount),
        "relid": related,
    }


def _item(made: Change, line: Line) -> Row:
    return {
        "id": made.new_id("whmcs_invoice_items"),
        "type": line.kind,
        "relid": line.related,
        "description": line.description,
        "amount": money(line.amount),
        "taxed": int(line.taxed),
    }


def _move(made: Change, invoice: Row, status: str, **values: Any) -> Row:
    now = local_time(made.sandbox)
    return made.tx.change(INVOICES, str(invoice["id"]), status=status, updated_at=now, **values)
