"""Orders: AddOrder, AcceptOrder, CancelOrder, PendingOrder, GetOrders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from portico_sandbox.store import Row
from portico_sandbox.whmcs import order_machine
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call, listing, to_int
from portico_sandbox.whmcs.changes import change
from portico_sandbox.whmcs.order_machine import CartItem
from portico_sandbox.whmcs.php_form import PhpKey
from portico_sandbox.whmcs.php_serialize import read_map
from portico_sandbox.whmcs.rows import CLIENTS, CLOSED, GATEWAYS, INVOICES, ORDERS, PRODUCTS, SERVICES, find
from portico_sandbox.whmcs.services import fields_of_product
from portico_sandbox.whmcs.values import cycle_key, read_money, words

_ARRAYS = words("pid qty billingcycle customfields configoptions priceoverride domain hostname addons addonsqty")


def add_order(call: Call) -> Answer:
    client = _orderer(call)
    gateway = _gateway(call)
    _require_arrays(call)
    _check_addons(call, client)
    cart = [item for index in call.array("pid") if (item := _cart_item(call, index))]
    if not cart:
        raise ApiRefusal("No items added to cart so order cannot proceed")
    with change(call.sandbox, "AddOrder") as made:
        order = order_machine.place(
            made, client["id"], cart, gateway, not call.flag("noinvoice"), ipaddress=call.text("clientip", "127.0.0.1")
        )
        made.record(order["id"], **_facts(order, cart))
    services = ",".join(str(item["relid"]) for item in order["lineitems"])
    invoice = {"invoiceid": order["invoiceid"]} if order["invoiceid"] else {}
    return {"orderid": order["id"], "serviceids": services, "addonids": "", "domainids": "", **invoice}


def accept_order(call: Call) -> Answer:
    order = _pending_order(call)
    with change(call.sandbox, "AcceptOrder") as made:
        order_machine.accept(made, order)
        made.record(order["id"], client_id=order["userid"], order_id=order["id"])
    return {}


def cancel_order(call: Call) -> Answer:
    order = _pending_order(call)
    with change(call.sandbox, "CancelOrder") as made:
        order_machine.cancel(made, order)
        made.record(order["id"], client_id=order["userid"], order_id=order["id"])
    return {}


def pending_order(call: Call) -> Answer:
    order = find(call.sandbox, ORDERS, call.number("orderid"))
    if order is None:
        raise ApiRefusal("Order ID not found")
    with change(call.sandbox, "PendingOrder") as made:
        order_machine.put_back(made, order)
        made.record(order["id"], client_id=order["userid"], order_id=order["id"])
    return {}


def get_orders(call: Call) -> Answer:
    rows = list(call.sandbox.store.table(ORDERS).values())
    for name, field in (("id", "id"), ("userid", "userid")):
        if call.text(name):
            rows = [row for row in rows if row[field] == call.number(name)]
    if call.text("status"):
        rows = [row for row in rows if row["status"] == call.text("status")]
    rows.sort(key=lambda row: row["id"], reverse=True)
    return listing(call, "orders", "order", rows, lambda row: _shown(call, row))


def _orderer(call: Call) -> Row:
    client = find(call.sandbox, CLIENTS, call.number("clientid"))
    if client is None:
        raise ApiRefusal("Client ID Not Found")
    if client["status"] == CLOSED:
        raise ApiRefusal("Unable to add order when client status is Closed")
    return client


def _gateway(call: Call) -> str:
    gateways = call.sandbox.store.table(GATEWAYS)
    if call.text("paymentmethod") not in gateways:
        raise ApiRefusal(f"Invalid Payment Method. Valid options include {','.join(gateways)}")
    return call.text("paymentmethod")


def _require_arrays(call: Call) -> None:
    for name in _ARRAYS:
        if isinstance(call.params.get(name), str):
            raise ApiRefusal(f"Expecting parameter '{name}' to be an array")


def _check_addons(call: Call, client: Row) -> None:
    """Addon-only orders: there are no addons in this world, but the checks before that are made."""
    sent = [call.params.get("serviceid"), *call.array("serviceids").values()]
    for service_id in (value for value in sent if isinstance(value, str)):
        service = find(call.sandbox, SERVICES, to_int(service_id))
        if service is None or service["clientid"] != client["id"]:
            raise ApiRefusal("Service ID not owned by Client ID provided")
    if call.text("addonid") or call.array("addonids"):
        raise ApiRefusal("Addon ID invalid")


def _cart_item(call: Call, index: PhpKey) -> CartItem | None:
    """The product at this index of the parallel arrays; None (and no error) for an unknown product or cycle."""
    product = find(call.sandbox, PRODUCTS, to_int(_at(call, "pid", index)))
    cycle = cycle_key(_at(call, "billingcycle", index))
    if product is None or cycle not in ("", product["cycle"]):
        return None
    return CartItem(
        product=product,
        price=_price(product, _at(call, "priceoverride", index)),
        quantity=max(to_int(_at(call, "qty", index)), 1),
        domain=_at(call, "domain", index),
        customfields=fields_of_product(call.sandbox, product["pid"], read_map(_at(call, "customfields", index))),
    )


def _price(product: Row, override: str) -> Decimal:
    """To the manual's letter `priceoverride` replaces the recurring price, so not that of a one-time product."""
    sent = read_money(override) if product["cycle"] != "onetime" else None
    return sent if sent is not None and sent >= 0 else Decimal(product["price"])


def _at(call: Call, name: str, index: PhpKey) -> str:
    value = call.array(name).get(index, "")
    return value if isinstance(value, str) else ""


def _facts(order: Row, cart: list[CartItem]) -> dict[str, Any]:
    markers = [item.customfields.get(str(item.product["fields"][0]["id"]), "") for item in cart]
    return {
        "client_id": order["userid"],
        "order_id": order["id"],
        "invoice_id": order["invoiceid"],
        "service_ids": [item["relid"] for item in order["lineitems"]],
        "pids": [item.product["pid"] for item in cart],
        "amounts": [item["amount"] for item in order["lineitems"]],
        "amount": order["amount"],
        "markers": markers,
    }


def _pending_order(call: Call) -> Row:
    order = find(call.sandbox, ORDERS, call.number("orderid"))
    if order is None or order["status"] != "Pending":
        raise ApiRefusal("Order ID not found or Status not Pending")
    return order


def _shown(call: Call, order: Row) -> Answer:
    client = find(call.sandbox, CLIENTS, order["userid"]) or {"firstname": "", "lastname": "", "owner_user_id": 0}
    gateway = find(call.sandbox, GATEWAYS, order["paymentmethod"])
    invoice = find(call.sandbox, INVOICES, order["invoiceid"])
    return {
        **{name: order[name] for name in ("id", "ordernum", "userid")},
        "contactid": 0,
        "requestor_id": client["owner_user_id"],
        "admin_requestor_id": 0,
        "date": order["date"],
        **dict.fromkeys(("nameservers", "transfersecret", "renewals"), ""),
        "renewalsByType": {"addons": [], "services": [], "domains": []},
        **dict.fromkeys(("promocode", "promotype", "promovalue"), ""),
        "orderdata": "[]",
        **{name: order[name] for name in ("amount", "paymentmethod", "invoiceid", "status")},
        "ipaddress": order["ipaddress"],
        **dict.fromkeys(("fraudmodule", "fraudoutput"), ""),
        "notes": order["notes"],
        "paymentmethodname": gateway["displayname"] if gateway else "",
        "paymentstatus": invoice["status"] if invoice else None,
        "name": f"{client['firstname']} {client['lastname']}",
        "currencyprefix": "¥",
        "currencysuffix": "",
        "frauddata": "",
        "validationdata": "",
        "lineitems": {"lineitem": [_shown_item(call, item) for item in order["lineitems"]]},
    }


def _shown_item(call: Call, item: Row) -> Answer:
    service = find(call.sandbox, SERVICES, item["relid"])
    return {**item, "status": service["status"] if service else ""}


ACTIONS: dict[str, Action] = {
    "AddOrder": add_order,
    "AcceptOrder": accept_order,
    "CancelOrder": cancel_order,
    "PendingOrder": pending_order,
    "GetOrders": get_orders,
}
