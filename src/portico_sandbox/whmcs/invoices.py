"""Invoices: GetInvoices, GetInvoice, CreateInvoice, UpdateInvoice, AddInvoicePayment, CapturePayment."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

from portico_sandbox.store import Row
from portico_sandbox.whmcs import invoice_machine
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call, listing
from portico_sandbox.whmcs.changes import Change, change
from portico_sandbox.whmcs.invoice_machine import Line, WrongState, balance_of, is_overdue, totals
from portico_sandbox.whmcs.paymethods import usable_card
from portico_sandbox.whmcs.rows import CLIENTS, GATEWAYS, INVOICES, TRANSACTIONS, find, rows_where
from portico_sandbox.whmcs.transactions import shown_transaction
from portico_sandbox.whmcs.values import local_time, money, read_money, words
from portico_sandbox.world_types import GATEWAY

_ORDER_BY = {
    "id": lambda row: row["id"],
    "invoicenumber": lambda row: row["invoicenum"],
    "date": lambda row: row["date"],
    "duedate": lambda row: row["duedate"],
    "total": lambda row: totals(row).total,
    "status": lambda row: row["status"],
}
STATUSES = ("Draft", "Unpaid", "Paid", "Cancelled", "Refunded", "Collections", "Payment Pending")


def get_invoices(call: Call) -> Answer:
    """Everybody's invoices when `userid` is left out, drafts included: an admin's view."""
    rows = list(call.sandbox.store.table(INVOICES).values())
    if call.text("userid"):
        rows = [row for row in rows if row["userid"] == call.number("userid")]
    if status := call.text("status"):
        rows = [row for row in rows if _has_status(call, row, status)]
    rows.sort(key=lambda row: row["id"])
    descending = call.text("order").lower() == "desc"
    rows.sort(key=_ORDER_BY.get(call.text("orderby").lower(), _ORDER_BY["id"]), reverse=descending)
    return listing(call, "invoices", "invoice", rows, lambda row: _shown_row(call, row))


def get_invoice(call: Call) -> Answer:
    invoice = _invoice(call)
    names = words("invoicenum userid date duedate datepaid lastcaptureattempt")
    amounts = totals(invoice)
    payments = rows_where(call.sandbox, TRANSACTIONS, invoiceid=invoice["id"])
    return {
        "invoiceid": invoice["id"],
        **{name: invoice[name] for name in names},
        **_amounts(invoice),
        "total": money(amounts.total),
        "balance": money(balance_of(call.sandbox, invoice)),
        "taxrate": invoice["taxrate"],
        "taxrate2": "0.00",
        "status": invoice["status"],
        "paymentmethod": invoice["paymentmethod"],
        "notes": invoice["notes"],
        "ccgateway": invoice["paymentmethod"] == GATEWAY,
        "items": {"item": [dict(item) for item in invoice["items"]]},
        # Documented: the empty one is a string.
        "transactions": {"transaction": [shown_transaction(row) for row in payments]} if payments else "",
    }


def create_invoice(call: Call) -> Answer:
    client = find(call.sandbox, CLIENTS, call.number("userid"))
    if client is None:
        raise ApiRefusal("Client ID Not Found")
    if call.flag("draft") and call.flag("sendinvoice"):
        raise ApiRefusal("A draft invoice cannot be sent")  # the wording is invented
    with change(call.sandbox, "CreateInvoice") as made:
        invoice = _created(made, call, client)
        made.record(
            invoice["id"],
            client_id=client["id"],
            invoice_id=invoice["id"],
            marker=invoice["notes"],
            total=money(totals(invoice).total),
        )
    status = call.sandbox.store.table(INVOICES)[str(invoice["id"])]["status"]
    return {"invoiceid": invoice["id"], "status": status}


def update_invoice(call: Call) -> Answer:
    """Header fields only: status, notes, due date and gateway."""
    invoice = _invoice(call)
    status = call.text("status")
    if status and status not in STATUSES:
        raise ApiRefusal(f"Invalid status {status}")
    if call.switches.version.startswith("9") and invoice["status"] != "Draft" and not status:
        raise ApiRefusal("Invoice is immutable")  # the wording is invented
    values = {name: call.text(name) for name in ("notes", "duedate", "paymentmethod") if call.has(name)}
    with change(call.sandbox, "UpdateInvoice") as made:
        invoice = made.tx.change(INVOICES, str(invoice["id"]), **values)
        if status and status != invoice["status"]:
            _to_status(made, invoice, status)
        made.record(invoice["id"], client_id=invoice["userid"], invoice_id=invoice["id"], status=status)
    return {"invoiceid": invoice["id"]}


def add_invoice_payment(call: Call) -> Answer:
    invoice = _invoice(call)
    amount = read_money(call.text("amount")) if call.text("amount") else balance_of(call.sandbox, invoice)
    try:
        with change(call.sandbox, "AddInvoicePayment") as made:
            fees = money(read_money(call.text("fees", "0")) or 0)
            invoice_machine.add_payment(
                made, invoice, amount or Decimal(0), call.text("gateway"), call.text("transid"), fees
            )
            made.record(invoice["id"], client_id=invoice["userid"], invoice_id=invoice["id"], amount=money(amount or 0))
    except WrongState as error:
        raise ApiRefusal(str(error)) from error
    return {}


def capture_payment(call: Call) -> Answer:
    invoice = find(call.sandbox, INVOICES, call.number("invoiceid"))
    if invoice is None or invoice["status"] != "Unpaid":
        raise ApiRefusal("Invoice Not Found or Not Unpaid")
    card = usable_card(call.sandbox, invoice["userid"])
    with change(call.sandbox, "CapturePayment") as made:
        invoice = made.tx.change(INVOICES, str(invoice["id"]), lastcaptureattempt=local_time(call.sandbox))
        amount = balance_of(call.sandbox, invoice)
        if card:
            invoice_machine.add_payment(made, invoice, amount, card["gateway_name"])
        made.record(invoice["id"], client_id=invoice["userid"], invoice_id=invoice["id"], captured=bool(card))
    if card is None:
        raise ApiRefusal("Payment Attempt Failed")
    return {}


def _has_status(call: Call, invoice: Row, status: str) -> bool:
    if status == "Overdue":
        return is_overdue(call.sandbox, invoice)
    return bool(invoice["status"] == status)


def _shown_row(call: Call, invoice: Row) -> Answer:
    client = find(call.sandbox, CLIENTS, invoice["userid"]) or {}
    names = ["invoicenum", "date", "duedate", "datepaid"]
    return {
        "id": invoice["id"],
        "userid": invoice["userid"],
        **{name: client.get(name, "") for name in ("firstname", "lastname", "companyname")},
        **{name: invoice[name] for name in names},
        "last_capture_attempt": invoice["lastcaptureattempt"],
        "date_refunded": invoice["date_refunded"],
        "date_cancelled": invoice["date_cancelled"],
        **_amounts(invoice),
        "total": money(totals(invoice).total),
        "taxrate": invoice["taxrate"],
        "taxrate2": "0.00",
        "status": invoice["status"],
        "paymentmethod": invoice["paymentmethod"],
        "paymethodid": None,
        "notes": invoice["notes"],
        "created_at": invoice["created_at"],
        "updated_at": invoice["updated_at"],
        "currencycode": "JPY",
        "currencyprefix": "¥",
        "currencysuffix": "",
    }


def _amounts(invoice: Row) -> Answer:
    amounts = totals(invoice)
    return {
        "subtotal": money(amounts.subtotal),
        "credit": invoice["credit"],
        "tax": money(amounts.tax),
        "tax2": "0.00",
    }


def _invoice(call: Call) -> Row:
    invoice = find(call.sandbox, INVOICES, call.number("invoiceid"))
    if invoice is None:
        raise ApiRefusal("Invoice ID Not Found")
    return invoice


def _created(made: Change, call: Call, client: Row) -> Row:
    values: dict[str, Any] = {
        "status": "Draft" if call.flag("draft") else _initial_status(call),
        "notes": call.text("notes"),
        "paymentmethod": _gateway(call, client),
    }
    values |= {name: call.text(name) for name in ("date", "duedate") if _is_day(call.text(name))}
    if rate := read_money(call.text("taxrate")):
        values["taxrate"] = money(rate)
    invoice = invoice_machine.new_invoice(made, client["id"], _lines(call), **values)
    if call.flag("autoapplycredit"):
        invoice_machine.apply_credit(made, invoice)
    return invoice


def _initial_status(call: Call) -> str:
    return call.text("status") if call.text("status") in STATUSES else "Unpaid"


def _gateway(call: Call, client: Row) -> str:
    if find(call.sandbox, GATEWAYS, call.text("paymentmethod")):
        return call.text("paymentmethod")
    return client["defaultgateway"] or GATEWAY


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _lines(call: Call) -> list[Line]:
    """`itemdescription1`, `itemamount1`, `itemtaxed1`, ...: numbered scalars, not arrays."""
    matches = [re.fullmatch(r"itemdescription([0-9]+)", name) for name in call.params]
    numbers = sorted(int(match[1]) for match in matches if match)
    return [
        Line(
            call.text(f"itemdescription{n}"),
            read_money(call.text(f"itemamount{n}")) or Decimal(0),
            call.flag(f"itemtaxed{n}"),
        )
        for n in numbers
    ]


def _to_status(made: Change, invoice: Row, status: str) -> None:
    match status:
        case "Cancelled":
            made.tx.change(INVOICES, str(invoice["id"]), status="Unpaid")
            invoice_machine.cancel(made, invoice | {"status": "Unpaid"})
        case "Paid":
            invoice_machine.settle(made, invoice)
        case "Unpaid":
            invoice_machine.mark_unpaid(made, invoice)
        case _:
            made.tx.change(INVOICES, str(invoice["id"]), status=status)


ACTIONS: dict[str, Action] = {
    "GetInvoices": get_invoices,
    "GetInvoice": get_invoice,
    "CreateInvoice": create_invoice,
    "UpdateInvoice": update_invoice,
    "AddInvoicePayment": add_invoice_payment,
    "CapturePayment": capture_payment,
}
