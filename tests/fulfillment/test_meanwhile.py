"""What staff and other writers do to an order in Salesforce in the middle of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from portico.fulfillment import steps
from portico.fulfillment.runs import run_order
from portico.orders.checkout import place_order
from tests.fixtures.until import until
from tests.fulfillment.test_salesforce_calls import calls
from tests.orders.shop import ESIM, SUPPORT, Shop


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Awaitable[Any]]], None]:
    """Every step takes so long that what was read is old; after the named one, something else happens."""
    monkeypatch.setattr(steps, "FRESH_SECONDS", 0.0)

    def happens_after(name: str, something: Callable[[], Awaitable[Any]]) -> None:
        step = getattr(steps, name)

        async def and_then(*args: Any) -> None:
            await step(*args)
            await something()

        monkeypatch.setattr(steps, name, and_then)

    return happens_after


async def test_withdrawn_right_before_it_is_billed(shop: Shop, slow: Any) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.heard(order_id)
    slow("check_payment_method", lambda: shop.sandbox.press("salesforce", "cancel-order", order=order_id))
    await shop.run_until(order_id, "waiting_staff")
    assert await shop.told(order_id) == ("On Hold", "ORDER_WITHDRAWN")
    assert (await shop.made())["AddOrder"] == 0


async def test_withdrawn_right_before_a_line_is_activated(shop: Shop, slow: Any) -> None:
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    slow("accept_billing_order", lambda: shop.sandbox.press("salesforce", "cancel-order", order=order_id))
    await shop.run_until(order_id, "waiting_staff")
    assert await shop.told(order_id) == ("On Hold", "ORDER_WITHDRAWN")
    made = await shop.made()
    assert (made["AddOrder"], made["PA05-41 addAcnt"]) == (1, 0)


async def test_a_number_corrected_right_before_its_activation_is_the_one_activated(shop: Shop, slow: Any) -> None:
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    (plan, _) = (await shop.order(order_id)).items
    slow("accept_billing_order", lambda: shop.correct("OrderItem", plan.id, "Line_Number__c", "07020007777"))
    await shop.run_until(order_id, "done")
    assert [line["reference"] for line in await shop.sandbox.ledger("freebit")] == ["07020007777"]


async def test_a_status_is_written_once_the_order_s_row_is_free(shop: Shop) -> None:
    """Another process of the org holds the row: nothing was written, so that it is tried again, within the same run."""
    order_id = await shop.approved(SUPPORT)
    await shop.heard(order_id)
    written = len(await shop.sandbox.ledger("salesforce", "update Order"))
    before = calls()
    await shop.sandbox.press("salesforce", "lock-row", record=order_id, seconds=3600)
    run = asyncio.create_task(run_order(shop.portal, order_id))
    await until(lambda: calls()["update Order"] - before["update Order"] >= 3)
    assert len(await shop.sandbox.ledger("salesforce", "update Order")) == written
    assert (await shop.made())["AddOrder"] == 0
    await shop.sandbox.press("salesforce", "lock-row", record=order_id, seconds=0)
    await run
    assert (await shop.journal(order_id)).state == "done"
    assert await shop.told(order_id) == ("Completed", None)
    assert len(await shop.sandbox.ledger("salesforce", "update Order")) == written + 2, "In Progress and Completed"


async def test_an_order_is_placed_once_when_its_account_s_row_is_free(shop: Shop) -> None:
    await shop.fill(SUPPORT)
    before = calls()
    await shop.sandbox.press("salesforce", "lock-row", record=shop.person.sf_account_id, seconds=3600)
    placing = asyncio.create_task(place_order(shop.portal, shop.customer))
    await until(lambda: calls()["create Order"] - before["create Order"] >= 3)
    assert (await shop.made())["create Order"] == 0
    await shop.sandbox.press("salesforce", "lock-row", record=shop.person.sf_account_id, seconds=0)
    assert (await placing).order_id is not None
    assert (await shop.made())["create Order"] == 1
