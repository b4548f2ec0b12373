"""Cancelling an order: only one that waits for review, and looked at again afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from portico.customer import SfAccountId
from portico.errors import PorticoError, SystemDown, SystemRefused, SystemSurprised
from portico.systems.http import deadline
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.errors import SYSTEM
from portico.systems.salesforce.order_types import Order
from portico.systems.salesforce.orders import get_order

APPROVED = "APPROVED"
NOT_IN_REVIEW = "NOT_IN_REVIEW"

WRITES = 2
"""The second one where the first is lost and has not arrived: that it does no harm is all that is known of it."""
_SHARE_OF_TIME = 0.6
"""Of what is left until the caller's deadline, for the write; the rest is for looking at what came of it."""


class NotInReview(SystemRefused):
    """The order does not wait for review (any more): `vendor_code` is APPROVED or NOT_IN_REVIEW."""

    def __init__(self, order: Order) -> None:
        super().__init__(SYSTEM, APPROVED if order.is_approved else NOT_IN_REVIEW, f"its status is {order.status}")


async def cancel_order(sf: Salesforce, account_id: SfAccountId, order_id: str) -> None:
    """Sets the Status, and nothing else, of an order of this account that waits for review at this moment.

    One that is cancelled already stays so: repeating does no harm. Salesforce has no conditional write of an order
    (reference salesforce.md 2.7), so that an approval between our look and our write is overwritten; nobody may have
    begun with the order until this has answered. Raises NotFound (unknown or somebody else's) and NotInReview;
    SystemRefused where the org has a rule against it; SystemDown(sent=False) where nothing was written, with sent=True,
    or SystemSurprised, where nobody knows.
    """
    order = await _before(sf, account_id, order_id)
    if order.stage == "cancelled":
        return
    if order.stage != "in_review":
        raise NotInReview(order)
    earlier: PorticoError | None = None
    for _ in range(WRITES):
        lost = await _written(sf, order)
        if isinstance(lost, SystemDown) and not lost.sent:
            raise earlier or lost
        order = await get_order(sf, account_id, order_id)
        if order.stage == "cancelled":
            return
        if lost is None or (isinstance(lost, SystemRefused) and order.is_approved):
            raise NotInReview(order)
        if order.stage != "in_review" or isinstance(lost, SystemRefused):
            raise lost  # one that was lost may still arrive
        earlier = lost
    raise earlier or SystemDown(SYSTEM, "not written")


async def _before(sf: Salesforce, account_id: SfAccountId, order_id: str) -> Order:
    try:
        return await get_order(sf, account_id, order_id)
    except (SystemDown, SystemSurprised) as error:  # of the look before: nothing was written yet
        raise SystemDown(SYSTEM, error.note, sent=False) from error


async def _written(sf: Salesforce, order: Order) -> PorticoError | None:
    """Why it may not be written; None where Salesforce says that it is."""
    with _time_left_to_look():
        try:
            values = {"Status": sf.settings.order_status_cancelled}
            await sf.update("Order", order.id, values, name="cancel Order")
        except (SystemDown, SystemSurprised, SystemRefused) as error:
            return error
    return None


@contextmanager
def _time_left_to_look() -> Iterator[None]:
    until, now = deadline.get(), asyncio.get_running_loop().time()
    token = deadline.set(None if until is None else now + (until - now) * _SHARE_OF_TIME)
    try:
        yield
    finally:
        deadline.reset(token)
