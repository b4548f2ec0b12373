"""Whose copies a change of an order makes stale: what events told is remembered, the rest is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from portico.events import drain
from portico.events.drops import Drops, drops_of
from portico.events.owners import KEEP, owners_of, remember
from portico.freshness import ORDERS
from portico.inbox import Event, NewEvent
from portico.portal import Portal
from tests.events.conftest import Front, hint
from tests.events.office import Office
from tests.fixtures.until import until

PLACED = """
    INSERT INTO fulfillments (order_id, sf_account_id, state, approved_at, updated_at)
    VALUES ('placed', 'OLD', 'running', :now, :now)
"""


async def told(front: Front, event: Event, *, ask: bool = True) -> Drops:
    return await drops_of(front.portal, [event], await owners_of(front.portal, [event], ask=ask))


@pytest.mark.parametrize(
    ("body", "accounts"),
    [
        ({"account_ids": ["A"], "order_ids": ["o1"]}, {"A"}),
        ({"account_ids": ["A"], "order_ids": ["placed"]}, {"A", "OLD"}),
        ({"account_ids": [], "order_ids": ["placed"]}, {"OLD"}),
        ({"account_ids": [], "order_ids": ["placed", "o1"]}, None),
        ({"account_ids": [], "order_ids": ["o1"]}, None),
        ({"account_ids": [], "order_ids": []}, None),
    ],
    ids=["named", "changed hands", "known to us", "known in part", "unknown", "overflow"],
)
async def test_a_change_of_an_order_finds_its_account(front: Front, body: Any, accounts: set[str] | None) -> None:
    """Salesforce is away here: what nobody knows could be anybody's."""
    await front.do(PLACED, now=front.portal.clock.now())
    made = await told(front, hint("salesforce", "Order", **body))
    if accounts is None:
        assert made.owned == set() and made.whole_kinds == {ORDERS}
    else:
        assert made.owned == {(ORDERS, account) for account in accounts} and made.whole_kinds == set()


async def test_the_quick_drop_leaves_what_is_unknown_to_the_drain(front: Front) -> None:
    """Else one item of an unknown order would cost every customer their copies."""
    unknown = hint("salesforce", "OrderItem", record_ids=["i1"], order_ids=["o1"])
    assert await told(front, unknown, ask=False) == Drops()
    assert await told(front, hint("salesforce", "OrderItem", record_ids=["i1"]), ask=False) == Drops()
    overflow = hint("salesforce", "OrderItem", record_ids=[], order_ids=[])
    assert (await told(front, overflow, ask=False)).whole_kinds == {ORDERS}


async def test_an_item_finds_its_account_through_its_order(front: Front) -> None:
    async with front.portal.db.begin() as tx:
        await remember(tx, front.portal.clock.now(), {"o1": "A"}, {"i1": "o1"})
    for body in ({"record_ids": ["i1"], "order_ids": ["o1"]}, {"record_ids": ["i1"]}):
        assert (await told(front, hint("salesforce", "OrderItem", **body))).owned == {(ORDERS, "A")}


async def test_an_order_that_changed_hands_makes_both_stale_at_each_stage(front: Front) -> None:
    for account in ("A", "B", "B"):
        async with front.portal.db.begin() as tx:
            await remember(tx, front.portal.clock.now(), {"o1": account}, {})
    event = hint("salesforce", "Order", record_ids=["o1"], order_ids=["o1"], account_ids=["B"])
    assert (await told(front, event)).owned == {(ORDERS, "A"), (ORDERS, "B")}


async def test_salesforce_is_asked_once_also_for_what_is_deleted(office: Office, world: dict[str, Any]) -> None:
    """A gap names the item and nothing else."""
    account = world["customers"]["ready"][0]["sf_account_id"]
    order_id = await office.order(account)
    await office.sandbox.dial("pubsub", "drop_events", call="*")
    [item] = await office.portal.salesforce.query(f"SELECT Id FROM OrderItem WHERE OrderId = '{order_id}'", name="q")
    await office.delete("OrderItem", item.id())
    gap = hint("salesforce", "OrderItem", record_ids=[item.id()], order_ids=[], change="GAP_DELETE")
    for asked in (True, False):
        owners = await owners_of(office.portal, [gap], ask=asked)
        assert owners.orders(gap) == [order_id] and owners.accounts(gap) == {account}


async def test_the_listener_remembers_what_events_tell(office: Office, world: dict[str, Any]) -> None:
    account = world["customers"]["ready"][0]["sf_account_id"]
    async with office.listening():
        order_id = await office.order(account)
        await until(lambda: office.has(1, "OrderItem"))
    [row] = await office.rows("SELECT order_id, sf_account_id, previous_account_id FROM order_owners")
    assert row == {"order_id": order_id, "sf_account_id": account, "previous_account_id": None}
    assert [row["order_id"] for row in await office.rows("SELECT order_id FROM order_item_owners")] == [order_id]


async def test_a_gap_of_an_item_reaches_its_order(front: Front) -> None:
    """Not all orders that there are."""
    seen: list[Any] = []

    async def note(portal: Portal, event: Event) -> None:
        seen.append(event.body["order_ids"])

    drain.register({("salesforce", "OrderItem"): note})
    async with front.portal.db.begin() as tx:
        await remember(tx, front.portal.clock.now(), {"o1": "A"}, {"i1": "o1"})
    await front.receive(NewEvent("salesforce", "e1", "OrderItem", {"record_ids": ["i1"], "order_ids": []}))
    await drain.drain(front.portal)
    assert seen == [["o1"]]


async def test_owners_of_old_orders_are_forgotten_but_for_ours(front: Front) -> None:
    """An order of ours may have changed hands since: only what events told knows."""
    now = front.portal.clock.now()
    await front.do(PLACED, now=now)
    async with front.portal.db.begin() as tx:
        await remember(tx, now - KEEP - timedelta(days=1), {"old": "A", "placed": "A"}, {"i-old": "old"})
        await remember(tx, now - KEEP + timedelta(days=1), {"young": "A"}, {"i-young": "young"})
    await drain.forget(front.portal)
    assert {row["order_id"] for row in await front.rows("SELECT order_id FROM order_owners")} == {"placed", "young"}
    assert [row["item_id"] for row in await front.rows("SELECT item_id FROM order_item_owners")] == ["i-young"]
