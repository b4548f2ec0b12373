"""The drain: every event dropped three times, reacted to once, and none holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from portico import inbox, work
from portico.cache import Cache
from portico.errors import SystemDown
from portico.events import drain
from portico.events.drops import UNREADABLE, Drops, drops_of
from portico.freshness import CATALOG, ELIGIBILITY, INVOICES, ORDERS, PAYMENT_METHODS, RULES
from portico.inbox import Event, NewEvent
from portico.portal import Portal
from tests.caching import Origin, kept_thing, price_in, somebody
from tests.events.conftest import Front, hint
from tests.fixtures.until import until

ANN = somebody()


class Reader:
    """A portal as far as reading goes."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.origin = Origin()

    async def price(self) -> int:
        return price_in(await kept_thing(self, ANN))


class Noted:
    """A reaction that can be told to fail."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.trouble: dict[str, Exception] = {}

    def has_seen(self, external_id: str) -> bool:
        return external_id in self.seen

    async def __call__(self, portal: Portal, event: Event) -> None:
        self.seen.append(event.external_id)
        if event.external_id in self.trouble:
            raise self.trouble[event.external_id]


@pytest.fixture
def noted() -> Noted:
    noted = Noted()
    drain.register({("salesforce", "Order"): noted})
    return noted


@pytest_asyncio.fixture(loop_scope="session")
async def worker(front: Front) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    running = asyncio.create_task(work.run(front.portal, stopping))
    yield
    stopping.set()
    await running


def order(number: int, **body: Any) -> NewEvent:
    body = {"account_ids": [ANN.sf_account_id], "order_ids": [f"o{number}"], **body}
    return NewEvent("salesforce", f"e{number}", "Order", body)


async def test_copies_are_dropped_now_and_twice_more(front: Front) -> None:
    """Its system had not committed yet when the event came, and readers were quick to copy the old state again."""
    reader = Reader(front.portal.cache)
    await front.receive(order(1))
    for moved, stage in ((0, 1), (2, 2), (15, 3)):
        front.portal.clock.move_to(max(moved - 1.5, 0))
        if moved:
            assert await drain.drain(front.portal) == 0, "not due yet"
        await reader.price()
        reader.origin.price = stage + 1
        front.portal.clock.move_to(moved + 0.1 * bool(moved))
        assert await drain.drain(front.portal) == 1
        assert await reader.price() == stage + 1
        assert await front.stages() == [stage]
    front.portal.clock.move_to(3600)
    assert await drain.drain(front.portal) == 0
    tasks = await front.rows("SELECT task_name, lock FROM procrastinate_jobs")
    assert tasks == [{"task_name": "drop_again", "lock": None}] * 2


async def test_a_reaction_runs_once(front: Front, noted: Noted) -> None:
    await front.receive(order(1), order(2), order(1))
    for moved in (0, 3, 20):
        front.portal.clock.move_to(moved)
        await drain.drain(front.portal)
    assert noted.seen == ["e1", "e2"]
    assert await front.stages() == [3, 3]


async def test_dropping_again_reacts_to_nothing(front: Front, noted: Noted) -> None:
    await front.receive(order(1))
    assert await drain.drain(front.portal, least_stage=1) == 0
    assert noted.seen == [] and await front.stages() == [0]


@pytest.mark.parametrize("trouble", [SystemDown("salesforce"), ZeroDivisionError("a bug")], ids=repr)
async def test_a_reaction_that_fails_comes_again_later_and_holds_up_nobody(
    front: Front, noted: Noted, trouble: Exception
) -> None:
    noted.trouble["e1"] = trouble
    await front.receive(order(1), order(2), NewEvent("whmcs", "w", "InvoicePaid", {"whmcs_client_id": None}))
    await drain.drain(front.portal)
    assert noted.seen == ["e1", "e2"] and await front.stages() == [0, 1, 1]
    [row] = await front.rows("SELECT tries, error FROM inbox WHERE external_id = 'e1'")
    assert (row["tries"], row["error"]) == (1, getattr(trouble, "code", "ZeroDivisionError"))
    await drain.drain(front.portal)
    assert noted.seen == ["e1", "e2"], "not at once"
    front.portal.clock.move_to(1.5)
    await drain.drain(front.portal)
    assert noted.seen == ["e1", "e2", "e1"]
    noted.trouble.clear()
    front.portal.clock.move_to(10)
    await drain.drain(front.portal)
    assert await front.stages() == [1, 2, 2]


async def test_tries_are_at_most_five_minutes_apart_for_ever(front: Front, noted: Noted) -> None:
    noted.trouble["e1"] = SystemDown("salesforce")
    await front.receive(order(1))
    for tries in (8, 9, 1100):
        await front.do("UPDATE inbox SET tries = :tries, due_at = received_at", tries=tries)
        await drain.drain(front.portal)
        [row] = await front.rows("SELECT tries, due_at FROM inbox")
        wait = (row["due_at"] - front.portal.clock.now()).total_seconds()
        assert row["tries"] == tries + 1 and 250 < wait <= 300


async def test_an_event_is_handled_only_when_its_drops_succeeded(front: Front, noted: Noted) -> None:
    """Our own database forgets the epoch for a moment."""
    await front.receive(order(1))
    await front.do("ALTER TABLE cache_epoch RENAME TO away")
    try:
        with pytest.raises(Exception, match="cache_epoch"):
            await drain.drain(front.portal)
    finally:
        await front.do("ALTER TABLE away RENAME TO cache_epoch")
    assert noted.seen == [] and await front.stages() == [0]
    await drain.drain(front.portal)
    assert noted.seen == ["e1"] and await front.stages() == [1]


async def test_who_dies_between_reaction_and_note_does_it_again(front: Front, noted: Noted) -> None:
    """At least once: reactions read the truth and bear it."""
    dying = asyncio.Event()

    async def die(portal: Portal, event: Event) -> None:
        await noted(portal, event)
        if len(noted.seen) == 1:
            dying.set()
            await asyncio.Event().wait()

    drain.register({("salesforce", "Order"): die})
    await front.receive(order(1))
    victim = asyncio.create_task(drain.drain(front.portal))
    await dying.wait()
    victim.cancel()
    await asyncio.gather(victim, return_exceptions=True)
    assert await front.stages() == [0]
    await drain.drain(front.portal)
    assert noted.seen == ["e1", "e1"] and await front.stages() == [1]


async def test_five_thousand_price_changes_are_a_handful_of_drops(front: Front) -> None:
    copies = front.portal.cache._copies
    if copies is None:
        pytest.skip("no Redis on this machine")
    drops: list[list[str]] = []
    drop = copies.drop

    async def counted(keys: list[str]) -> None:
        drops.append(keys)
        await drop(keys)

    copies.drop = counted  # type: ignore[method-assign]
    try:
        await front.receive(*(NewEvent("salesforce", f"e{n}", "PricebookEntry", {}) for n in range(5000)))
        for moved in (0, 5, 30):
            front.portal.clock.move_to(moved)
            while await drain.drain(front.portal):
                pass
    finally:
        del copies.drop
    assert set(await front.stages()) == {3}
    assert 3 <= len(drops) <= 12 and max(map(len, drops)) == 2


async def test_handled_events_are_forgotten_after_a_week(front: Front) -> None:
    await front.receive(order(1))
    for moved in (0, 5, 30):
        front.portal.clock.move_to(moved)
        await drain.drain(front.portal)
    await front.receive(order(2))
    for days, left in ((6.9, 2), (7.1, 1)):
        front.portal.clock.move_to(days * 86400)
        async with front.portal.db.begin() as tx:
            await inbox.forget(tx, front.portal.clock.now() - drain.KEEP)
        assert len(await front.stages()) == left, "an event that was not handled is never forgotten"


async def test_later_drops_do_not_hold_up_the_next_event(front: Front, noted: Noted, worker: None) -> None:
    """A job that waits for its time blocks all later ones of its lock: the +15 s drop must have none."""
    for number in (1, 2, 3):
        async with front.portal.db.begin() as tx:
            await inbox.receive(tx, front.portal.clock.now(), [order(number)])
            await drain.defer_drain(tx)
        await until(partial(noted.has_seen, f"e{number}"))


async def test_what_nobody_deferred_is_swept_up(front: Front, noted: Noted, worker: None) -> None:
    await front.receive(order(1))
    await until(lambda: noted.seen == ["e1"])


# What an event makes stale.


async def drops(front: Front, *events: Event) -> Drops:
    return await drops_of(front.portal, events)


async def test_a_hook_drops_what_its_group_says_of_its_customer(front: Front) -> None:
    ann = await front.customer()
    made = await drops(front, hint("whmcs", "CCUpdate", whmcs_client_id=4711), hint("whmcs", "CCUpdate"))
    assert made.owned == {(PAYMENT_METHODS, str(ann.user_id))}
    assert made.whole_kinds == {PAYMENT_METHODS}
    nobody = await drops(front, hint("whmcs", "InvoicePaid", whmcs_client_id=99), hint("whmcs", "Unheard"))
    assert nobody == Drops()
    paid = await drops(front, hint("whmcs", "InvoicePaid", whmcs_client_id=4711))
    assert (INVOICES, str(ann.user_id)) in paid.owned and paid.whole_kinds == set()


async def test_a_change_of_a_shared_thing_is_one_drop(front: Front) -> None:
    made = await drops(front, *(hint("salesforce", "Product2", record_ids=[str(n)]) for n in range(50)))
    assert {(rule.kind, scope) for rule, scope in made.owned} == {("catalog", "all"), ("availability", "all")}
    assert made.whole_kinds == set()


async def test_alike_changes_of_an_order_are_one_reaction(front: Front, noted: Noted) -> None:
    """It reads the truth once all of them are known. Our own writes and those of others are told apart."""
    await front.receive(order(1), order(2), order(3, order_ids=["o1"]), order(4, order_ids=["o1"], own=True))
    await drain.drain(front.portal)
    assert sorted(noted.seen) == ["e2", "e3", "e4"] and await front.stages() == [1, 1, 1, 1]


async def test_account_events_drop_that_account_or_all(front: Front) -> None:
    assert (await drops(front, hint("salesforce", "Account", account_ids=["A"]))).owned == {(ELIGIBILITY, "A")}
    assert (await drops(front, hint("salesforce", "Account", account_ids=[]))).whole_kinds == {ELIGIBILITY}


async def test_what_can_not_be_read_may_have_been_anything(front: Front) -> None:
    made = await drops(front, hint("salesforce", UNREADABLE))
    assert {CATALOG, ELIGIBILITY, ORDERS} <= made.whole_kinds
    kept = {rule for rule in RULES if any(name.startswith("salesforce:") for name in rule.dropped_by)}
    assert made.whole_kinds == kept
