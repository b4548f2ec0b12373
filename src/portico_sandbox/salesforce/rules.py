"""What Salesforce itself does and refuses when rows of an object are written: which rule runs when."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from portico_sandbox.salesforce import files, order_rules
from portico_sandbox.salesforce.errors import Fault, refuse
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import children_of, ids_by, row_of, rows_of
from portico_sandbox.salesforce.objects import CONTACT, ORDER_ITEM, PRICEBOOK2, PRICEBOOK_ENTRY
from portico_sandbox.salesforce.objects_support import CASE_STATUSES, EMAIL_DRAFT
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.store import Row

if TYPE_CHECKING:
    from portico_sandbox.salesforce.changes import Changes

_OnRow = Callable[["Changes", Row], None]
_OnUpdate = Callable[["Changes", Row, Row, set[str]], None]

ALSO_SAID_WHEN_MISSING: dict[tuple[str, str], tuple[Fault, ...]] = {
    ("OrderItem", "PricebookEntryId"): (
        Fault("FIELD_INTEGRITY_EXCEPTION", "field integrity exception: unknown (must specify a pricebook entry)", ()),
        Fault(
            "FIELD_INTEGRITY_EXCEPTION", "field integrity exception: PricebookEntryId (unknown)", ("PricebookEntryId",)
        ),
    )
}


def prepare(changes: Changes, entity: Entity, row: Row) -> None:
    """Fills what the org fills by itself, before required fields are checked."""
    if entity.name in _PREPARE:
        _PREPARE[entity.name](changes, row)


def created(changes: Changes, entity: Entity, row: Row) -> None:
    """May change the row that is about to be stored, or raise Refusal."""
    if entity.name in _CREATED:
        _CREATED[entity.name](changes, row)


def updated(changes: Changes, entity: Entity, before: Row, row: Row, given: set[str]) -> None:
    """The same for an update; `given` are the fields that the caller sent."""
    if entity.name in _UPDATED:
        _UPDATED[entity.name](changes, before, row, given)


def deleted(changes: Changes, entity: Entity, row: Row) -> None:
    if entity.name in _DELETED:
        _DELETED[entity.name](changes, row)


def afterwards(changes: Changes, entity: Entity, row: Row) -> None:
    """What follows in other rows once this one is stored, changed or gone."""
    if entity.name == "OrderItem":
        order_rules.sum_up(changes, row)
    if entity.name == "PricebookEntry":
        _pass_standard_price_on(changes, row)


def _prepare_entry(changes: Changes, row: Row) -> None:
    if row.get("UseStandardPrice"):
        standard = _entry_of(changes, row.get("Product2Id"), standard=True)
        row["UnitPrice"] = standard["UnitPrice"] if standard else None


def _entry_created(changes: Changes, row: Row) -> None:
    book = row_of(changes.sandbox.store, PRICEBOOK2, row["Pricebook2Id"])
    assert book
    if not book["IsStandard"] and not _entry_of(changes, row["Product2Id"], standard=True):
        raise refuse("STANDARD_PRICE_NOT_DEFINED", "Before creating a custom price, create a standard price.")
    if any(each["Pricebook2Id"] == book["Id"] for each in _entries_of(changes, row["Product2Id"])):
        raise refuse("DUPLICATE_VALUE", "This price definition already exists in this price book.", "Product2Id")


def _entry_updated(_changes: Changes, before: Row, row: Row, _given: set[str]) -> None:
    if row["UseStandardPrice"] and before["UnitPrice"] != row["UnitPrice"]:
        message = "The price follows the standard price book: UseStandardPrice is set."
        raise refuse("INVALID_FIELD_FOR_INSERT_UPDATE", message, "UnitPrice")


def _pass_standard_price_on(changes: Changes, row: Row) -> None:
    book = row_of(changes.sandbox.store, PRICEBOOK2, row["Pricebook2Id"])
    if not (book and book["IsStandard"]):
        return
    for each in _entries_of(changes, row["Product2Id"]):
        if each["UseStandardPrice"] and each["UnitPrice"] != row["UnitPrice"]:
            changes.put(PRICEBOOK_ENTRY, {**each, "UnitPrice": row["UnitPrice"], "LastModifiedDate": changes.stamp})


def _entries_of(changes: Changes, product_id: str | None) -> list[Row]:
    return children_of(changes.sandbox.store, "PricebookEntry", "Product2Id", product_id or "")


def _entry_of(changes: Changes, product_id: str | None, *, standard: bool) -> Row | None:
    for entry in _entries_of(changes, product_id):
        book = row_of(changes.sandbox.store, PRICEBOOK2, entry["Pricebook2Id"])
        if book and book["IsStandard"] == standard:
            return entry
    return None


def _prepare_case(changes: Changes, row: Row) -> None:
    contact = row_of(changes.sandbox.store, CONTACT, row.get("ContactId"))
    if contact and not row.get("AccountId"):
        row["AccountId"] = contact.get("AccountId")


def _case_created(changes: Changes, row: Row) -> None:
    row["IsClosed"] = CASE_STATUSES.get(row.get("Status") or "", False)
    row["ClosedDate"] = changes.stamp if row["IsClosed"] else None


def _case_updated(changes: Changes, before: Row, row: Row, _given: set[str]) -> None:
    row["IsClosed"] = CASE_STATUSES.get(row.get("Status") or "", False)
    if row["IsClosed"] != before["IsClosed"]:
        row["ClosedDate"] = changes.stamp if row["IsClosed"] else None


def _email_created(changes: Changes, row: Row) -> None:
    row["MessageDate"] = row.get("MessageDate") or changes.stamp


def _email_updated(changes: Changes, before: Row, _row: Row, given: set[str]) -> None:
    """Only a draft may be rewritten; of what was sent, who may see it and fields of the org's own."""
    fixed = [name for name in given if name != "IsExternallyVisible" and not name.endswith("__c")]
    if fixed and before["Status"] != EMAIL_DRAFT:
        code = knob(changes.sandbox, "sent_email_changed")
        raise refuse(code, "Only emails in the status Draft can be updated", *fixed)


def _account_deleted(changes: Changes, row: Row) -> None:
    for name in ("Order", "Case"):
        if children_of(changes.sandbox.store, name, "AccountId", row["Id"]):
            message = f"Your attempt to delete {row['Name']} could not be completed: it is associated with {name}s."
            raise refuse("DELETE_FAILED", message)


def _product_deleted(changes: Changes, row: Row) -> None:
    if any(item.get("Product2Id") == row["Id"] for item in rows_of(changes.sandbox.store, ORDER_ITEM)):
        raise refuse("DELETE_FAILED", f"{row['Name']} is on an order and can only be deactivated.")


def duplicate_of(changes: Changes, entity: Entity, row: Row) -> tuple[str, str] | None:
    """(field, id of the other row) where a unique field of the row is taken."""
    for field in entity.indexed:
        value = row.get(field.name)
        if field.unique and value is not None:
            for other in ids_by(changes.sandbox.store, entity, field, value):
                if other != row["Id"]:
                    return field.name, other
    return None


_PREPARE: dict[str, _OnRow] = {"PricebookEntry": _prepare_entry, "Case": _prepare_case}
_CREATED: dict[str, _OnRow] = {
    "Order": order_rules.order_created,
    "OrderItem": order_rules.item_created,
    "PricebookEntry": _entry_created,
    "Case": _case_created,
    "EmailMessage": _email_created,
    "ContentVersion": files.version_created,
    "ContentDocumentLink": files.link_created,
}
_UPDATED: dict[str, _OnUpdate] = {
    "Order": order_rules.order_updated,
    "OrderItem": order_rules.item_updated,
    "PricebookEntry": _entry_updated,
    "Case": _case_updated,
    "EmailMessage": _email_updated,
}
_DELETED: dict[str, _OnRow] = {
    "Order": order_rules.order_deleted,
    "OrderItem": order_rules.item_deleted,
    "Account": _account_deleted,
    "Product2": _product_deleted,
}
