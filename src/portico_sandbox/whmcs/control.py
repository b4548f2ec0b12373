"""What the provider's billing staff, a customer in WHMCS, or time itself can do."""

from __future__ import annotations

from typing import Any

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs import invoice_machine, paymethods, switches
from portico_sandbox.whmcs.changes import change
from portico_sandbox.whmcs.invoice_machine import Line, WrongState, balance_of, totals
from portico_sandbox.whmcs.rows import CLIENTS, CLOSED, INVOICES, PAY_METHODS, SERVICES, find, rows_where
from portico_sandbox.whmcs.values import add_months, money, read_money
from portico_sandbox.world_types import GATEWAY

_ADDRESS = ("address1", "address2", "city", "state", "postcode", "phonenumber")


async def pay_invoice(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    invoice = _row(sandbox, INVOICES, fields["invoice_id"], "invoice")
    amount = read_money(fields.get("amount", "")) or balance_of(sandbox, invoice)
    try:
        with change(sandbox, "pay invoice") as made:
            invoice_machine.add_payment(made, invoice, amount, GATEWAY)
            made.record(invoice["id"], client_id=invoice["userid"], invoice_id=invoice["id"], amount=money(amount))
    except WrongState as error:
        raise ButtonRefused(str(error)) from error
    return _invoice_now(sandbox, invoice["id"])


async def create_invoice(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    client = _row(sandbox, CLIENTS, fields["client_id"], "client")
    amount = read_money(fields["amount"])
    if amount is None:
        raise ButtonRefused(f"{fields['amount']} is no amount; write a net amount in yen, such as 1500.")
    with change(sandbox, "create invoice") as made:
        lines = [Line(fields["description"], amount, kind="Item")]
        invoice = invoice_machine.new_invoice(made, client["id"], lines, paymentmethod=GATEWAY)
        made.record(invoice["id"], client_id=client["id"], invoice_id=invoice["id"], total=money(totals(invoice).total))
    return _invoice_now(sandbox, invoice["id"])


async def cancel_invoice(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    return _step(sandbox, fields, "cancel invoice", invoice_machine.cancel)


async def refund_invoice(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    return _step(sandbox, fields, "refund invoice", invoice_machine.refund)


async def add_card(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    client = _row(sandbox, CLIENTS, fields["client_id"], "client")
    last_four = fields.get("last_four") or "4242"
    if not (last_four.isascii() and last_four.isdigit() and len(last_four) == 4):
        raise ButtonRefused("The last four digits of a card are four digits.")
    expires = add_months(sandbox.clock.today().replace(day=1), 24)
    with change(sandbox, "add card") as made:
        card = paymethods.store_card(made, client["id"], last_four, "Visa", f"{expires:%Y-%m}")
    return {"pay_method_id": card["id"]}


async def remove_cards(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    client = _row(sandbox, CLIENTS, fields["client_id"], "client")
    cards = rows_where(sandbox, PAY_METHODS, clientid=client["id"])
    for card in cards:
        with change(sandbox, "remove card") as made:
            paymethods.remove_card(made, card)
    return {"removed": [card["id"] for card in cards]}


async def change_card_expiry(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    """All cards of a client expire so many months from now (negative: expired). No hook: a gateway's own update."""
    client = _row(sandbox, CLIENTS, fields["client_id"], "client")
    try:
        months = int(fields["months"])
    except ValueError as error:
        raise ButtonRefused("Months are a whole number; negative ones lie in the past.") from error
    expires = f"{add_months(sandbox.clock.today().replace(day=1), months):%Y-%m}"
    cards = rows_where(sandbox, PAY_METHODS, clientid=client["id"])
    with change(sandbox, "change card expiry") as made:
        for card in cards:
            made.tx.change(PAY_METHODS, str(card["id"]), expires=expires)
        made.record(client["id"], client_id=client["id"], expires=expires)
    return {"expires": expires, "cards": [card["id"] for card in cards]}


async def suspend_service(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    service = _row(sandbox, SERVICES, fields["service_id"], "service")
    if service["status"] != "Active":
        raise ButtonRefused(f"Service {service['id']} is {service['status']}: only an active one can be suspended.")
    with change(sandbox, "suspend service") as made:
        made.tx.change(SERVICES, str(service["id"]), status="Suspended", suspensionreason=fields.get("reason", ""))
        made.announce("AfterModuleSuspend", service["clientid"], service=service["id"])
        made.record(service["id"], client_id=service["clientid"], service_id=service["id"])
    return {"service_id": service["id"], "status": "Suspended"}


async def close_client(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    client = _row(sandbox, CLIENTS, fields["client_id"], "client")
    with change(sandbox, "close client") as made:
        made.tx.change(CLIENTS, str(client["id"]), status=CLOSED)
        made.announce("ClientClose", client["id"])
        made.record(client["id"], client_id=client["id"])
    return {"client_id": client["id"], "status": CLOSED}


async def edit_client(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    client = _row(sandbox, CLIENTS, fields["client_id"], "client")
    values = {name: fields[name] for name in _ADDRESS if fields.get(name)}
    if not values:
        raise ButtonRefused("Nothing to change: fill in at least one field of the address.")
    with change(sandbox, "edit client") as made:
        made.tx.change(CLIENTS, str(client["id"]), **values)
        made.announce("ClientEdit", client["id"])
        made.record(client["id"], client_id=client["id"], changed=sorted(values))
    return {"client_id": client["id"], **values}


async def set_switch(sandbox: Sandbox, fields: dict[str, str]) -> dict[str, Any]:
    try:
        switches.turn(sandbox, fields["name"], fields["value"])
    except ValueError as error:
        raise ButtonRefused(str(error)) from error
    return {fields["name"]: fields["value"]}


def _step(sandbox: Sandbox, fields: dict[str, str], effect: str, step: Any) -> dict[str, Any]:
    invoice = _row(sandbox, INVOICES, fields["invoice_id"], "invoice")
    try:
        with change(sandbox, effect) as made:
            step(made, invoice)
            made.record(invoice["id"], client_id=invoice["userid"], invoice_id=invoice["id"])
    except WrongState as error:
        raise ButtonRefused(str(error)) from error
    return _invoice_now(sandbox, invoice["id"])


def _invoice_now(sandbox: Sandbox, invoice_id: int) -> dict[str, Any]:
    invoice = _row(sandbox, INVOICES, str(invoice_id), "invoice")
    total = money(totals(invoice).total)
    return {"invoice_id": invoice["id"], "client_id": invoice["userid"], "status": invoice["status"], "total": total}


def _row(sandbox: Sandbox, table: str, row_id: str, noun: str) -> Row:
    row = find(sandbox, table, row_id)
    if row is None:
        raise ButtonRefused(f"There is no {noun} {row_id}.")
    return row


_CLIENT = Field("client_id", "Client id")
_INVOICE = Field("invoice_id", "Invoice id")
_EDIT_FIELDS = tuple(Field(name, name.capitalize(), required=False) for name in _ADDRESS)

BUTTONS: list[Button] = [
    Button(
        "pay-invoice",
        "Pay invoice",
        "whmcs",
        (_INVOICE, Field("amount", "Amount (empty: all of it)", required=False)),
        pay_invoice,
        "Books a payment, moves due dates on, fires InvoicePaid.",
    ),
    Button(
        "create-invoice",
        "Create invoice",
        "whmcs",
        (_CLIENT, Field("description", "Line", default="Help at home"), Field("amount", "Net amount", default="1000")),
        create_invoice,
        "One taxed line, due today.",
    ),
    Button("cancel-invoice", "Cancel invoice", "whmcs", (_INVOICE,), cancel_invoice),
    Button("refund-invoice", "Refund invoice", "whmcs", (_INVOICE,), refund_invoice),
    Button(
        "add-card",
        "Add card",
        "whmcs",
        (_CLIENT, Field("last_four", "Last four digits", required=False, default="4242")),
        add_card,
        "A Visa card that is good for two years; fires CCUpdate.",
    ),
    Button("remove-cards", "Remove cards", "whmcs", (_CLIENT,), remove_cards, "WHMCS has no hook for this."),
    Button(
        "change-card-expiry",
        "Change card expiry",
        "whmcs",
        (_CLIENT, Field("months", "Months from now (negative: expired)", default="-1")),
        change_card_expiry,
    ),
    Button(
        "suspend-service",
        "Suspend service",
        "whmcs",
        (Field("service_id", "Service id"), Field("reason", "Reason", required=False, default="Overdue on Payment")),
        suspend_service,
    ),
    Button("close-client", "Close client", "whmcs", (_CLIENT,), close_client),
    Button("edit-client", "Edit client's address", "whmcs", (_CLIENT, *_EDIT_FIELDS), edit_client),
    Button(
        "set-switch",
        "Set a behavior",
        "whmcs",
        (Field("name", "Switch", default="accept_activates"), Field("value", "Value", required=False)),
        set_switch,
        "Behaviors of WHMCS that nobody could confirm; whmcs/switches.py lists them.",
    ),
]
