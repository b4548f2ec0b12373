"""Files of the org: a version is what is uploaded, its document and links follow by themselves."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from portico_sandbox.salesforce.errors import refuse
from portico_sandbox.salesforce.lookup import children_of, row_of
from portico_sandbox.salesforce.objects import CONTENT_DOCUMENT, CONTENT_DOCUMENT_LINK, CONTENT_VERSION
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.store import Row, Store

if TYPE_CHECKING:
    from portico_sandbox.salesforce.changes import Changes

Create = Callable[["Changes", Entity, Row], str]

_TABLE = "sf_content"


def content_of(store: Store, record_id: str, field_name: str) -> str | None:
    """The bytes of a row, as base64."""
    kept = store.get(_TABLE, f"{record_id}:{field_name}")
    return kept["base64"] if kept else None


def version_created(changes: Changes, row: Row) -> None:
    """Completes a version out of its content. Raises Refusal where there is none."""
    content = _decoded(row.get("VersionData"))
    path = row.get("PathOnClient") or ""
    extension = path.rsplit(".", 1)[-1].lower() if "." in path else None
    versions = _versions(changes, row.get("ContentDocumentId"))
    row |= {
        "Title": row.get("Title") or path.rsplit("/", 1)[-1].rsplit(".", 1)[0],
        "FileExtension": extension,
        "FileType": (extension or "unknown").upper(),
        "ContentSize": len(content),
        "Checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "IsLatest": True,
        "VersionNumber": str(len(versions) + 1),
    }


def place_version(changes: Changes, row: Row, content: str, create: Create) -> None:
    """What follows once a version is there: its bytes, and its document, made or moved on to this version."""
    changes.tx.put(_TABLE, f"{row['Id']}:VersionData", {"base64": content})
    for each in _versions(changes, row["ContentDocumentId"]):
        if each["IsLatest"] and each["Id"] != row["Id"]:
            changes.put(CONTENT_VERSION, {**each, "IsLatest": False})
    document_id = row["ContentDocumentId"] or _new_document(changes, row, create)
    stored = changes.sandbox.store.get(CONTENT_VERSION.table, row["Id"]) or {}
    changes.put(CONTENT_VERSION, {**stored, "ContentDocumentId": document_id})
    document = row_of(changes.sandbox.store, CONTENT_DOCUMENT, document_id) or {}
    latest = {name: row[name] for name in ("Title", "FileType", "FileExtension", "ContentSize")}
    changes.put(CONTENT_DOCUMENT, {**document, **latest, "LatestPublishedVersionId": row["Id"]})


def link_created(changes: Changes, row: Row) -> None:
    links = children_of(
        changes.sandbox.store, CONTENT_DOCUMENT_LINK.name, "ContentDocumentId", row["ContentDocumentId"]
    )
    if any(each["LinkedEntityId"] == row["LinkedEntityId"] for each in links):
        message = "Document with ID is already linked with the entity"
        raise refuse("DUPLICATE_VALUE", f"{message}: {row['ContentDocumentId']}", "ContentDocumentId")


def _versions(changes: Changes, document_id: str | None) -> list[Row]:
    if not document_id:
        return []
    return children_of(changes.sandbox.store, CONTENT_VERSION.name, "ContentDocumentId", document_id)


def _new_document(changes: Changes, row: Row, create: Create) -> str:
    """The document, linked to who made it and to where it was first published."""
    document_id = create(changes, CONTENT_DOCUMENT, {"Title": row["Title"], "OwnerId": changes.caller.user_id})
    places = {changes.caller.user_id: "I"}
    if row["FirstPublishLocationId"]:
        places[row["FirstPublishLocationId"]] = "V"
    for place, share in places.items():
        link = {"ContentDocumentId": document_id, "LinkedEntityId": place, "ShareType": share}
        create(changes, CONTENT_DOCUMENT_LINK, link)
    return document_id


def _decoded(content: str | None) -> bytes:
    if not content:
        raise refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [VersionData]", "VersionData")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"VersionData: value not of required type: {content[:40]}"
        raise refuse("INVALID_TYPE_ON_FIELD_IN_RECORD", message, "VersionData") from error
