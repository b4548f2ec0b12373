"""From approval to completion by listener and worker, and nothing called by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from portico import work
from portico.events.listener import listen
from portico.fulfillment import triggers
from portico.orders.orders import order_with_journal
from portico.portal import Portal
from tests.fixtures.until import until
from tests.orders.shop import ESIM, SUPPORT, Shop


@pytest_asyncio.fixture(loop_scope="session")
async def listener(portal: Portal, shop: Shop) -> AsyncIterator[None]:
    """Leads and has its position, so that what happens from now on is heard."""
    # Salesforce speaks as soon as a stream is open, not after its 270 s.
    await shop.sandbox.press("salesforce", "turn-knob", name="keepalive_seconds", value="0.2")
    stopping = asyncio.Event()
    running = asyncio.create_task(listen(portal, stopping), name="listener")
    await until(lambda: shop.rows("SELECT 1 FROM change_position WHERE heard_at IS NOT NULL"))
    yield
    stopping.set()
    await running


@pytest.mark.usefixtures("worker", "listener")
async def test_from_the_approval_to_the_line(shop: Shop) -> None:
    order_id = await shop.approved(ESIM)
    await until(lambda: _is_done(shop, order_id))
    made = await shop.made()
    assert (made["AddOrder"], made["AcceptOrder"], made["PA05-41 addAcnt"]) == (1, 1, 1)


@pytest.mark.usefixtures("worker", "listener")
async def test_a_phone_number_is_put_on_the_item(shop: Shop) -> None:
    """A change of the order item alone wakes its order, at once and not at the next look."""
    order_id = await shop.approved(ESIM, numbered=False)
    await until(lambda: _is_told(shop, order_id, "LINE_NUMBER_MISSING"))
    await shop.give_number(order_id)
    await until(lambda: _is_done(shop, order_id))


@pytest.mark.usefixtures("worker", "listener")
async def test_staff_cancel_an_order(shop: Shop) -> None:
    """The event alone brings it into the order's page and stream, and tells the customer, once."""
    order_id = await shop.place(SUPPORT)
    await shop.sandbox.dial("pubsub", "duplicate_events")
    assert (await order_with_journal(shop.portal, shop.customer, order_id)).order.stage == "in_review"
    await shop.sandbox.press("salesforce", "cancel-order", order=order_id)
    await until(lambda: _is_cancelled(shop, order_id))
    assert (await order_with_journal(shop.portal, shop.customer, order_id)).order.stage == "cancelled"
    (mail,) = await shop.rows("SELECT subject FROM mails WHERE key LIKE 'order-cancelled:%'")
    assert mail["subject"] == "Your order was cancelled"
    assert len(await shop.rows("SELECT 1 FROM notices")) == 1


@pytest.mark.usefixtures("worker", "listener")
async def test_every_event_twice(shop: Shop) -> None:
    await shop.sandbox.dial("pubsub", "duplicate_events")
    orders = [await shop.approved(SUPPORT) for _ in range(3)]
    await until(lambda: _are_done(shop, orders))
    made = await shop.made()
    assert (made["AddOrder"], made["AcceptOrder"]) == (3, 3)


@pytest.mark.usefixtures("listener")
async def test_every_event_lost(shop: Shop) -> None:
    """The reconciliation poll finds what no event told of."""
    await shop.sandbox.dial("pubsub", "drop_events")
    orders = [await shop.approved(SUPPORT) for _ in range(2)]
    assert await shop.rows("SELECT * FROM inbox") == []
    await triggers.poll(shop.portal)
    for order_id in orders:
        await shop.run_until(order_id, "done")
    assert "poll_approved_orders" in work.jobs.tasks


async def _is_cancelled(shop: Shop, order_id: str) -> bool:
    line = (await shop.journal(order_id)).steps.get("cancelled")
    return line is not None and (line.state, line.actor) == ("done", "salesforce")


async def _are_done(shop: Shop, order_ids: list[str]) -> bool:
    return all([await _is_done(shop, order_id) for order_id in order_ids])


async def _is_done(shop: Shop, order_id: str) -> bool:
    if (await shop.journal(order_id)).state == "waiting_freebit":
        await shop.finish_activations(order_id)
    return await shop.told(order_id) == ("Completed", None)


async def _is_told(shop: Shop, order_id: str, code: str) -> bool:
    return (await shop.told(order_id))[1] == code
