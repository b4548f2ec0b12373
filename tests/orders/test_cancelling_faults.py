"""Cancelling while answers are lost, processes die and staff approve in between: one of the two, never both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from portico.fulfillment.runs import run_order
from portico.orders import timeline
from portico.orders.cancellation import resume, sweep
from portico.systems.salesforce.client import Salesforce
from tests.fixtures.browser import Browser
from tests.fixtures.until import until
from tests.orders.shop import SUPPORT, Shop
from tests.orders.test_cancelling import is_cancelled_once, is_untouched, of

PATCH = "PATCH row"
Act = Callable[[], Awaitable[None]]


async def resumed(shop: Shop) -> None:
    """What the job does, each time after a quiet period, until it is settled; and once more, which does no harm."""

    async def is_settled() -> bool:
        shop.later(5)
        for row in await shop.rows("SELECT id FROM creations WHERE kind = 'sf_order_cancellation'"):
            await resume(shop.portal, row["id"])
        return not await shop.rows("SELECT 1 FROM journal WHERE step = 'cancelled' AND state = 'running'")

    await until(is_settled)
    await is_settled()


async def lost(shop: Shop, alice: httpx2.AsyncClient, mode: str = "error") -> tuple[str, str]:
    """An order whose cancellation has no outcome yet: its id and the operation's."""
    order_id = await shop.place(SUPPORT)
    await shop.sandbox.dial("salesforce", mode, call=PATCH)
    answer = await alice.post(of(order_id))
    assert answer.status_code == 202, answer.text
    return order_id, answer.json()["operation_id"]


@pytest.fixture
def around_the_write(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What happens in Salesforce just before and just after our write of the Status."""

    def set_up(*, before: Act | None = None, after: Act | None = None) -> None:
        update = Salesforce.update

        async def written(self: Salesforce, entity: str, record_id: str, values: Any, *, name: str) -> None:
            is_ours = name == "cancel Order"
            if is_ours and before:
                await before()
            await update(self, entity, record_id, values, name=name)
            if is_ours and after:
                await after()

        monkeypatch.setattr(Salesforce, "update", written)

    return set_up


@pytest.mark.parametrize("mode", ["commit_then_hang", "error", "down", "malformed"])
async def test_an_answer_that_is_lost_once(shop: Shop, alice: httpx2.AsyncClient, mode: str) -> None:
    """Looked at again within the request: the customer gets the answer, not a promise."""
    order_id = await shop.place(SUPPORT)
    await shop.sandbox.dial("salesforce", mode, call=PATCH, times=1)
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled"), answer.text
    await is_cancelled_once(shop, order_id)


@pytest.mark.parametrize("mode", ["error", "down"])
async def test_the_outcome_is_not_known_at_the_deadline(
    shop: Shop, client: Browser, alice: httpx2.AsyncClient, mode: str
) -> None:
    client.client.cookies.update(alice.cookies)
    order_id, operation = await lost(shop, alice, mode)
    said = (await alice.get(f"/api/v1/operations/{operation}")).json()
    assert (said["state"], said["order_id"]) == ("running", order_id)
    assert "We are cancelling your order" in (await client.visit(f"/orders/{order_id}")).text
    assert "do not repeat" in (await client.visit(f"/orders/{order_id}/cancellation", expect=202)).text
    pressed = await client.post(f"/orders/{order_id}/cancellation")
    assert pressed.headers["location"] == f"/orders/{order_id}/cancellation"
    await shop.sandbox.undial()
    await resumed(shop)
    assert (await alice.get(f"/api/v1/operations/{operation}")).json()["state"] == "done"
    await is_cancelled_once(shop, order_id)
    assert await sweep(shop.portal) == 0


async def test_approved_while_the_outcome_is_not_known(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """Nothing is set up until it is known; then the approval counts, and the customer is told."""
    order_id, operation = await lost(shop, alice)
    await shop.sandbox.undial()
    await shop.sandbox.press("salesforce", "approve-order", order=order_id)
    await shop.heard(order_id)
    await run_order(shop.portal, order_id)
    journal = await shop.journal(order_id)
    assert (journal.state, journal.reason_code) == ("waiting_system", "CANCELLATION_UNDER_WAY")
    assert (await shop.made())["AddOrder"] == 0
    await resumed(shop)
    said = (await alice.get(f"/api/v1/operations/{operation}")).json()
    assert said["state"] == "refused" and "approved already" in said["message"]
    (mail,) = await shop.rows("SELECT subject, body FROM mails WHERE key LIKE 'order-not-cancelled:%'")
    assert "could not be cancelled" in mail["subject"] and f"/orders/{order_id}" in mail["body"]
    await is_untouched(shop, order_id)
    await shop.run_until(order_id, "done")
    assert (await shop.made())["AddOrder"] == 1


async def test_approved_between_our_look_and_our_write(
    shop: Shop, alice: httpx2.AsyncClient, around_the_write: Callable[..., None]
) -> None:
    """Salesforce lets our write take the approval back: then nothing may have begun, and nothing ever begins."""
    order_id = await shop.place(SUPPORT)

    async def approve() -> None:
        await shop.sandbox.press("salesforce", "approve-order", order=order_id)
        await shop.heard(order_id)
        await run_order(shop.portal, order_id)
        assert (await shop.journal(order_id)).reason_code == "CANCELLATION_UNDER_WAY"

    around_the_write(before=approve)
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    await shop.heard(order_id)
    shop.later(60)
    await run_order(shop.portal, order_id)
    assert (await shop.journal(order_id)).reason_code == "CANCELLED_BY_CUSTOMER"
    await is_cancelled_once(shop, order_id)


async def test_approved_between_our_write_and_our_second_look(
    shop: Shop, alice: httpx2.AsyncClient, around_the_write: Callable[..., None]
) -> None:
    order_id = await shop.place(SUPPORT)

    async def approve() -> None:
        await shop.sandbox.press("salesforce", "approve-order", order=order_id)

    around_the_write(after=approve)
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["code"]) == (409, "order_approved")
    await is_untouched(shop, order_id)
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")


async def test_cancelled_by_staff_while_ours_is_under_way(
    shop: Shop, alice: httpx2.AsyncClient, around_the_write: Callable[..., None]
) -> None:
    order_id = await shop.place(SUPPORT)

    async def cancel() -> None:
        await shop.sandbox.press("salesforce", "cancel-order", order=order_id)
        await shop.heard(order_id)

    around_the_write(before=cancel)
    assert (await alice.post(of(order_id))).status_code == 200
    await shop.heard(order_id)
    await is_cancelled_once(shop, order_id)


async def test_fulfillment_waits_for_who_is_just_asking(shop: Shop) -> None:
    """The row of the approval is not made between the cancellation's look for it and its intent."""
    order_id = await shop.approved(SUPPORT)
    holds, goes_on = asyncio.Event(), asyncio.Event()

    async def asks() -> None:
        async with shop.portal.db.begin() as tx:
            await timeline.lock(tx, order_id)
            holds.set()
            await goes_on.wait()
            assert (await timeline.journal_of(tx, order_id)).state is None
            await timeline.note_cancellation(tx, order_id, "running", shop.portal.clock.now(), actor="customer")

    asking = asyncio.create_task(asks())
    await holds.wait()
    begins = asyncio.create_task(shop.heard(order_id))
    await until(lambda: shop.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
    goes_on.set()
    await asyncio.gather(asking, begins)
    await run_order(shop.portal, order_id)
    assert (await shop.journal(order_id)).reason_code == "CANCELLATION_UNDER_WAY"


async def test_approval_and_cancellation_at_once(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """However it ends, it is one of the two."""
    for _ in range(4):
        order_id = await shop.place(SUPPORT)
        made = (await shop.made())["AddOrder"]
        answer, *_ = await asyncio.gather(alice.post(of(order_id)), _approved_and_begun(shop, order_id))
        cancelled = (await shop.order(order_id)).stage == "cancelled"
        shop.later(60)
        await run_order(shop.portal, order_id)
        if answer.status_code == 200 or cancelled:
            assert (await shop.made())["AddOrder"] == made, "a cancelled order is not fulfilled"
        else:
            assert answer.json()["code"] == "order_approved"
            await shop.run_until(order_id, "done")


async def _approved_and_begun(shop: Shop, order_id: str) -> None:
    await shop.sandbox.press("salesforce", "approve-order", order=order_id)
    await shop.heard(order_id)
    await run_order(shop.portal, order_id)


@pytest.mark.parametrize("mode", ["down", "error", "malformed"])
async def test_salesforce_is_away(shop: Shop, client: Browser, alice: httpx2.AsyncClient, mode: str) -> None:
    """Nothing was asked of it: try again, also on the page."""
    client.client.cookies.update(alice.cookies)
    order_id = await shop.place(SUPPORT)
    asking = await client.visit(f"/orders/{order_id}/cancellation")
    await shop.sandbox.dial("salesforce", mode, call="query")
    assert (await alice.post(of(order_id))).status_code in (502, 503)
    action = f"/orders/{order_id}/cancellation"
    again = await client.submit(asking, action, expect=503 if mode != "malformed" else 502)
    await shop.sandbox.undial()
    await is_untouched(shop, order_id)
    assert "Please try again later" in again.text
    await until(lambda: _redirects(client, action))  # once our door asks Salesforce again
    await is_cancelled_once(shop, order_id)


async def _redirects(client: Browser, action: str) -> bool:
    return (await client.post(action)).status_code == 303


async def test_a_rule_of_the_org_is_against_it(shop: Shop, alice: httpx2.AsyncClient) -> None:
    order_id = await shop.place(SUPPORT)
    await shop.sandbox.dial("salesforce", "refuse", call=PATCH, code="FIELD_CUSTOM_VALIDATION_EXCEPTION", times=1)
    answer = await alice.post(of(order_id))
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_cancellable")
    await is_untouched(shop, order_id)
    assert (await alice.post(of(order_id))).status_code == 200, "asked again, once the rule is gone"


async def test_salesforce_takes_no_calls_for_the_write(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """Refused at the door: certainly nothing was written, so that nothing is left to be found out."""
    order_id = await shop.place(SUPPORT)
    await shop.sandbox.dial("salesforce", "refuse", call=PATCH, code="REQUEST_LIMIT_EXCEEDED")
    answers = await asyncio.gather(*(alice.post(of(order_id)) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {503}
    await is_untouched(shop, order_id)
    await shop.sandbox.undial()
    assert (await alice.post(of(order_id))).status_code == 200
    await is_cancelled_once(shop, order_id)


async def test_the_sweep_finds_what_nobody_carries_on(shop: Shop, alice: httpx2.AsyncClient) -> None:
    order_id, _ = await lost(shop, alice)
    await shop.sandbox.undial()
    await shop.rows("DELETE FROM procrastinate_jobs RETURNING id")
    assert await sweep(shop.portal) == 0  # its own job is not due yet
    shop.later(30)
    assert await sweep(shop.portal) == 1
    await resumed(shop)
    await is_cancelled_once(shop, order_id)
    assert await sweep(shop.portal) == 0


async def test_a_process_that_died_before_it_told(shop: Shop, alice: httpx2.AsyncClient) -> None:
    """The order is cancelled and recorded so; its news are still to come, once."""
    order_id, _ = await lost(shop, alice)
    await shop.sandbox.undial()
    await shop.sandbox.press("salesforce", "cancel-order", order=order_id)
    await shop.rows(
        "UPDATE creations SET state = 'done', wake_at = NULL WHERE kind = 'sf_order_cancellation' RETURNING id"
    )
    shop.later(30)
    assert await sweep(shop.portal) == 1
    await resumed(shop)
    await is_cancelled_once(shop, order_id)
    (row,) = await shop.rows("SELECT action FROM audit WHERE action LIKE 'order%'")
    assert row["action"] == "order.cancelled"
