"""What staff do in Salesforce itself, and what its operators do to the event stream: the control panel's buttons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Caller, Changes, changing
from portico_sandbox.salesforce.errors import Refusal
from portico_sandbox.salesforce.event_control import BUTTONS as EVENT_BUTTONS
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.knobs import DEFAULTS, turn
from portico_sandbox.salesforce.lookup import children_of, ids_by, row_of
from portico_sandbox.salesforce.objects import (
    ACCOUNT,
    CASE,
    CASE_COMMENT,
    CONTACT,
    ORDER,
    ORDER_ITEM,
    PRICEBOOK_ENTRY,
    PRODUCT2,
    entity_named,
)
from portico_sandbox.salesforce.org_control import BUTTONS as ORG_BUTTONS
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.salesforce.sessions import STAFF_USER_ID, close_all
from portico_sandbox.salesforce.stream_control import BUTTONS as STREAM_BUTTONS
from portico_sandbox.salesforce.stream_control import press_of
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.world import PORTAL_PRICEBOOK_ID

_STAFF = Caller(STAFF_USER_ID, through_api=False)


async def approve_order(sandbox: Sandbox, order: str, status: str = "Approved") -> Row:
    """`order` is an id, an order number or the portal's order id."""
    row = _order(sandbox, order)
    _update(sandbox, ORDER, row["Id"], {"Status": status})
    return {"order": row["Id"], "status": status}


async def cancel_order(sandbox: Sandbox, order: str) -> Row:
    row = _order(sandbox, order)
    _update(sandbox, ORDER, row["Id"], {"Status": "Cancelled"})
    return {"order": row["Id"], "status": "Cancelled"}


async def set_line_number(sandbox: Sandbox, item: str, number: str) -> Row:
    """`item` is the id of an order item, or an order: then its eSIM items get the number, counted up from the first."""
    items = _esim_items(sandbox, item)
    numbers = [str(int(number) + step).zfill(len(number)) if step else number for step in range(len(items))]
    for each, line_number in zip(items, numbers, strict=True):
        _update(sandbox, ORDER_ITEM, each["Id"], {"Line_Number__c": line_number})
    return {"items": {each["Id"]: line_number for each, line_number in zip(items, numbers, strict=True)}}


async def change_price(sandbox: Sandbox, sku: str, net: str) -> Row:
    """Of the portal's price book, in JPY."""
    entries = children_of(sandbox.store, "PricebookEntry", "Product2Id", _product(sandbox, sku)["Id"])
    entry = next((each for each in entries if each["Pricebook2Id"] == PORTAL_PRICEBOOK_ID), None)
    if entry is None:
        raise ButtonRefused(f"{sku} has no entry in the portal's price book.")
    _update(sandbox, PRICEBOOK_ENTRY, entry["Id"], {"UnitPrice": net})
    return {"entry": entry["Id"], "net": net}


async def set_availability(sandbox: Sandbox, sku: str, available: str = "true") -> Row:
    product = _product(sandbox, sku)
    _update(sandbox, PRODUCT2, product["Id"], {"Available__c": available.lower() in ("true", "yes", "1", "on")})
    return {"product": product["Id"], "available": available}


async def change_eligibility(sandbox: Sandbox, account: str, eligibility: str = "", internet: str = "") -> Row:
    """`account` is an id or a customer number; `eligibility` the names, joined by `;` (empty: none)."""
    row = _account(sandbox, account)
    values: Row = {"Eligibility__c": eligibility or None}
    if internet:
        values["Internet_Eligibility__c"] = internet
    _update(sandbox, ACCOUNT, row["Id"], values)
    return {"account": row["Id"], **values}


async def add_account(
    sandbox: Sandbox,
    customer_number: str = "",
    postal_code: str = "150-0001",
    name: str = "",
    eligibility: str = "Mobile",
) -> Row:
    """A customer whom the portal does not know yet, with a free customer number (the next one where none is given)."""
    with _staff_writes(sandbox) as changes:
        number = customer_number or f"CN-{900_000 + changes.tx.next('sf_customer_numbers')}"
        address = {"State": "Tokyo", "City": "Shibuya-ku", "Street": "Jingumae 1-1-1", "Country": "JP"}
        billing = {f"Billing{part}": value for part, value in {**address, "PostalCode": postal_code}.items()}
        values = {"Name": name or f"Customer {number}", "Customer_Number__c": number, "Phone": "03-0000-0000"}
        account_id = rows.create(changes, ACCOUNT, {**values, **billing, "Eligibility__c": eligibility or None})
        contact = {"AccountId": account_id, "FirstName": "Customer", "LastName": number}
        contact_id = rows.create(changes, CONTACT, contact)
    return {
        "customer_number": number,
        "postal_code": postal_code,
        "sf_account_id": account_id,
        "sf_contact_id": contact_id,
    }


async def delete_account(sandbox: Sandbox, account: str) -> Row:
    row = _account(sandbox, account)
    with _staff_writes(sandbox) as changes:
        rows.delete(changes, ACCOUNT, row["Id"])
    return {"account": row["Id"]}


async def change_field(sandbox: Sandbox, type: str, id: str, field: str, value: str = "") -> Row:  # noqa: A002
    """Any field of any row; `value` is JSON where it reads as such, else text. Empty means null."""
    entity = entity_named(type)
    if entity is None:
        raise ButtonRefused(f"There is no object {type}.")
    _update(sandbox, entity, id, {field: _value(entity, field, value)})
    return {"type": entity.name, "id": id, "field": field, "value": value}


async def answer_case(sandbox: Sandbox, case: str, text: str, status: str = "") -> Row:
    """A comment that the customer may read; `case` is an id or a case number."""
    row = _found(sandbox, CASE, case, "CaseNumber")
    with _staff_writes(sandbox) as changes:
        comment = {"ParentId": row["Id"], "CommentBody": text, "IsPublished": True}
        comment_id = rows.create(changes, CASE_COMMENT, comment)
        if status:
            rows.update(changes, CASE, row["Id"], {"Status": status})
    return {"case": row["Id"], "comment": comment_id}


async def expire_tokens(sandbox: Sandbox) -> Row:
    """Every access token is dead; open streams live on, as they are reported to."""
    return {"tokens": close_all(sandbox)}


async def turn_knob(sandbox: Sandbox, name: str, value: str) -> Row:
    if name not in DEFAULTS:
        raise ButtonRefused(f"There is no knob {name}.")
    turn(sandbox, name, value)
    return {"name": name, "value": value}


@contextmanager
def _staff_writes(sandbox: Sandbox) -> Iterator[Changes]:
    try:
        with changing(sandbox, _STAFF) as changes:
            yield changes
    except Refusal as refusal:
        raise ButtonRefused(f"Salesforce refuses: {refusal}") from refusal


def _update(sandbox: Sandbox, entity: Entity, record_id: str, values: Row) -> None:
    with _staff_writes(sandbox) as changes:
        rows.update(changes, entity, record_id, values)


def _order(sandbox: Sandbox, order: str) -> Row:
    return _found(sandbox, ORDER, order, "OrderNumber", "Portal_Order_Id__c")


def _account(sandbox: Sandbox, account: str) -> Row:
    return _found(sandbox, ACCOUNT, account, "Customer_Number__c")


def _product(sandbox: Sandbox, sku: str) -> Row:
    return _found(sandbox, PRODUCT2, sku, "StockKeepingUnit")


def _found(sandbox: Sandbox, entity: Entity, name: str, *field_names: str) -> Row:
    """A row by its id or by one of these indexed fields."""
    row = row_of(sandbox.store, entity, normal(name))
    if row:
        return row
    for field_name in field_names:
        field = entity.field(field_name)
        found = ids_by(sandbox.store, entity, field, name) if field else []
        if len(found) == 1:
            return row_of(sandbox.store, entity, found[0]) or {}
    raise ButtonRefused(f"There is no {entity.label.lower()} {name}.")


def _esim_items(sandbox: Sandbox, name: str) -> list[Row]:
    item = row_of(sandbox.store, ORDER_ITEM, normal(name))
    if item:
        return [item]
    items = children_of(sandbox.store, "OrderItem", "OrderId", _order(sandbox, name)["Id"])
    esim = [each for each in items if _sim_kind(sandbox, each) == "eSIM"]
    if not esim:
        raise ButtonRefused("The order has no eSIM item.")
    return esim


def _sim_kind(sandbox: Sandbox, item: Row) -> str:
    product = row_of(sandbox.store, PRODUCT2, item.get("Product2Id"))
    return (product or {}).get("Sim_Kind__c") or ""


def _value(entity: Entity, field_name: str, text: str) -> Any:
    field = entity.field(field_name)
    if not text:
        return None
    if field and field.type in ("boolean", "int", "double", "currency"):
        try:
            return json.loads(text.lower())
        except ValueError as error:
            raise ButtonRefused(f"{text} is no value of {field.name}.") from error
    return text


_ORDER = Field("order", "Order (id, number or portal order id)")
_ACCOUNT = Field("account", "Account (id or customer number)")
_INTERNET = ("", "Not checked", "Checking", "Eligible", "Not eligible")

BUTTONS: list[Button] = [
    Button(
        "approve-order", "Approve order", "salesforce",
        (_ORDER, Field("status", "Status", False, "Approved", ("Approved", "Activated", "Completed"))),
        press_of(approve_order), "Sets the status alone, which activates the order and starts fulfillment.",
    ),
    Button("cancel-order", "Cancel order", "salesforce", (_ORDER,), press_of(cancel_order)),
    Button(
        "set-line-number", "Set line number", "salesforce",
        (Field("item", "Order item id, or order"), Field("number", "Phone number, digits only")),
        press_of(set_line_number), "Of an order, all eSIM items get a number, counted up from this one.",
    ),
    Button(
        "change-price", "Change price", "salesforce",
        (Field("sku", "SKU"), Field("net", "Net price in JPY")), press_of(change_price),
    ),
    Button(
        "set-availability", "Set availability", "salesforce",
        (Field("sku", "SKU"), Field("available", "Available", False, "true", ("true", "false"))),
        press_of(set_availability),
    ),
    Button(
        "change-eligibility", "Change eligibility", "salesforce",
        (
            _ACCOUNT,
            Field("eligibility", "Eligibility names, joined by ;", False),
            Field("internet", "Internet eligibility", False, "", _INTERNET),
        ),
        press_of(change_eligibility),
    ),
    Button(
        "add-account", "Add account", "salesforce",
        (
            Field("customer_number", "Customer number (empty: the next free one)", False),
            Field("postal_code", "Postal code", False, "150-0001"),
            Field("name", "Name", False),
            Field("eligibility", "Eligibility names, joined by ;", False, "Mobile"),
        ),
        press_of(add_account), "A customer whom the portal does not know yet.",
    ),
    Button("delete-account", "Delete account", "salesforce", (_ACCOUNT,), press_of(delete_account)),
    Button(
        "change-field", "Change any field", "salesforce",
        (
            Field("type", "Object"), Field("id", "Record id"), Field("field", "Field"),
            Field("value", "Value (empty: null)", False),
        ),
        press_of(change_field),
    ),
    Button(
        "answer-case", "Answer case", "salesforce",
        (Field("case", "Case (id or number)"), Field("text", "Comment"), Field("status", "New status", False)),
        press_of(answer_case), "Writes a comment that the customer may read.",
    ),
    Button("expire-tokens", "Expire all tokens", "salesforce", (), press_of(expire_tokens)),
    Button(
        "turn-knob", "Turn a knob", "salesforce",
        (Field("name", "Knob", choices=tuple(DEFAULTS)), Field("value", "Value")), press_of(turn_knob),
        "Periods, and facts about the vendor that nobody could verify.",
    ),
    *ORG_BUTTONS,
    *STREAM_BUTTONS,
    *EVENT_BUTTONS,
]  # fmt: skip
