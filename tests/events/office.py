"""A portal with its listener in this process, and what Salesforce's people do."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from portico.app import build_portal, running
from portico.events.listener import listen
from portico.portal import Portal
from portico.systems.salesforce.catalog import get_pricebook_products
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until

SKU = "VPN-HOME"


@dataclasses.dataclass(frozen=True)
class Office:
    """A portal with its listener, and Salesforce's people."""

    portal: Portal
    sandbox: SandboxControl

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.portal.db.begin() as tx:
            return [dict(row) for row in (await tx.execute(text(query))).mappings()]

    async def do(self, query: str) -> None:
        async with self.portal.db.begin() as tx:
            await tx.execute(text(query))

    async def events(self, kind: str = "PricebookEntry") -> list[dict[str, Any]]:
        return await self.rows(f"SELECT * FROM inbox WHERE kind = '{kind}' ORDER BY id")

    async def position(self) -> dict[str, Any]:
        found = await self.rows("SELECT * FROM change_position")
        return found[0] if found else {"epoch": 0, "replay_id": None, "problem": None}

    async def is_heard(self) -> bool:
        return bool((await self.position())["replay_id"])

    async def cache_epoch(self) -> int:
        [row] = await self.rows("SELECT epoch FROM cache_epoch")
        return int(row["epoch"])

    async def change_prices(self, count: int, first: int = 500) -> None:
        for net in range(first, first + count):
            await self.sandbox.press("salesforce", "change-price", sku=SKU, net=str(net))

    async def approved_order(self, account_id: str) -> str:
        """The id of an order that came through the portal and that staff have approved."""
        order_id = await self.order(account_id)
        await self.sandbox.press("salesforce", "approve-order", order=order_id)
        return order_id

    async def order(self, account_id: str) -> str:
        """The id of one that waits for review."""
        salesforce = self.portal.salesforce
        fields, settings = salesforce.fields, salesforce.settings
        order = {
            "AccountId": account_id,
            "Pricebook2Id": settings.pricebook_id,
            "EffectiveDate": "2026-11-23",
            "Status": settings.order_status_pending,
            fields.order_portal_id: str(uuid4()),
            fields.order_fulfillment_status: "Pending",
        }
        order_id = await salesforce.create("Order", order, name="create Order")
        [entry] = [one.entry_id for one in await get_pricebook_products(salesforce, "JPY") if one.sku == SKU]
        item = {"OrderId": order_id, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 500}
        await salesforce.create("OrderItem", item, name="create OrderItem")
        return order_id

    async def delete(self, entity: str, record_id: str) -> None:
        """By staff, into the recycle bin."""
        salesforce = self.portal.salesforce
        token = await salesforce.token.get()
        url = f"{token.instance_url}/services/data/v{salesforce.settings.api_version}/sobjects/{entity}/{record_id}"
        headers = {"Authorization": f"Bearer {token.secret}"}
        reply = await salesforce.door.call("DELETE", url, name="delete", repeatable=False, headers=headers)
        assert reply.status == 204

    async def has(self, count: int, kind: str = "PricebookEntry") -> bool:
        return len(await self.events(kind)) == count

    @contextlib.asynccontextmanager
    async def with_salesforce(self, **settings: Any) -> AsyncIterator[Office]:
        """The same with other settings of Salesforce."""
        old = self.portal.settings
        salesforce = old.salesforce.model_copy(update=settings)
        async with running(build_portal(dataclasses.replace(old, salesforce=salesforce))) as portal:
            yield Office(portal, self.sandbox)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """A listener of this process leads."""
        before = {row["topic"]: row["epoch"] for row in await self.rows("SELECT topic, epoch FROM change_position")}
        stopping = asyncio.Event()
        listener = asyncio.create_task(listen(self.portal, stopping), name="listener")
        try:
            await until(lambda: self._leads(before))
            yield
        finally:
            stopping.set()
            await listener

    async def _leads(self, before: dict[str, int]) -> bool:
        topic = self.portal.settings.salesforce.topics[0]
        rows = await self.rows(f"SELECT epoch FROM change_position WHERE topic = '{topic}' AND replay_id IS NOT NULL")
        return any(row["epoch"] > before.get(topic, 0) for row in rows)
