"""What the org's admins do that REST clients feel: rights, locks, used-up limits, mails and the recycle bin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from portico_sandbox.buttons import Button, ButtonRefused, Field
from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.access import AlwaysVisible, open_object, show_field
from portico_sandbox.salesforce.changes import Caller, Changes, changing
from portico_sandbox.salesforce.errors import Refusal
from portico_sandbox.salesforce.ids import normal
from portico_sandbox.salesforce.locks import lock
from portico_sandbox.salesforce.lookup import ids_by
from portico_sandbox.salesforce.objects import BY_PREFIX, CASE, EMAIL_MESSAGE, entity_named
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.salesforce.sessions import STAFF_USER_ID, pretend_used
from portico_sandbox.salesforce.stream_control import press_of
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_STAFF = Caller(STAFF_USER_ID, through_api=False)


async def lock_row(sandbox: Sandbox, record: str, seconds: str = "30") -> Row:
    """Writes to the row and to rows that hang on it are refused until then; 0 seconds let go."""
    record_id = _record_id(record)
    try:
        lock(sandbox, record_id, float(seconds))
    except ValueError as error:
        raise ButtonRefused(f"{seconds} is no number of seconds.") from error
    return {"record": record_id, "seconds": seconds}


async def show_a_field(sandbox: Sandbox, entity: str, field: str, shown: str = "no") -> Row:
    """Field-level security of the integration user."""
    try:
        show_field(sandbox, _entity(entity), field, _means_yes(shown))
    except KeyError as error:
        raise ButtonRefused(f"{entity} has no field {field}.") from error
    except AlwaysVisible as error:
        raise ButtonRefused(f"{field} belongs to the system and can't be hidden.") from error
    return {"object": entity, "field": field, "shown": shown}


async def open_an_object(sandbox: Sandbox, entity: str, allowed: str = "no") -> Row:
    """The integration user's permission for an object."""
    open_object(sandbox, _entity(entity), _means_yes(allowed))
    return {"object": entity, "allowed": allowed}


async def use_up_calls(sandbox: Sandbox, used: str) -> Row:
    """So many of today's API calls are gone; the knob `daily_calls` says of how many."""
    if not used.isdigit():
        raise ButtonRefused(f"{used} is no number of calls.")
    pretend_used(sandbox, int(used))
    return {"used": int(used)}


async def mail_case(
    sandbox: Sandbox, case: str, text: str, incoming: str = "no", visible: str = "yes", draft: str = "no"
) -> Row:
    """An e-mail on a case (id or number), as Email-to-Case would put it there."""
    with _staff_writes(sandbox) as changes:
        values = {"ParentId": _case_id(sandbox, case), "TextBody": text, "Incoming": _means_yes(incoming)}
        status = "5" if _means_yes(draft) else "1" if _means_yes(incoming) else "3"
        more = {"Status": status, "IsExternallyVisible": _means_yes(visible)}
        mail_id = rows.create(changes, EMAIL_MESSAGE, {**values, **more})
    return {"mail": mail_id}


async def undelete_row(sandbox: Sandbox, record: str) -> Row:
    record_id = _record_id(record)
    with _staff_writes(sandbox) as changes:
        rows.undelete(changes, BY_PREFIX[record_id[:3]], record_id)
    return {"record": record_id}


@contextmanager
def _staff_writes(sandbox: Sandbox) -> Iterator[Changes]:
    try:
        with changing(sandbox, _STAFF) as changes:
            yield changes
    except Refusal as refusal:
        raise ButtonRefused(f"Salesforce refuses: {refusal}") from refusal


def _record_id(text: str) -> str:
    record_id = normal(text)
    if record_id is None or record_id[:3] not in BY_PREFIX:
        raise ButtonRefused(f"{text} is no id of a row here.")
    return record_id


def _entity(name: str) -> Entity:
    entity = entity_named(name)
    if entity is None:
        raise ButtonRefused(f"There is no object {name}.")
    return entity


def _case_id(sandbox: Sandbox, name: str) -> str:
    number = CASE.field("CaseNumber")
    found = ids_by(sandbox.store, CASE, number, name) if number else []
    record_id = found[0] if found else normal(name)
    if record_id is None:
        raise ButtonRefused(f"There is no case {name}.")
    return record_id


def _means_yes(text: str) -> bool:
    return text.lower() in ("yes", "true", "1", "on")


_YES_NO = ("yes", "no")

BUTTONS: list[Button] = [
    Button(
        "lock-row", "Lock a row", "salesforce",
        (Field("record", "Record id"), Field("seconds", "Seconds (0: let go)", False, "30")),
        press_of(lock_row), "Writes to it, and to rows that hang on it, fail with UNABLE_TO_LOCK_ROW until then.",
    ),
    Button(
        "show-field", "Show or hide a field", "salesforce",
        (Field("entity", "Object"), Field("field", "Field"), Field("shown", "Visible", False, "no", _YES_NO)),
        press_of(show_a_field), "Field-level security of the integration user: hidden, the field is unknown.",
    ),
    Button(
        "open-object", "Allow or forbid an object", "salesforce",
        (Field("entity", "Object"), Field("allowed", "Allowed", False, "no", _YES_NO)),
        press_of(open_an_object), "Forbidden, the object is unknown to the integration user.",
    ),
    Button(
        "use-up-calls", "Use up API calls", "salesforce", (Field("used", "Calls used today"),),
        press_of(use_up_calls), "The knob daily_calls says how many there are.",
    ),
    Button(
        "mail-case", "Mail on a case", "salesforce",
        (
            Field("case", "Case (id or number)"), Field("text", "Text"),
            Field("incoming", "From the customer", False, "no", _YES_NO),
            Field("visible", "Customer may see it", False, "yes", _YES_NO),
            Field("draft", "Only a draft", False, "no", _YES_NO),
        ),
        press_of(mail_case),
    ),
    Button(
        "undelete-row", "Undelete a row", "salesforce", (Field("record", "Record id"),),
        press_of(undelete_row), "Takes it out of the recycle bin, with the children that went with it.",
    ),
]  # fmt: skip
