"""What the customer is told of a run's end: a notice always, a mail where they need not be looking."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from portico.customer import Customer
from portico.fulfillment.outcomes import Outcome
from portico.i18n import _m
from portico.identity.contacts import contact_of
from portico.notifications.notices import tell
from portico.portal import Portal
from portico.post import post

COMPLETE = _m("Your order is complete.")
NEEDS_YOU = _m("Your order needs you: it waits for something that only you can do.")


async def tell_customer(
    portal: Portal, tx: AsyncConnection, customer: Customer, order_id: str, outcome: Outcome
) -> None:
    """In the transaction in which the run rests; once per order and reason."""
    if outcome.state not in ("done", "waiting_customer"):
        return
    occasion = f"order:{order_id}:{outcome.code or 'complete'}"
    message = COMPLETE if outcome.state == "done" else NEEDS_YOU
    address = f"/orders/{order_id}"
    now = portal.clock.now()
    if not await tell(tx, now, customer.user_id, occasion=occasion, message=message, address=address):
        return
    contact = await contact_of(tx, customer.user_id)
    if contact is None:
        return
    await post(
        portal,
        tx,
        key=occasion,
        to=contact.email,
        template="fulfillment/complete.txt" if outcome.state == "done" else "fulfillment/needs_you.txt",
        language=contact.language,
        name=contact.display_name,
        order_url=f"{portal.settings.portal.url}{address}",
    )
