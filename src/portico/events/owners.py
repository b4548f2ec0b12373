"""Whose an order is: as events told, as we placed or fulfilled it, and else as Salesforce says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.errors import PorticoError
from portico.inbox import Event
from portico.portal import Portal
from portico.systems.salesforce.changed_records import accounts_of_orders, orders_of_items

log = structlog.get_logger()

ORDER, ITEM = "Order", "OrderItem"

ACCOUNTS = text("""
    SELECT order_id, sf_account_id FROM placements WHERE order_id = ANY(:order_ids)
    UNION SELECT order_id, sf_account_id FROM fulfillments WHERE order_id = ANY(:order_ids)
    UNION SELECT order_id, unnest(array_remove(ARRAY[sf_account_id, previous_account_id], NULL))
          FROM order_owners WHERE order_id = ANY(:order_ids)
""")
ORDERS = text("SELECT item_id, order_id FROM order_item_owners WHERE item_id = ANY(:item_ids)")
REMEMBER_ACCOUNTS = text("""
    INSERT INTO order_owners (order_id, sf_account_id, told_at)
    SELECT *, CAST(:now AS timestamptz) FROM unnest(CAST(:order_ids AS text[]), CAST(:account_ids AS text[]))
    ON CONFLICT (order_id) DO UPDATE
    SET previous_account_id = order_owners.sf_account_id, sf_account_id = excluded.sf_account_id
    WHERE order_owners.sf_account_id <> excluded.sf_account_id
""")
REMEMBER_ITEMS = text("""
    INSERT INTO order_item_owners (item_id, order_id, told_at)
    SELECT *, CAST(:now AS timestamptz) FROM unnest(CAST(:item_ids AS text[]), CAST(:order_ids AS text[]))
    ON CONFLICT (item_id) DO NOTHING
""")
KEEP = timedelta(days=90)
"""What is forgotten is asked for when it is needed again."""
FORGET_AT_ONCE = 10_000
# An order of ours may have changed hands since we placed it: only its row here knows.
FORGET_ACCOUNTS = text("""
    DELETE FROM order_owners WHERE order_id IN (
        SELECT order_id FROM order_owners WHERE told_at < :before
          AND NOT EXISTS (SELECT FROM placements WHERE placements.order_id = order_owners.order_id)
          AND NOT EXISTS (SELECT FROM fulfillments WHERE fulfillments.order_id = order_owners.order_id)
        LIMIT :most
    )
""")
FORGET_ITEMS = text("""
    DELETE FROM order_item_owners WHERE item_id IN (
        SELECT item_id FROM order_item_owners WHERE told_at < :before LIMIT :most
    )
""")


@dataclass
class Owners:
    """What is known of the orders that some events name."""

    order_of: dict[str, str] = field(default_factory=dict)
    """Order id by item id."""
    accounts_of: dict[str, set[str]] = field(default_factory=dict)
    """Account ids by order id: two where it changed hands."""
    is_complete: bool = True
    """Whether Salesforce was asked: what is unknown then could be anybody's."""

    def orders(self, event: Event) -> list[str] | None:
        """The orders that an event of Order or OrderItem concerns; None: any."""
        told: list[str] = event.body.get("order_ids", [])
        if told or event.kind != ITEM:
            return told or None
        items: list[str] = event.body.get("record_ids", [])
        if not items or any(item not in self.order_of for item in items):
            return None
        return sorted({self.order_of[item] for item in items})

    def accounts(self, event: Event) -> set[str] | None:
        """Whose they are; None: anybody's. As long as Salesforce was not asked, those that are known."""
        told = set(event.body.get("account_ids", []))
        orders = self.orders(event)
        if orders is None:
            names_records = bool(event.body.get("record_ids"))
            return told if told or (names_records and not self.is_complete) else None
        known = {account for order in orders for account in self.accounts_of.get(order, ())}
        if told or not self.is_complete or all(order in self.accounts_of for order in orders):
            return told | known
        return None

    def _unknown_items(self, events: Iterable[Event]) -> set[str]:
        items = (event for event in events if event.kind == ITEM and not event.body.get("order_ids"))
        return {item for event in items for item in event.body.get("record_ids", []) if item not in self.order_of}

    def _unknown_orders(self, events: Iterable[Event]) -> set[str]:
        untold = [event for event in events if not event.body.get("account_ids")]
        orders = {order for event in untold for order in self.orders(event) or ()}
        return orders - self.accounts_of.keys()


async def owners_of(portal: Portal, events: Iterable[Event], *, ask: bool) -> Owners:
    """`ask`: what is not known here is read from Salesforce and remembered. Never raises for Salesforce's sake: what
    can't be had could be anybody's.
    """
    concerned = [event for event in events if event.source == "salesforce" and event.kind in (ORDER, ITEM)]
    owners = Owners(is_complete=ask)
    if not concerned:
        return owners
    async with portal.db.begin() as tx:
        await _look_up(tx, owners, concerned)
    if ask and (owners._unknown_items(concerned) or owners._unknown_orders(concerned)):
        try:
            await _ask(portal, owners, concerned)
        except PorticoError as error:
            log.warning("events.owner.unknown", error=error.code)
    return owners


async def forget_owners(portal: Portal) -> None:
    """Of orders that have been known for long; most of them belong to nobody of the portal's."""
    values = {"before": portal.clock.now() - KEEP, "most": FORGET_AT_ONCE}
    for statement in (FORGET_ACCOUNTS, FORGET_ITEMS):
        is_more = True
        while is_more:
            async with portal.db.begin() as tx:
                is_more = (await tx.execute(statement, values)).rowcount == FORGET_AT_ONCE


async def remember(tx: AsyncConnection, now: datetime, accounts: Mapping[str, str], orders: Mapping[str, str]) -> None:
    """Account id by order id, order id by item id: as events or Salesforce told."""
    # In the same sequence by everybody: two transactions that remember the same must not wait for each other.
    if accounts:
        order_ids = sorted(accounts)
        account_ids = [accounts[order_id] for order_id in order_ids]
        await tx.execute(REMEMBER_ACCOUNTS, {"order_ids": order_ids, "account_ids": account_ids, "now": now})
    if orders:
        item_ids = sorted(orders)
        values = {"item_ids": item_ids, "order_ids": [orders[item] for item in item_ids], "now": now}
        await tx.execute(REMEMBER_ITEMS, values)


async def _look_up(tx: AsyncConnection, owners: Owners, events: list[Event]) -> None:
    item_ids = sorted(owners._unknown_items(events))
    if item_ids:
        owners.order_of |= {row.item_id: row.order_id for row in await tx.execute(ORDERS, {"item_ids": item_ids})}
    order_ids = sorted({order for event in events for order in owners.orders(event) or ()})
    if order_ids:
        for row in await tx.execute(ACCOUNTS, {"order_ids": order_ids}):
            owners.accounts_of.setdefault(row.order_id, set()).add(row.sf_account_id)


async def _ask(portal: Portal, owners: Owners, events: list[Event]) -> None:
    orders, accounts = await orders_of_items(portal.salesforce, owners._unknown_items(events))
    owners.order_of |= orders
    _add(owners, accounts)
    more = await accounts_of_orders(portal.salesforce, owners._unknown_orders(events))
    _add(owners, more)
    async with portal.db.begin() as tx:
        await remember(tx, portal.clock.now(), accounts | more, orders)


def _add(owners: Owners, accounts: Mapping[str, str]) -> None:
    for order_id, account_id in accounts.items():
        owners.accounts_of.setdefault(order_id, set()).add(account_id)
