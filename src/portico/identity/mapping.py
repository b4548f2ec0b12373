"""The mapping user ↔ WHMCS client ↔ Salesforce account: one row per customer, each id in one row only."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.customer import Customer, SfAccountId, UserId, WhmcsClientId

SELECT = "SELECT user_id, whmcs_client_id, sf_account_id FROM mappings WHERE "
BY_USER = text(SELECT + "user_id = :key")
BY_CLIENT = text(SELECT + "whmcs_client_id = :key")
BY_ACCOUNT = text(SELECT + "sf_account_id = :key")
HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
INSERT = text("INSERT INTO mappings (user_id, whmcs_client_id, sf_account_id, created_at) VALUES (:u, :w, :s, :now)")


async def customer_of(tx: AsyncConnection, user_id: UUID) -> Customer | None:
    """None for staff, and for a person whose mapping is gone."""
    return await _one(tx, BY_USER, user_id)


async def customer_by_client(tx: AsyncConnection, whmcs_client_id: int) -> Customer | None:
    """Whose billing account this is; None where it has no portal user."""
    return await _one(tx, BY_CLIENT, whmcs_client_id)


async def customer_by_account(tx: AsyncConnection, sf_account_id: str) -> Customer | None:
    """Whose Salesforce account (18 characters) this is; None where it has no portal user."""
    return await _one(tx, BY_ACCOUNT, sf_account_id)


async def hold_account(tx: AsyncConnection, sf_account_id: str) -> None:
    """Until the commit nobody else begins a sign-up for this account, or links it. Call it first."""
    await tx.execute(HOLD, {"key": f"portico account {sf_account_id}"})


async def add_mapping(tx: AsyncConnection, now: datetime, customer: Customer) -> None:
    """Raises sqlalchemy's IntegrityError where one of the three ids is mapped already."""
    values = {"u": customer.user_id, "w": customer.whmcs_client_id, "s": customer.sf_account_id, "now": now}
    await tx.execute(INSERT, values)


async def _one(tx: AsyncConnection, query: Any, key: object) -> Customer | None:
    row = (await tx.execute(query, {"key": key})).first()
    if row is None:
        return None
    return Customer(UserId(row.user_id), WhmcsClientId(row.whmcs_client_id), SfAccountId(row.sf_account_id))
