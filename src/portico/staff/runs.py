"""Orders whose fulfillment is not at its end, and why: what staff look at first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from portico.fulfillment.outcomes import OUTCOMES
from portico.portal import Portal

SHOWN = 200
OPEN = text("""
    SELECT order_id, sf_account_id, state, reason_code, detail, tries, approved_at, updated_at, wake_at
    FROM fulfillments WHERE state <> 'done'
    ORDER BY (state = 'parked') DESC, updated_at LIMIT :limit
""")


@dataclass(frozen=True)
class OpenRun:
    order_id: str
    sf_account_id: str
    state: str
    reason_code: str | None
    detail: str
    tries: int
    approved_at: datetime
    updated_at: datetime
    wake_at: datetime | None

    @property
    def sentence(self) -> str:
        """What Salesforce was told as well."""
        outcome = OUTCOMES.get(self.reason_code or "")
        return f"{outcome.for_staff if outcome else ''} {self.detail}".strip()


async def open_runs(portal: Portal) -> list[OpenRun]:
    """Parked ones first, then those that have not moved for longest."""
    async with portal.db.begin() as tx:
        rows = (await tx.execute(OPEN, {"limit": SHOWN})).mappings()
        return [OpenRun(**row) for row in rows]
