"""Services and their cancellation: GetClientsProducts, UpdateClientProduct, AddCancelRequest, GetCancelledPackages."""

from __future__ import annotations

from typing import Any

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call, listing
from portico_sandbox.whmcs.changes import change
from portico_sandbox.whmcs.php_serialize import PhpData, read_map
from portico_sandbox.whmcs.rows import CANCEL_REQUESTS, GATEWAYS, ORDERS, PRODUCTS, SERVICES, find, rows_where
from portico_sandbox.whmcs.values import CYCLE_LABELS, ZERO_DATE, cycle_key, local_time, money, read_money, words

_AMOUNTS = ("firstpaymentamount", "recurringamount")
_PLAIN = words("regdate nextduedate terminationdate domain paymentmethod status notes suspensionreason")
_CALLED = {"suspensionreason": "suspendreason"}  # spelled differently in requests
_EMPTY = words(
    "dedicatedip serverid servername serverip serverhostname username password subscriptionid promoid "
    "overideautosuspend overidesuspenduntil ns1 ns2 assignedips diskusage disklimit bwusage bwlimit lastupdate"
)


def get_clients_products(call: Call) -> Answer:
    """Everybody's services when neither client nor service is named. Ids are strings here."""
    rows = list(call.sandbox.store.table(SERVICES).values())
    for name, field in (("clientid", "clientid"), ("serviceid", "id"), ("pid", "pid")):
        if call.text(name):
            rows = [row for row in rows if row[field] == call.number(name)]
    for name, field in (("domain", "domain"), ("username2", "username")):
        if call.text(name):
            rows = [row for row in rows if row[field] == call.text(name)]
    answer = listing(call, "products", "product", rows, lambda row: _shown(call.sandbox, row))
    echoes = {name: call.echo(name) for name in ("clientid", "serviceid", "pid", "domain")}
    return {**echoes, **answer, "totalresults": str(answer["totalresults"])}


def get_clients_addons(call: Call) -> Answer:
    """This world has no service addons."""
    echoes = {name: call.echo(name) for name in ("serviceid", "clientid")}
    return {**echoes, "totalresults": 0, "addons": {"addon": []}}


def update_client_product(call: Call) -> Answer:
    service = _service(call)
    values = _updates(call, service)
    with change(call.sandbox, "UpdateClientProduct") as made:
        made.tx.change(SERVICES, str(service["id"]), **values)
        made.announce("ServiceEdit", service["clientid"], service=service["id"])
        facts = {name: value for name, value in values.items() if name != "customfields"}
        made.record(service["id"], client_id=service["clientid"], service_id=service["id"], **facts)
    return {"serviceid": call.text("serviceid")}


def add_cancel_request(call: Call) -> Answer:
    service = _service(call)
    if rows_where(call.sandbox, CANCEL_REQUESTS, relid=service["id"]):
        raise ApiRefusal("Existing Cancellation Request Exists")
    kind = "Immediate" if call.text("type", "Immediate").lower() == "immediate" else "End of Billing Period"
    now = local_time(call.sandbox)
    request = {"date": now, "relid": service["id"], "reason": call.text("reason"), "type": kind}
    with change(call.sandbox, "AddCancelRequest") as made:
        request_id = made.new_id(CANCEL_REQUESTS)
        row = {"id": request_id, **request, "created_at": now, "updated_at": now}
        made.tx.put(CANCEL_REQUESTS, str(request_id), row)
        made.announce("CancellationRequest", service["clientid"], service=service["id"])
        made.record(service["id"], client_id=service["clientid"], service_id=service["id"], type=kind)
    return {"serviceid": str(service["id"]), "userid": str(service["clientid"])}


def get_cancelled_packages(call: Call) -> Answer:
    return listing(call, "packages", "package", list(call.sandbox.store.table(CANCEL_REQUESTS).values()), dict)


def fields_of_product(sandbox: Sandbox, pid: int, sent: dict[Any, PhpData]) -> dict[str, str]:
    """Of the values sent, those for fields that this product has."""
    product = find(sandbox, PRODUCTS, pid)
    known = {field["id"] for field in product["fields"]} if product else set()
    return {str(key): str(value) for key, value in sent.items() if key in known and value is not None}


def _service(call: Call) -> Row:
    service = find(call.sandbox, SERVICES, call.number("serviceid"))
    if service is None:
        raise ApiRefusal("Service ID Not Found")
    return service


def _updates(call: Call, service: Row) -> Row:
    values: Row = {}
    for name in _PLAIN:
        sent = _CALLED.get(name, name)
        if call.has(sent):
            values[name] = call.text(sent)
    if "paymentmethod" in values and not find(call.sandbox, GATEWAYS, values["paymentmethod"]):
        del values["paymentmethod"]
    values |= {name: money(read_money(call.text(name)) or 0) for name in _AMOUNTS if call.has(name)}
    if cycle_key(call.text("billingcycle")) in CYCLE_LABELS:
        values["billingcycle"] = cycle_key(call.text("billingcycle"))
    if find(call.sandbox, PRODUCTS, call.number("pid")):
        values["pid"] = call.number("pid")
    if call.flag("autorecalc"):
        values["recurringamount"] = _list_price(call.sandbox, int(values.get("pid") or service["pid"]))
    cleared = [str(name) for name in call.array("unset").values() if name in _PLAIN]
    values |= {name: ZERO_DATE if "date" in name else "" for name in cleared}
    if call.text("customfields"):
        kept = {} if call.switches.custom_fields_update == "replace" else service["customfields"]
        sent_fields = read_map(call.text("customfields"))
        values["customfields"] = {**kept, **fields_of_product(call.sandbox, service["pid"], sent_fields)}
    return values


def _list_price(sandbox: Sandbox, pid: int) -> str:
    product = find(sandbox, PRODUCTS, pid)
    return product["price"] if product and product["cycle"] == "monthly" else "0.00"


def _shown(sandbox: Sandbox, service: Row) -> Answer:
    product = find(sandbox, PRODUCTS, service["pid"]) or {"name": "", "group": "", "fields": []}
    order = find(sandbox, ORDERS, service["orderid"])
    gateway = find(sandbox, GATEWAYS, service["paymentmethod"])
    return {
        "id": str(service["id"]),
        "qty": str(service["qty"]),
        "clientid": str(service["clientid"]),
        "orderid": str(service["orderid"]),
        **({"ordernumber": str(order["ordernum"])} if order else {}),
        "pid": str(service["pid"]),
        "regdate": service["regdate"],
        "name": product["name"],
        "translated_name": product["name"],
        "groupname": product["group"],
        "translated_groupname": product["group"],
        **{name: service[name] for name in ("domain", "suspensionreason", "firstpaymentamount", "recurringamount")},
        "paymentmethod": service["paymentmethod"],
        "paymentmethodname": gateway["displayname"] if gateway else "",
        "billingcycle": CYCLE_LABELS[service["billingcycle"]],
        **{name: service[name] for name in ("nextduedate", "status", "notes")},
        **dict.fromkeys(_EMPTY, ""),
        "customfields": {"customfield": [_shown_field(field, service) for field in product["fields"]]},
        "configoptions": {"configoption": []},
    }


def _shown_field(field: Row, service: Row) -> Answer:
    value = service["customfields"].get(str(field["id"]), "")
    return {"id": str(field["id"]), "name": field["name"], "translated_name": field["name"], "value": value}


def service_row(service_id: int, client_id: int, order_id: int, product: Row, **values: Any) -> Row:
    """A complete row; `values` overrides what a freshly ordered service has."""
    recurring = product["price"] if product["cycle"] == "monthly" else "0.00"
    fresh = {
        "id": service_id,
        "qty": 1,
        "clientid": client_id,
        "orderid": order_id,
        "pid": product["pid"],
        "regdate": ZERO_DATE,
        "nextduedate": ZERO_DATE,
        "terminationdate": ZERO_DATE,
        "domain": "",
        "firstpaymentamount": product["price"],
        "recurringamount": recurring,
        "paymentmethod": "",
        "billingcycle": product["cycle"],
        "status": "Pending",
        "suspensionreason": "",
        "username": "",
        "notes": "",
        "customfields": {},
    }
    return {**fresh, **values}


ACTIONS: dict[str, Action] = {
    "GetClientsProducts": get_clients_products,
    "GetClientsAddons": get_clients_addons,
    "UpdateClientProduct": update_client_product,
    "AddCancelRequest": add_cancel_request,
    "GetCancelledPackages": get_cancelled_packages,
}
