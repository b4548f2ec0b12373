"""Stored payment methods and gateways: GetPayMethods, GetPaymentMethods, DeletePayMethod; cards come from the pages."""

from __future__ import annotations

import calendar
import secrets
from datetime import date, datetime

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call
from portico_sandbox.whmcs.changes import Change, change
from portico_sandbox.whmcs.rows import CLIENTS, GATEWAYS, PAY_METHODS, find, rows_where
from portico_sandbox.whmcs.values import local_time
from portico_sandbox.world_types import GATEWAY

_TYPES = {
    "creditcard": ("CreditCard", "RemoteCreditCard"),
    "bankaccount": ("BankAccount", "RemoteBankAccount"),
}


def get_pay_methods(call: Call) -> Answer:
    if not call.text("clientid"):
        raise ApiRefusal("Client ID Is Required")
    client = find(call.sandbox, CLIENTS, call.number("clientid"))
    if client is None:
        raise ApiRefusal("Client Not Found")
    rows = rows_where(call.sandbox, PAY_METHODS, clientid=client["id"])
    if call.text("paymethodid"):
        rows = [row for row in rows if row["id"] == call.number("paymethodid")]
    if call.text("type"):
        rows = [row for row in rows if row["type"] in _wanted_types(call)]
    return {"clientid": call.text("clientid"), "paymethods": [_shown(row) for row in rows]}


def get_payment_methods(call: Call) -> Answer:
    rows = list(call.sandbox.store.table(GATEWAYS).values())
    shown = [{"module": row["module"], "displayname": row["displayname"]} for row in rows]
    return {"totalresults": len(rows), "paymentmethods": {"paymentmethod": shown}}


def delete_pay_method(call: Call) -> Answer:
    method = find(call.sandbox, PAY_METHODS, call.number("paymethodid"))
    if method is None:
        raise ApiRefusal("Invalid Pay Method ID")
    if method["clientid"] != call.number("clientid"):
        raise ApiRefusal("Pay Method does not belong to passed Client ID")
    with change(call.sandbox, "DeletePayMethod") as made:
        remove_card(made, method)
    return {"paymethodid": method["id"]}


def store_card(made: Change, client_id: int, last_four: str, brand: str, expires: str) -> Row:
    """Stores a card (`expires` as YYYY-MM) and fires CCUpdate."""
    now = local_time(made.sandbox)
    card = card_row(made.new_id(PAY_METHODS), client_id, last_four, brand, expires, now)
    made.tx.put(PAY_METHODS, str(card["id"]), card)
    made.announce("CCUpdate", client_id)
    made.record(card["id"], client_id=client_id, pay_method_id=card["id"], last_four=last_four)
    return card


def remove_card(made: Change, method: Row) -> None:
    """No hook: WHMCS documents none for a deleted pay method."""
    made.tx.delete(PAY_METHODS, str(method["id"]))
    made.record(method["id"], client_id=method["clientid"], pay_method_id=method["id"])


def card_row(method_id: int, client_id: int, last_four: str, brand: str, expires: str, updated: str) -> Row:
    return {
        "id": method_id,
        "clientid": client_id,
        "type": "RemoteCreditCard",
        "gateway_name": GATEWAY,
        "card_last_four": last_four,
        "card_type": brand,
        "expires": expires,
        "remote_token": f'{{"customer":"cus_{secrets.token_hex(7)}","method":"pm_{secrets.token_hex(12)}"}}',
        "updated": updated,
    }


def usable_card(sandbox: Sandbox, client_id: int) -> Row | None:
    """The newest card that has not expired."""
    cards = [row for row in rows_where(sandbox, PAY_METHODS, clientid=client_id) if not has_expired(sandbox, row)]
    return cards[-1] if cards else None


def has_expired(sandbox: Sandbox, card: Row) -> bool:
    """A card is good through the last day of its month."""
    year, month = (int(part) for part in card["expires"].split("-"))
    return sandbox.clock.today() > date(year, month, calendar.monthrange(year, month)[1])


def _wanted_types(call: Call) -> tuple[str, ...]:
    wanted = _TYPES.get(call.text("type").lower())
    if wanted is None:
        raise ApiRefusal("Invalid Pay Method type. Should be 'BankAccount' or 'CreditCard'")  # partly invented
    return wanted


def _shown(method: Row) -> Answer:
    year, month = method["expires"].split("-")
    updated = datetime.fromisoformat(method["updated"])
    return {
        "id": method["id"],
        "type": method["type"],
        "description": "",
        "gateway_name": method["gateway_name"],
        "contact_type": "Client",
        "contact_id": method["clientid"],
        "card_last_four": method["card_last_four"],
        "expiry_date": f"{month}/{year[2:]}",
        "start_date": "",
        "issue_number": "",
        "card_type": method["card_type"],
        "remote_token": method["remote_token"],
        "last_updated": updated.strftime("%d/%m/%Y %H:%M"),  # the install's own format
    }


ACTIONS: dict[str, Action] = {
    "GetPayMethods": get_pay_methods,
    "GetPaymentMethods": get_payment_methods,
    "DeletePayMethod": delete_pay_method,
}
