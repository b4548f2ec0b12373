"""The watermark sweep: a lost event is found, counted and made up for; what was told is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from portico.app import REACTIONS
from portico.catalog.products import eligibility_of, products
from portico.customer import Customer
from portico.events import drain, sweep
from portico.fulfillment.triggers import poll
from portico.orders.orders import orders_of
from portico.systems.salesforce.changed_records import WATCHED
from tests.caching import somebody
from tests.events.office import SKU, Office
from tests.fixtures.until import until
from tests.fulfillment.test_salesforce_calls import calls

QUARTER, MINUTE = 0.25, 1 / 60


@dataclass
class Shop:
    """A customer who looks at things, while the stream is healthy and tells nothing."""

    office: Office
    customer: Customer

    async def sees(self) -> tuple[Any, Any, Any]:
        """Price, eligibility, and the states of the orders: as the portal shows them."""
        portal = self.office.portal
        [price] = [one.price.amount for one in (await products(portal)).value if one.sku == SKU]
        allowed = (await eligibility_of(portal, self.customer)).value.names
        orders = (await orders_of(portal, self.customer)).value
        return price, allowed, sorted(order.status_code for order in orders)

    async def sweep(self) -> int:
        """As the jobs do."""
        found = await sweep.sweep(self.office.portal)
        while await drain.drain(self.office.portal):
            pass
        return found

    async def later(self, hours: float) -> None:
        """The clock is moved, and the stream has been heard since: copies are trusted."""
        portal = self.office.portal
        before = portal.clock.now()
        await self.office.sandbox.move_clock(hours)
        await until(lambda: (portal.clock.now() - before).total_seconds() >= hours * 3600)

        async def is_heard() -> bool:
            heard_at = (await self.office.position())["heard_at"]
            return bool((portal.clock.now() - heard_at).total_seconds() < 60)

        await until(is_heard)
        portal.cache._stream._looked_at = float("-inf")

    async def fulfillments(self) -> list[str]:
        return [row["order_id"] for row in await self.office.rows("SELECT order_id FROM fulfillments")]


@pytest_asyncio.fixture(loop_scope="session")
async def shop(office: Office, world: dict[str, Any]) -> Any:
    """Every event is lost; the marks of the sweep are set."""
    drain.register(REACTIONS)
    await office.sandbox.press("salesforce", "turn-knob", name="keepalive_seconds", value="0.1")
    await office.sandbox.dial("pubsub", "drop_events", call="*")
    async with office.listening():
        await sweep.sweep(office.portal)
        yield Shop(office, somebody(account=world["customers"]["ready"][0]["sf_account_id"]))


async def test_an_hour_without_events_is_healed_by_the_sweep_alone(shop: Shop, redis_url: str) -> None:
    office = shop.office
    order_id = await office.order(shop.customer.sf_account_id)
    before = await shop.sees()
    await office.sandbox.press("salesforce", "approve-order", order=order_id)
    await office.sandbox.press("salesforce", "change-price", sku=SKU, net="777")
    await office.sandbox.press(
        "salesforce", "change-eligibility", account=shop.customer.sf_account_id, eligibility="Internet"
    )
    await shop.later(1)
    if redis_url:
        assert await shop.sees() == before, "nobody has told"
    assert await office.rows("SELECT 1 FROM inbox") == []
    found = await shop.sweep()
    price, allowed, states = await shop.sees()
    assert (price, allowed) == (777, {"Internet"}) and states.count("Activated") == before[2].count("Activated") + 1
    assert order_id in await shop.fulfillments()
    kinds = {row["kind"] for row in await office.rows("SELECT kind FROM inbox WHERE body ->> 'change' = 'SWEPT'")}
    assert kinds >= {"Account", "PricebookEntry", "Order"} and found >= 4
    await shop.later(QUARTER)
    assert await shop.sweep() == 0, "each is found once"


async def test_the_poll_alone_finds_approved_orders(shop: Shop) -> None:
    order_id = await shop.office.approved_order(shop.customer.sf_account_id)
    await shop.later(1)
    await poll(shop.office.portal)
    assert order_id in await shop.fulfillments()
    assert shop.office.portal.settings.fulfillment.poll_seconds == 120


async def test_a_sweep_comes_every_quarter_of_an_hour(shop: Shop) -> None:
    """By the portal's clock; the job looks every ten seconds."""
    await shop.office.sandbox.press("salesforce", "change-price", sku=SKU, net="777")
    await shop.later(QUARTER - MINUTE)
    assert await shop.sweep() == 0
    await shop.later(2 * MINUTE)
    assert await shop.sweep() == 1
    assert sweep.sweep_changes.name in {task.task.name for task in _periodic()}


def _periodic() -> Any:
    from portico.work import jobs

    return jobs.periodic_registry.periodic_tasks.values()


async def test_what_was_deleted_is_found_too(shop: Shop) -> None:
    order_id = await shop.office.order(shop.customer.sf_account_id)
    await shop.later(QUARTER + 2 * MINUTE)
    await shop.sweep()
    before = await shop.sees()
    await shop.office.delete("Order", order_id)
    await shop.later(QUARTER + 2 * MINUTE)
    assert await shop.sweep() >= 1
    assert len((await shop.sees())[2]) == len(before[2]) - 1


async def test_what_events_told_is_not_counted(shop: Shop) -> None:
    await shop.office.sandbox.undial("pubsub")
    await shop.office.change_prices(1)
    await until(lambda: shop.office.has(1))
    await shop.later(QUARTER + 2 * MINUTE)
    assert await shop.sweep() == 0


async def test_a_second_change_within_a_second_is_not_counted_and_shows_all_the_same(shop: Shop) -> None:
    """Stamps are whole seconds: the word of the first looks as if it were that of the second."""
    office = shop.office
    await office.sandbox.undial("pubsub")
    await office.change_prices(1)
    await until(lambda: office.has(1))
    await office.sandbox.dial("pubsub", "drop_events", call="*")
    while await drain.drain(office.portal):
        pass
    await shop.sees()
    await office.sandbox.press("salesforce", "change-price", sku=SKU, net="777")
    await office.do("UPDATE inbox SET stage = 3, body = body || '{\"at\": 9999999999}'")
    await shop.later(QUARTER + 2 * MINUTE)
    assert await shop.sweep() == 0
    assert (await shop.sees())[0] == 777


async def test_an_overflow_told_of_every_change_before_it(shop: Shop) -> None:
    office = shop.office
    await office.sandbox.press("salesforce", "change-price", sku=SKU, net="777")
    await office.sandbox.undial("pubsub")
    await office.sandbox.press("salesforce", "overflow", entity="PricebookEntry")
    await until(lambda: office.has(1))
    await shop.later(QUARTER + 2 * MINUTE)
    assert await shop.sweep() == 0


async def test_too_many_changes_are_one_for_all(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "MOST", 2)
    await shop.office.change_prices(1)
    order_id = await shop.office.order(shop.customer.sf_account_id)
    second = await shop.office.approved_order(shop.customer.sf_account_id)
    await shop.later(QUARTER + 2 * MINUTE)
    await shop.sweep()
    [row] = await shop.office.rows("SELECT body FROM inbox WHERE kind = 'Order'")
    assert row["body"]["record_ids"] == [] and {order_id, second} & set(await shop.fulfillments()) == {second}


async def test_an_entity_that_can_not_be_read_keeps_its_mark(shop: Shop) -> None:
    await shop.office.sandbox.press("salesforce", "change-price", sku=SKU, net="777")
    await shop.later(QUARTER + 2 * MINUTE)
    await shop.office.sandbox.dial("salesforce", "down", call="query")
    assert await shop.sweep() == 0
    await shop.office.sandbox.undial("salesforce")
    assert await until(shop.sweep) == 1, "as soon as the breaker lets it through"
    marks = await shop.office.rows("SELECT entity FROM watermarks")
    assert {row["entity"] for row in marks} == set(WATCHED)


async def test_an_entity_that_is_refused_is_not_asked_for_at_every_look(shop: Shop) -> None:
    """The right for one object was taken away: the others are swept, and each look would cost a call."""
    await shop.office.sandbox.press("salesforce", "open-object", entity="Product2", allowed="no")
    await shop.later(QUARTER + 2 * MINUTE)
    before = calls()
    for _ in range(3):
        await shop.sweep()
    asked = calls() - before
    assert {entity: asked[f"query changed {entity}"] for entity in ("Product2", "Order")} == {"Product2": 1, "Order": 1}
    await shop.office.sandbox.press("salesforce", "open-object", entity="Product2", allowed="yes")
    await shop.later(6 * MINUTE)
    await shop.sweep()
    [row] = await shop.office.rows("SELECT not_before FROM watermarks WHERE entity = 'Product2'")
    assert row["not_before"] is None


async def test_the_sweep_leaves_the_last_calls_of_the_day_to_orders(shop: Shop) -> None:
    await shop.later(QUARTER + 2 * MINUTE)
    budget = shop.office.portal.salesforce.budget
    budget.spent()
    before = calls()
    try:
        await shop.sweep()
    finally:
        budget._move_to(0.0)
    assert not calls() - before
