"""Rows of the org: create, read, update, upsert and delete with every check that Salesforce makes.

The writing functions work inside an open transaction (`changes.changing`) and raise Refusal.
"""

from __future__ import annotations

import functools

from portico_sandbox.salesforce import files, rules
from portico_sandbox.salesforce.access import visible
from portico_sandbox.salesforce.changes import Changes
from portico_sandbox.salesforce.duplicates import check_duplicates
from portico_sandbox.salesforce.errors import Fault, Refusal, not_found, refuse
from portico_sandbox.salesforce.ids import new_id, normal
from portico_sandbox.salesforce.locks import check_unlocked
from portico_sandbox.salesforce.lookup import children_of, ids_by, row_of, rows_of
from portico_sandbox.salesforce.objects import BY_PREFIX, CASE_COMMENT, CONTENT_VERSION, entity_named
from portico_sandbox.salesforce.schema import COMPOUNDS, Entity, Field
from portico_sandbox.salesforce.values import converted
from portico_sandbox.store import Row, Store


class SeveralMatches(Exception):
    """An external id that more than one row holds."""

    def __init__(self, record_ids: list[str]) -> None:
        super().__init__(f"{len(record_ids)} rows match")
        self.record_ids = record_ids


def create(
    changes: Changes,
    entity: Entity,
    body: Row,
    *,
    record_id: str = "",
    trusted: bool = False,
    save_duplicates: bool = False,
) -> str:
    """The new row's id. `trusted` is the seed's: it may set an id and read-only fields."""
    _check_writable(entity, trusted)
    given = _given(changes, entity, body, creating=True, trusted=trusted)
    row = _blank(entity) | given | {"Id": record_id or new_id(changes.tx, entity), "IsDeleted": False}
    rules.prepare(changes, entity, row)
    _check_required(entity, row)
    _check_references(changes, entity, row, set(given))
    check_unlocked(changes, entity, row)
    rules.created(changes, entity, row)
    _check_unique(changes, entity, row)
    if not trusted:
        check_duplicates(changes, entity, row, save_anyway=save_duplicates)
    unstored = _take_unstored(entity, row)
    _number(changes, entity, row)
    stamps = {"CreatedDate": changes.stamp, "CreatedById": changes.caller.user_id}
    changes.put(entity, row | stamps | _modified(changes))
    rules.afterwards(changes, entity, row)
    _comment(changes, row, unstored)
    if entity is CONTENT_VERSION:
        files.place_version(changes, row, unstored["VersionData"], functools.partial(create, trusted=True))
    return str(row["Id"])


def update(changes: Changes, entity: Entity, record_id: str, body: Row, *, save_duplicates: bool = False) -> None:
    _check_writable(entity, False)
    before = existing(changes.sandbox.store, entity, record_id)
    given = _given(changes, entity, body, creating=False, trusted=False)
    row = {**before, **given}
    rules.prepare(changes, entity, row)
    _check_required(entity, row)
    _check_references(changes, entity, row, set(given))
    check_unlocked(changes, entity, row)
    rules.updated(changes, entity, before, row, set(given))
    _check_unique(changes, entity, row)
    check_duplicates(changes, entity, row, before, save_anyway=save_duplicates)
    unstored = _take_unstored(entity, row)
    changes.put(entity, row | _modified(changes))
    rules.afterwards(changes, entity, row)
    _comment(changes, row, unstored)


def upsert(
    changes: Changes,
    entity: Entity,
    field_name: str,
    value: str,
    body: Row,
    *,
    update_only: bool = False,
    save_duplicates: bool = False,
) -> tuple[str, bool]:
    """(id, whether it was created). Raises SeveralMatches where the external id is not unique and held twice."""
    field = external_field(_seen(changes, entity), field_name)
    if any(name.lower() in (field.name.lower(), "id") for name in body):
        raise refuse(
            "INVALID_FIELD", f"The {field.name} field should not be specified in the sobject data.", field.name
        )
    found = matches(changes.sandbox.store, entity, field, value)
    if len(found) > 1:
        raise SeveralMatches(found)
    if found:
        update(changes, entity, found[0], body, save_duplicates=save_duplicates)
        return found[0], False
    if update_only:
        raise not_found("Provided external ID field does not exist or is not accessible: no row to update")
    return create(changes, entity, {**body, field.name: value}, save_duplicates=save_duplicates), True


def delete(changes: Changes, entity: Entity, record_id: str) -> None:
    """Soft delete; children that can't live alone go with it."""
    _check_writable(entity, False)
    row = existing(changes.sandbox.store, entity, record_id)
    check_unlocked(changes, entity, row)
    rules.deleted(changes, entity, row)
    changes.bury(entity, row)
    for child in entity.children:
        child_entity = entity_named(child.entity)
        assert child_entity
        for each in children_of(changes.sandbox.store, child.entity, child.field, row["Id"]) if child.cascade else ():
            delete(changes, child_entity, each["Id"])
    rules.afterwards(changes, entity, row)


def undelete(changes: Changes, entity: Entity, record_id: str) -> None:
    """Takes a row back out of the recycle bin, with the children that went with it."""
    row = row_of(changes.sandbox.store, entity, normal(record_id), deleted=True)
    if row is None or not row["IsDeleted"]:
        raise refuse("UNDELETE_FAILED", "entity is not in the recycle bin")
    _check_unique(changes, entity, row)
    changes.unearth(entity, row)
    for child in entity.children:
        child_entity = entity_named(child.entity)
        assert child_entity
        for each in _gone_with(changes, child_entity, child.field, row) if child.cascade else ():
            undelete(changes, child_entity, each["Id"])


def _gone_with(changes: Changes, child: Entity, field_name: str, row: Row) -> list[Row]:
    """Deleted children of a row that were deleted in the same moment."""
    everything = rows_of(changes.sandbox.store, child, deleted=True)
    at = row["SystemModstamp"]
    return [
        each
        for each in everything
        if each["IsDeleted"] and each.get(field_name) == row["Id"] and each["SystemModstamp"] == at
    ]


def existing(store: Store, entity: Entity, record_id: str) -> Row:
    """The row with an id in either form. Raises Refusal: NOT_FOUND, or ENTITY_IS_DELETED where it was once."""
    row = row_of(store, entity, normal(record_id), deleted=True)
    if row is None:
        raise not_found("Provided external ID field does not exist or is not accessible: " + record_id)
    if row["IsDeleted"]:
        raise Refusal(Fault("ENTITY_IS_DELETED", "entity is deleted", ()), status=404)
    return row


def external_field(entity: Entity, name: str) -> Field:
    field = entity.field(name)
    if field is None or not (field.external_id or field.name == "Id"):
        raise not_found("Provided external ID field does not exist or is not accessible: " + name)
    return field


def matches(store: Store, entity: Entity, field: Field, value: str) -> list[str]:
    if field.name == "Id":
        row = row_of(store, entity, normal(value))
        return [row["Id"]] if row else []
    return ids_by(store, entity, field, value)


def _given(changes: Changes, entity: Entity, body: Row, *, creating: bool, trusted: bool) -> Row:
    """The fields of a body by their proper names, converted and allowed."""
    given: Row = {}
    seen = entity if trusted else _seen(changes, entity)
    for name, value in body.items():
        if name == "attributes":
            continue
        if name.lower() == "id" and not trusted:
            raise refuse("INVALID_FIELD", "The Id field should not be specified in the sobject data.", "Id")
        parent = seen.parent(name) if isinstance(value, dict) else None
        if parent:
            given[parent.name] = _by_external_id(changes.sandbox.store, parent, value)
            continue
        field = seen.field(name)
        if field is None:
            raise refuse("INVALID_FIELD", f"No such column '{name}' on sobject of type {entity.name}")
        if not trusted and not (field.createable if creating else field.updateable):
            message = (
                f"Unable to create/update fields: {field.name}. Please check the security settings of this field and "
                "verify that it is read/write for your profile or permission set."
            )
            raise refuse("INVALID_FIELD_FOR_INSERT_UPDATE", message, field.name)
        given[field.name] = converted(field, value)
    return given


def _seen(changes: Changes, entity: Entity) -> Entity:
    """The object as the caller may write it: staff in the vendor's own pages see every field."""
    return visible(changes.sandbox, entity) if changes.caller.through_api else entity


def _by_external_id(store: Store, way: Field, nested: Row) -> str:
    """`"Account": {"Customer_Number__c": "v"}` stands for the id of that account."""
    target = entity_named(way.refers_to)
    named = {name: value for name, value in nested.items() if name != "attributes"}
    if target is None or len(named) != 1:
        raise refuse("INVALID_FIELD", f"{way.relationship}: exactly one external id is wanted", way.name)
    [(name, value)] = named.items()
    field = target.field(name)
    found = matches(store, target, field, str(value)) if field and (field.external_id or field.name == "Id") else []
    if len(found) != 1:
        message = f"Foreign key external ID: {value} not found for field {name} in entity {target.name}"
        raise refuse("INVALID_FIELD", message, way.name)
    return found[0]


def _blank(entity: Entity) -> Row:
    stored = (each for each in entity.fields if not each.mirrors and not each.write_only)
    return {each.name: each.default for each in stored if each.type not in COMPOUNDS}


def _take_unstored(entity: Entity, row: Row) -> Row:
    return {each.name: row.pop(each.name, None) for each in entity.fields if each.write_only or each.type == "base64"}


def _comment(changes: Changes, row: Row, unstored: Row) -> None:
    """`Comments` of a case is a short way to write a comment."""
    if unstored.get("Comments"):
        create(changes, CASE_COMMENT, {"ParentId": row["Id"], "CommentBody": unstored["Comments"]})


def _check_writable(entity: Entity, trusted: bool) -> None:
    if not entity.writable and not trusted:
        raise refuse("INSUFFICIENT_ACCESS_OR_READONLY", f"{entity.name} rows can't be written by this user")


def _check_required(entity: Entity, row: Row) -> None:
    missing = [each.name for each in entity.fields if each.required and row.get(each.name) is None]
    if missing:
        fault = Fault("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", tuple(missing))
        also = (rules.ALSO_SAID_WHEN_MISSING.get((entity.name, name), ()) for name in missing)
        raise Refusal(fault, *(each for faults in also for each in faults))


def _check_references(changes: Changes, entity: Entity, row: Row, given: set[str]) -> None:
    for field in entity.fields:
        value = row.get(field.name)
        if field.type != "reference" or field.name not in given or value is None:
            continue
        target = BY_PREFIX.get(value[:3])
        if target is None or target.name not in (field.refers_to, *field.also_refers_to):
            message = f"{field.name}: id value of incorrect type: {value}"
            raise refuse("FIELD_INTEGRITY_EXCEPTION", message, field.name)
        if row_of(changes.sandbox.store, target, value) is None:
            raise refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)


def _check_unique(changes: Changes, entity: Entity, row: Row) -> None:
    taken = rules.duplicate_of(changes, entity, row)
    if taken:
        name, other = taken
        message = f"duplicate value found: {name} duplicates value on record with id: {other[:15]}"
        raise refuse("DUPLICATE_VALUE", message)


def _number(changes: Changes, entity: Entity, row: Row) -> None:
    for field in entity.fields:
        if field.autonumber:
            number = changes.tx.next(f"sf_number:{entity.name}.{field.name}")
            row[field.name] = field.autonumber.format(number)
    if entity.field("OwnerId") and not row.get("OwnerId"):
        row["OwnerId"] = changes.caller.user_id


def _modified(changes: Changes) -> Row:
    stamp = changes.stamp
    return {"LastModifiedDate": stamp, "LastModifiedById": changes.caller.user_id, "SystemModstamp": stamp}
