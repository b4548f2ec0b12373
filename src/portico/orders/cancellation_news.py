"""What the customer is told when an order is cancelled: a notice and a mail. And the cancellation by staff."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.i18n import Message, _m
from portico.identity.contacts import contact_of
from portico.notifications.notices import tell
from portico.orders import timeline
from portico.portal import Portal
from portico.post import post
from portico.systems.salesforce.orders import Order

BY_YOU = _m("You cancelled your order.")
BY_STAFF = _m("Our staff cancelled your order. You pay nothing for it.")
NOT_CANCELLED = _m("Your order could not be cancelled: it is approved already.")

PLACED_BY = text("SELECT user_id FROM placements WHERE order_id = :order_id")


async def staff_changed(portal: Portal, order: Order, read_at: datetime) -> None:
    """An order that is not approved has changed in Salesforce: cancelled there, or reinstated. Twice does no harm.

    `read_at`: before `order` was read; what the customer has done since counts more.
    """
    async with portal.db.begin() as tx:
        user_id = (await tx.execute(PLACED_BY, {"order_id": order.id})).scalar_one_or_none()
        if user_id is None:
            return  # not an order of the portal's
        await timeline.lock(tx, order.id)
        line = (await timeline.journal_of(tx, order.id)).steps.get(timeline.CANCELLED)
        if order.stage == "cancelled" and line is None:
            now = portal.clock.now()
            await timeline.note_cancellation(tx, order.id, "done", now, actor="salesforce")
            await tell_cancelled(portal, tx, user_id, order.id, key=f"{order.id}:{now.isoformat()}", by="staff")
        elif order.stage != "cancelled" and line is not None and line.state == "done":
            await timeline.forget_cancellation(tx, order.id, before=read_at)


async def tell_cancelled(
    portal: Portal, tx: AsyncConnection, user_id: UUID, order_id: str, *, key: str, by: Literal["customer", "staff"]
) -> None:
    message = BY_YOU if by == "customer" else BY_STAFF
    template = "orders/cancelled.txt" if by == "customer" else "orders/cancelled_by_staff.txt"
    await _tell(portal, tx, user_id, order_id, f"order-cancelled:{key}", message, template)


async def tell_not_cancelled(portal: Portal, tx: AsyncConnection, user_id: UUID, order_id: str, *, key: str) -> None:
    await _tell(portal, tx, user_id, order_id, f"order-not-cancelled:{key}", NOT_CANCELLED, "orders/not_cancelled.txt")


async def _tell(
    portal: Portal, tx: AsyncConnection, user_id: UUID, order_id: str, occasion: str, message: Message, template: str
) -> None:
    address = f"/orders/{order_id}"
    await tell(tx, portal.clock.now(), user_id, occasion=occasion, message=message, address=address)
    contact = await contact_of(tx, user_id)
    if contact is None:
        return
    await post(
        portal,
        tx,
        key=occasion,
        to=contact.email,
        template=template,
        language=contact.language,
        name=contact.display_name,
        order_url=f"{portal.settings.portal.url}{address}",
    )
