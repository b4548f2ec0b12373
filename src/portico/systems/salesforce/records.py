"""Records beyond one plain row: upsert by external id, many in one call, files, what an object looks like."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from portico.errors import SystemRefused, SystemSurprised
from portico.systems.http import Reply
from portico.systems.salesforce.client import Salesforce, json_in
from portico.systems.salesforce.errors import SYSTEM, Fault, faults_in
from portico.systems.salesforce.exact_json import encode
from portico.systems.salesforce.sf_id import normalized

MOST_IN_ONE_CALL = 200
"""Records of one collections call (REST API guide, sObject Collections)."""


@dataclass(frozen=True)
class Written:
    """What became of one record of a collections call."""

    id: str | None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Described:
    """An object of the org as the integration user sees it: a field without permission is simply not there."""

    name: str
    fields: Mapping[str, Mapping[str, Any]]


async def upsert(
    sf: Salesforce, entity: str, external_field: str, value: str, values: Mapping[str, Any], *, name: str
) -> str:
    """Creates the record with this external id, or sets its fields; answers its id. Repeating does no harm.

    Raises SystemRefused (code `errors.SEVERAL_MATCH`) where the external id is not unique in the org.
    """
    path = f"/sobjects/{entity}/{external_field}/{quote(value, safe='')}"
    try:
        reply = await sf.call("PATCH", path, name=name, repeatable=True, body=values)
    except SystemRefused as refused:
        if refused.vendor_code != "DUPLICATE_VALUE":
            raise
        # Two first upserts at once: the other one has created it, so that this one is an update now.
        reply = await sf.call("PATCH", path, name=name, repeatable=True, body=values)
    return _id_in(reply, name)


async def create_many(
    sf: Salesforce, entity: str, rows: Sequence[Mapping[str, Any]], *, name: str, all_or_none: bool = False
) -> list[Written]:
    """Creates up to 200 records in one call that is never repeated blindly; answers each one's fate, in their order."""
    records = [{"attributes": {"type": entity}, **row} for row in rows]
    return await _many(sf, "POST", records, name=name, repeatable=False, all_or_none=all_or_none)


async def update_many(
    sf: Salesforce, entity: str, changes: Mapping[str, Mapping[str, Any]], *, name: str, all_or_none: bool = False
) -> list[Written]:
    """Sets fields of up to 200 records, by id, in one call; answers each one's fate, in their order."""
    records = [{"attributes": {"type": entity}, "id": record_id, **values} for record_id, values in changes.items()]
    return await _many(sf, "PATCH", records, name=name, repeatable=True, all_or_none=all_or_none)


async def describe(sf: Salesforce, entity: str) -> Described:
    """The fields of an object by name, as Salesforce describes them. Raises NotFound: no such object, or no right."""
    name = f"describe {entity}"
    answer = json_in(await sf.call("GET", f"/sobjects/{entity}/describe", name=name, repeatable=True), name)
    try:
        return Described(str(answer["name"]), {str(field["name"]): field for field in answer["fields"]})
    except (TypeError, KeyError) as error:
        raise SystemSurprised(SYSTEM, f"{name}: not a description", body=encode(answer)) from error


async def upload_file(sf: Salesforce, record_id: str, file_name: str, content: bytes) -> str:
    """Attaches a file to a record; answers the id of its ContentVersion. A call that is never repeated blindly."""
    values = {
        "Title": file_name,
        "PathOnClient": file_name,
        "VersionData": b64encode(content).decode(),
        "FirstPublishLocationId": record_id,
    }
    return await sf.create("ContentVersion", values, name="create ContentVersion")


async def _many(
    sf: Salesforce, method: str, records: list[dict[str, Any]], *, name: str, repeatable: bool, all_or_none: bool
) -> list[Written]:
    if not 1 <= len(records) <= MOST_IN_ONE_CALL:
        raise ValueError(f"1 to {MOST_IN_ONE_CALL} records go into one call, not {len(records)}")
    body = {"allOrNone": all_or_none, "records": records}
    answer = json_in(await sf.call(method, "/composite/sobjects", name=name, repeatable=repeatable, body=body), name)
    if not isinstance(answer, list) or len(answer) != len(records):
        raise SystemSurprised(SYSTEM, f"{name}: not one result for each record", body=encode(answer))
    return [_written(result, name) for result in answer]


def _written(result: Any, name: str) -> Written:
    match result:
        case {"success": True, "id": str(record_id)}:
            return Written(normalized(record_id))
        case {"success": False, "errors": errors} if faults := faults_in(errors):
            return Written(None, tuple(faults))
    raise SystemSurprised(SYSTEM, f"{name}: a record in two minds", body=encode(result))


def _id_in(reply: Reply, name: str) -> str:
    try:
        return normalized(json_in(reply, name)["id"])
    except (TypeError, KeyError, ValueError) as error:
        raise SystemSurprised(SYSTEM, f"{name}: written without an id", body=reply.body) from error
