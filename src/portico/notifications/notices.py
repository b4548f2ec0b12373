"""Notices to a customer: written in the transaction that caused them, once per occasion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.customer import Customer
from portico.i18n import Message
from portico.identity.sessions import person_changed
from portico.portal import Portal

SHOWN = 50

INSERT = text("""
    INSERT INTO notices (id, user_id, occasion, sentence, sentence_values, address, created_at)
    VALUES (:id, :user_id, :occasion, :sentence, CAST(:values AS jsonb), :address, :now)
    ON CONFLICT (user_id, occasion) DO NOTHING
""")
OF_USER = text("""
    SELECT id, sentence, sentence_values, address, created_at, read_at FROM notices
    WHERE user_id = :user_id ORDER BY created_at DESC, id LIMIT :limit
""")
UNREAD = text("SELECT count(*) FROM notices WHERE user_id = :user_id AND read_at IS NULL")
READ = text("UPDATE notices SET read_at = :now WHERE user_id = :user_id AND read_at IS NULL")


@dataclass(frozen=True)
class Notice:
    id: UUID
    message: Message
    address: str
    """The page of ours that it is about."""
    created_at: datetime
    read_at: datetime | None


async def tell(
    tx: AsyncConnection, now: datetime, user_id: UUID, *, occasion: str, message: Message, address: str
) -> bool:
    """Writes a notice; False where the occasion was told before. `message` comes from `_m`, its values are plain."""
    values: dict[str, Any] = {"id": uuid4(), "user_id": user_id, "occasion": occasion, "now": now}
    values |= {"sentence": message.text, "values": json.dumps(message.values), "address": address}
    written = (await tx.execute(INSERT, values)).rowcount == 1
    if written:
        await person_changed(tx, user_id)  # the number in the header
    return written


async def notices_of(portal: Portal, customer: Customer) -> list[Notice]:
    """The newest first."""
    async with portal.db.begin() as tx:
        rows = (await tx.execute(OF_USER, {"user_id": customer.user_id, "limit": SHOWN})).mappings()
        return [
            Notice(
                row["id"],
                Message(row["sentence"], row["sentence_values"]),
                row["address"],
                row["created_at"],
                row["read_at"],
            )
            for row in rows
        ]


async def unread_of(portal: Portal, customer: Customer) -> int:
    async with portal.db.begin() as tx:
        return int((await tx.execute(UNREAD, {"user_id": customer.user_id})).scalar_one())


async def mark_read(portal: Portal, customer: Customer) -> None:
    async with portal.db.begin() as tx:
        await tx.execute(READ, {"user_id": customer.user_id, "now": portal.clock.now()})
        await person_changed(tx, customer.user_id)
