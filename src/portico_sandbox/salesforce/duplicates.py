"""A duplicate rule of the org: Account by name, Contact by name and e-mail. The knob `duplicate_rule` turns it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portico_sandbox.salesforce.errors import Fault, Refusal
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import rows_of
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.store import Row

if TYPE_CHECKING:
    from portico_sandbox.salesforce.changes import Changes

_MATCHED_BY = {"Account": ("Name",), "Contact": ("LastName", "Email")}
_MESSAGE = "Use one of these records?"


def check_duplicates(
    changes: Changes, entity: Entity, row: Row, before: Row | None = None, *, save_anyway: bool
) -> None:
    """Raises Refusal (DUPLICATES_DETECTED). An alert can be overruled by the caller, a block can't.

    A row that changes (`before`) is looked at only where what is matched by changes.
    """
    action = knob(changes.sandbox, "duplicate_rule")
    names = _MATCHED_BY.get(entity.name)
    if action == "off" or names is None or (action == "alert" and save_anyway):
        return
    wanted = [_key(row.get(name)) for name in names]
    if None in wanted or (before and [_key(before.get(name)) for name in names] == wanted):
        return
    same = [
        each
        for each in rows_of(changes.sandbox.store, entity)
        if each["Id"] != row["Id"] and [_key(each.get(name)) for name in names] == wanted
    ]
    if same:
        result = _result(entity, same, may_save=action == "alert")
        raise Refusal(Fault("DUPLICATES_DETECTED", _MESSAGE, (), {"duplicateResult": result}))


def _key(value: Any) -> str | None:
    return str(value).casefold() if value else None


def _result(entity: Entity, same: list[Row], *, may_save: bool) -> Row:
    matches = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": entity.name}, "Id": each["Id"]},
        }
        for each in same
    ]
    rule = f"Standard_{entity.name}_Match_Rule"
    matched = {"entityType": entity.name, "errors": [], "matchEngine": "ExactMatchEngine", "matchRecords": matches}
    return {
        "allowSave": may_save,
        "duplicateRule": f"Standard_{entity.name}_Duplicate_Rule",
        "duplicateRuleEntityType": entity.name,
        "errorMessage": _MESSAGE,
        "matchResults": [{**matched, "rule": rule, "size": len(matches), "success": True}],
    }
