"""A customer's orders, as Salesforce has them, each with what our journal knows of its fulfillment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from portico.cache import cached
from portico.customer import Customer
from portico.freshness import ORDERS
from portico.orders import timeline
from portico.orders.timeline import Journal
from portico.portal import Portal
from portico.systems.salesforce import orders as salesforce_orders
from portico.systems.salesforce.orders import Order


@dataclass(frozen=True)
class OrderWithJournal:
    order: Order
    journal: Journal
    as_of: datetime


@cached(ORDERS)
async def orders_of(portal: Portal, customer: Customer) -> list[Order]:
    """All, newest first."""
    return await salesforce_orders.get_orders(portal.salesforce, customer.sf_account_id)


@cached(ORDERS)
async def order_for(portal: Portal, customer: Customer, order_id: str) -> Order:
    """Raises NotFound: unknown, or somebody else's."""
    return await salesforce_orders.get_order(portal.salesforce, customer.sf_account_id, order_id)


async def order_with_journal(portal: Portal, customer: Customer, order_id: str) -> OrderWithJournal:
    """The journal is our own table and always live. Raises NotFound."""
    copy = await order_for(portal, customer, order_id)
    async with portal.db.begin() as tx:
        journal = await timeline.journal_of(tx, copy.value.id)
    return OrderWithJournal(copy.value, journal, copy.as_of)


async def orders_with_journals(portal: Portal, customer: Customer) -> tuple[list[OrderWithJournal], datetime]:
    copy = await orders_of(portal, customer)
    async with portal.db.begin() as tx:
        journals = await timeline.journals_of(tx, [order.id for order in copy.value])
    read = [OrderWithJournal(order, journals[order.id], copy.as_of) for order in copy.value]
    return read, copy.as_of
