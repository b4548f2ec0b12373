"""A customer cancels an order that waits for approval: once, told once, and never one that is approved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from portico.app import build_portal, running
from portico.fulfillment.runs import run_order
from portico.orders.live import Live
from portico.orders.orders import order_with_journal
from portico.orders.progress import Progress, progress_of
from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.browser import Browser
from tests.orders.shop import ESIM, KEN, SUPPORT, VPN, Shop, known
from tests.orders.test_live import next_step

CANCELLED = "order-cancelled:"


def of(order_id: str) -> str:
    return f"/api/v1/orders/{order_id}/cancellation"


async def progress(shop: Shop, order_id: str) -> Progress:
    return progress_of(await order_with_journal(shop.portal, shop.customer, order_id), "smdp.example")


async def is_cancelled_once(shop: Shop, order_id: str, *, by: str = "Cancelled by you") -> None:
    """In Salesforce, in the timeline, told once; nothing made anywhere, the cart as it was."""
    order = await shop.order(order_id)
    assert (order.status, order.status_code, order.stage) == ("Cancelled", "Draft", "cancelled")
    last = (await progress(shop, order_id)).steps[-1]
    assert (last.step, str(last.title), last.state) == ("cancelled", by, "done") and last.at is not None
    mails = await shop.rows("SELECT key FROM mails WHERE key LIKE 'order-cancelled:%'")
    notices = await shop.rows("SELECT occasion FROM notices WHERE occasion LIKE 'order-cancelled:%'")
    assert (len(mails), len(notices)) == (1, 1)
    assert await shop.made() == {"create Order": 1, "create OrderItem": len(order.items)}, "no billing, no network"


async def is_untouched(shop: Shop, order_id: str) -> None:
    """Nothing is left of the wish, so that it can be had again."""
    assert "cancelled" not in (await shop.journal(order_id)).steps
    assert await shop.rows("SELECT * FROM creations WHERE kind = 'sf_order_cancellation' AND state <> 'refused'") == []
    assert await shop.rows("SELECT * FROM mails WHERE key LIKE 'order-cancelled:%'") == []


async def test_by_the_api(shop: Shop, alice: httpx2.AsyncClient) -> None:
    order_id = await shop.place(ESIM)
    await shop.fill(VPN)
    cart = (await alice.get("/api/v1/cart")).json()
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled"), answer.text
    assert [step["step"] for step in answer.json()["timeline"]] == ["placed", "cancelled"]
    await is_cancelled_once(shop, order_id)
    assert (await alice.get(f"/api/v1/orders/{order_id}")).json()["status"] == "cancelled"
    assert (await alice.get("/api/v1/orders")).json()["items"][0]["status"] == "cancelled"
    assert (await alice.get("/api/v1/cart")).json() == cart
    (row,) = await shop.rows("SELECT actor, object FROM audit WHERE action = 'order.cancelled'")
    assert row == {"actor": str(shop.customer.user_id), "object": f"order {order_id}"}


async def test_by_the_pages(shop: Shop, client: Browser, alice: httpx2.AsyncClient) -> None:
    client.client.cookies.update(alice.cookies)
    order_id = await shop.place(SUPPORT)
    page = await client.visit(f"/orders/{order_id}")
    assert any(link.endswith(f"/orders/{order_id}/cancellation") for link in page.links)
    asking = await client.visit(f"/orders/{order_id}/cancellation")
    assert "you pay nothing" in asking.text
    done = await client.submit(asking, f"/orders/{order_id}/cancellation")
    assert done.url.endswith(f"/orders/{order_id}") and "Cancelled by you" in done.text
    assert not any(link.endswith("/cancellation") for link in done.links)
    assert (await client.visit(f"/orders/{order_id}/cancellation")).url.endswith(f"/orders/{order_id}")
    await is_cancelled_once(shop, order_id)


async def test_pressed_again(shop: Shop, alice: httpx2.AsyncClient) -> None:
    order_id = await shop.place(SUPPORT)
    for _ in range(3):
        answer = await alice.post(of(order_id))
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    await is_cancelled_once(shop, order_id)


async def test_pressed_eight_times_at_once(shop: Shop, alice: httpx2.AsyncClient) -> None:
    order_id = await shop.place(SUPPORT)
    answers = await asyncio.gather(*(alice.post(of(order_id)) for _ in range(8)))
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(200, "cancelled")}
    await is_cancelled_once(shop, order_id)
    written = [line for line in await shop.sandbox.ledger() if line["effect"] == "update Order"]
    assert len(written) == 1, "one write, the other clicks waited for it"


async def test_an_approved_order_is_not_cancelled(shop: Shop, client: Browser, alice: httpx2.AsyncClient) -> None:
    client.client.cookies.update(alice.cookies)
    order_id = await shop.place(SUPPORT)
    asking = await client.visit(f"/orders/{order_id}/cancellation")
    await shop.sandbox.press("salesforce", "approve-order", order=order_id)
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["code"]) == (409, "order_approved")
    late = await client.submit(asking, f"/orders/{order_id}/cancellation", expect=409)
    assert "approved already" in late.text and any(
        link.endswith(f"/support/new?order={order_id}") for link in late.links
    )
    assert "approved already" in (await client.visit(f"/orders/{order_id}/cancellation")).text
    await is_untouched(shop, order_id)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert (await alice.post(of(order_id))).json()["code"] == "order_approved"


async def test_fulfillment_has_begun_and_approval_was_taken_back(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """A draft again, but something may have been made: only staff can say what becomes of it."""
    order_id = await shop.approved(SUPPORT)
    await shop.heard(order_id)
    await shop.correct("Order", order_id, "Status", "Pending Review")
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["code"]) == (409, "order_approved")


async def test_a_status_that_only_staff_know(shop: Shop, alice: httpx2.AsyncClient) -> None:
    order_id = await shop.place(SUPPORT)
    await shop.correct("Order", order_id, "Status", "Draft")
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_cancellable")
    await is_untouched(shop, order_id)


async def test_staff_were_first(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """Cancelled is cancelled: a success, and said by whom."""
    order_id = await shop.place(SUPPORT)
    await shop.sandbox.press("salesforce", "cancel-order", order=order_id)
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["timeline"][-1]["by"] == "Our staff"
    for _ in range(2):
        await shop.heard(order_id)
    await is_cancelled_once(shop, order_id, by="Cancelled by our staff")
    assert await shop.rows("SELECT * FROM audit WHERE action = 'order.cancelled'") == []


async def test_reinstated_by_staff(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """Back in review, it can be approved, or cancelled again."""
    order_id = await shop.place(SUPPORT)
    for again in (1, 2):
        assert (await alice.post(of(order_id))).status_code == 200
        assert len(await shop.rows("SELECT * FROM mails WHERE key LIKE 'order-cancelled:%'")) == again
        await shop.correct("Order", order_id, "Status", "Pending Review")
        await shop.heard(order_id)
        await is_untouched_line(shop, order_id)
    await shop.sandbox.press("salesforce", "approve-order", order=order_id)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")


async def is_untouched_line(shop: Shop, order_id: str) -> None:
    await shop.portal.cache.retire()  # what the change event does
    assert "cancelled" not in (await shop.journal(order_id)).steps
    assert (await progress(shop, order_id)).status.code == "waiting_for_approval"


async def test_approved_after_the_customer_cancelled(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """A stale page of a member of staff: nothing is set up, and Salesforce says why; Pending lets it go on."""
    order_id = await shop.place(SUPPORT)
    await alice.post(of(order_id))
    await shop.sandbox.press("salesforce", "approve-order", order=order_id)
    await shop.heard(order_id)
    await shop.run_until(order_id, "parked")
    assert await shop.told(order_id) == ("Failed", "CANCELLED_BY_CUSTOMER")
    assert (await shop.made())["AddOrder"] == 0
    await shop.correct("Order", order_id, "Fulfillment_Status__c", "Pending")
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    assert (await shop.made())["AddOrder"] == 1


async def test_somebody_elses_order(shop: Shop, alice: httpx2.AsyncClient) -> None:
    other = Shop(shop.portal, shop.sandbox, await known(shop.portal, KEN), KEN)
    order_id = await other.place(SUPPORT)
    theirs, nobodys = await alice.post(of(order_id)), await alice.post(of("801000000000001AAA"))
    assert (theirs.status_code, theirs.json()["code"]) == (nobodys.status_code, nobodys.json()["code"])
    assert (theirs.status_code, theirs.json()["code"]) == (404, "not_found")
    assert (await other.order(order_id)).stage == "in_review"


async def test_an_order_whose_id_is_not_known_yet(shop: Shop, client: Browser, alice: httpx2.AsyncClient) -> None:
    client.client.cookies.update(alice.cookies)
    await shop.fill(SUPPORT)
    await shop.sandbox.dial("salesforce", "commit_then_hang", call="composite", times=1)
    placed = await alice.post("/api/v1/orders", json={}, headers={"idempotency-key": "one"})
    pending = f"pending-{placed.json()['operation_id']}"
    answer = await alice.post(of(pending))
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_known_yet")
    assert "nothing to cancel yet" in (await client.visit(f"/orders/{pending}/cancellation")).text
    assert (await alice.post(of("pending-801000000000001AAA"))).status_code == 404
    shop.later(5)
    (placement,) = await shop.finish_placement()
    assert (await alice.post(of(pending))).json()["id"] == placement["order_id"]
    await is_cancelled_once(shop, placement["order_id"])


@pytest_asyncio.fixture(loop_scope="session")
async def live_portal(settings: Settings) -> AsyncIterator[tuple[Portal, Live]]:
    built = build_portal(settings)
    live = Live(built.notices)
    async with running(built) as portal:
        yield portal, live


@pytest.mark.parametrize("by", ["customer", "staff"])
async def test_whoever_looks_at_the_order_sees_it(
    shop: Shop, alice: httpx2.AsyncClient, live_portal: tuple[Portal, Live], by: str
) -> None:
    """The stream of its page wakes, also when the news comes from Salesforce."""
    order_id = await shop.place(SUPPORT)
    portal, live = live_portal
    start = max(step.change for step in (await shop.journal(order_id)).steps.values())
    lines = live.steps(portal, shop.customer.user_id, order_id, start)
    heard: asyncio.Task[Any] = asyncio.create_task(next_step(lines))
    if by == "customer":
        await alice.post(of(order_id))
    else:
        await shop.sandbox.press("salesforce", "cancel-order", order=order_id)
        await shop.heard(order_id)
    assert (await heard)[1] == "cancelled"


async def test_a_run_of_a_cancelled_order_sets_up_nothing(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """The row of the approval was made, and the cancellation was first all the same."""
    order_id = await shop.place(SUPPORT)
    await alice.post(of(order_id))
    await shop.rows(
        "INSERT INTO fulfillments (order_id, sf_account_id, state, wake_at, approved_at, updated_at)"
        " VALUES (:id, :account, 'running', :now, :now, :now) RETURNING order_id",
        id=order_id, account=shop.customer.sf_account_id, now=shop.portal.clock.now(),
    )  # fmt: skip
    await run_order(shop.portal, order_id)
    assert (await shop.journal(order_id)).reason_code == "CANCELLED_BY_CUSTOMER"
    assert (await progress(shop, order_id)).status.code == "cancelled"
    assert (await shop.made())["AddOrder"] == 0
