"""The product list and the install itself: GetProducts, GetCurrencies, WhmcsDetails."""

from __future__ import annotations

from portico_sandbox.store import Row
from portico_sandbox.whmcs.calls import Action, Answer, Call, to_int
from portico_sandbox.whmcs.rows import PRODUCTS
from portico_sandbox.world_types import Product

GROUPS = {"Internet": 1, "Mobile": 2, "VPN": 3, "Other": 4}
_CYCLES = ("monthly", "quarterly", "semiannually", "annually", "biennially", "triennially")
CURRENCY = {"id": 1, "code": "JPY", "prefix": "¥", "suffix": "", "format": 4, "rate": "1.00000"}


def get_products(call: Call) -> Answer:
    rows = list(call.sandbox.store.table(PRODUCTS).values())
    if call.text("pid"):
        wanted = {to_int(part) for part in call.text("pid").split(",")}
        rows = [row for row in rows if row["pid"] in wanted]
    if call.text("gid"):
        rows = [row for row in rows if row["gid"] == call.number("gid")]
    if call.text("module"):
        rows = []  # every product of this world is without a module
    return {"totalresults": len(rows), "products": {"product": [_shown(row) for row in rows]}}


def get_currencies(call: Call) -> Answer:
    return {"totalresults": 1, "currencies": {"currency": [dict(CURRENCY)]}}


def whmcs_details(call: Call) -> Answer:
    version = call.switches.version
    return {"whmcs": {"version": version, "canonicalversion": f"{version}-release.1"}}


def product_row(product: Product) -> Row:
    """The WHMCS product that bills this one; its custom fields are its own."""
    fields = (
        {"id": product.whmcs_field("order_item"), "name": "Order item", "admin_only": True},
        {"id": product.whmcs_field("line_number"), "name": "Line number", "admin_only": False},
        {"id": product.whmcs_field("eid"), "name": "EID", "admin_only": False},
        {"id": product.whmcs_field("iccid"), "name": "ICCID", "admin_only": False},
    )
    return {
        "pid": product.whmcs_product_id,
        "sku": product.sku,
        "gid": GROUPS[product.category],
        "group": product.category,
        "name": product.name,
        "description": product.description,
        "cycle": "monthly" if product.billing_cycle == "Monthly" else "onetime",
        "price": f"{product.net}.00",
        "fields": list(fields),
    }


def _shown(product: Row) -> Answer:
    slug = product["sku"].lower()
    return {
        "pid": product["pid"],
        "gid": product["gid"],
        "type": "other",
        "name": product["name"],
        "slug": slug,
        "product-url": f"/store/{product['group'].lower()}/{slug}",
        "description": product["description"],
        "module": "",
        "paytype": "recurring" if product["cycle"] == "monthly" else "onetime",
        "allowqty": 0,
        "quantity_available": 0,
        "pricing": {"JPY": _pricing(product)},
        "customfields": {"customfield": [_field(field) for field in product["fields"] if not field["admin_only"]]},
        "configoptions": {"configoption": []},
    }


def _pricing(product: Row) -> Answer:
    """A one-time price stands in `monthly`; -1.00 means that a cycle is not offered."""
    fees = {f"{cycle[0]}setupfee": "0.00" for cycle in _CYCLES}
    prices = {**dict.fromkeys(_CYCLES, "-1.00"), "monthly": product["price"]}
    return {"prefix": CURRENCY["prefix"], "suffix": CURRENCY["suffix"], **fees, **prices}


def _field(field: Row) -> Answer:
    """Only fields shown on the order form are listed, which an admin-only one is not."""
    return {"id": str(field["id"]), "name": field["name"], "description": "", "required": ""}


ACTIONS: dict[str, Action] = {
    "GetProducts": get_products,
    "GetCurrencies": get_currencies,
    "WhmcsDetails": whmcs_details,
}
