"""Where to write to a person, and in which language."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SELECT = text("SELECT email, display_name, language FROM users WHERE id = :user_id")


@dataclass(frozen=True)
class Contact:
    email: str
    display_name: str
    language: str


async def contact_of(tx: AsyncConnection, user_id: UUID) -> Contact | None:
    row = (await tx.execute(SELECT, {"user_id": user_id})).mappings().first()
    return Contact(**row) if row else None
