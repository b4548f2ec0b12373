"""The audit log: append-only, each row's hash covers the row before it, so that a changed or missing row shows."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CHAIN_LOCK = 7_307_001
"""Advisory lock of the chain: rows are appended one after the other."""
LAST = text("SELECT hash FROM audit ORDER BY id DESC LIMIT 1")
INSERT = text("""
    INSERT INTO audit (at, actor, action, object, facts, previous_hash, hash)
    VALUES (:at, :actor, :action, :object, CAST(:facts AS jsonb), :previous_hash, :hash)
""")
ALL = text("SELECT id, at, actor, action, object, facts, previous_hash, hash FROM audit ORDER BY id")


async def record(
    tx: AsyncConnection,
    now: datetime,
    *,
    actor: str,
    action: str,
    object: str,  # noqa: A002 - the column's name
    **facts: Any,
) -> None:
    """Appends a row in the caller's transaction: who did what to which thing. Ids only, never secrets.

    Call it last: from here to the commit nobody else can append. `action` is a word like `sign_in.succeeded`;
    `facts` are plain JSON values.
    """
    await tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CHAIN_LOCK})
    previous = (await tx.execute(LAST)).scalar_one_or_none() or b""
    row = {"at": now, "actor": actor, "action": action, "object": object, "previous_hash": previous}
    values = {**row, "facts": json.dumps(facts), "hash": _hash(row, facts)}
    await tx.execute(INSERT, values)


async def first_broken(tx: AsyncConnection) -> int | None:
    """The id of the first row that does not fit the chain; None where it is whole."""
    previous = b""
    for row in (await tx.execute(ALL)).mappings():
        if bytes(row["previous_hash"]) != previous or bytes(row["hash"]) != _hash(dict(row), row["facts"]):
            return int(row["id"])
        previous = bytes(row["hash"])
    return None


def _hash(row: dict[str, Any], facts: dict[str, Any]) -> bytes:
    parts = [row["at"].astimezone(UTC).isoformat(), row["actor"], row["action"], row["object"], facts]
    body = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(bytes(row["previous_hash"]) + body.encode()).digest()
