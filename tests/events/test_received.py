"""What is stored of a batch: ids and no payloads, what matters not as handled, what can't be read as a dead letter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico import inbox
from portico.events import drain
from portico.events.drops import drops_of
from portico.events.received import Term, new_event, store
from portico.freshness import CATALOG, ELIGIBILITY, ORDERS
from portico.settings import SalesforceFields
from portico.systems.salesforce.bitmaps import EVERYTHING
from portico.systems.salesforce.change_events import ALL, ChangeEvent
from portico.systems.salesforce.changes import Batch
from portico.systems.salesforce.relevant import relevant_fields
from tests.events.conftest import Front

TERM = Term("/data/Portico__chn", 1, None)
RELEVANT = relevant_fields(SalesforceFields())
ORDER_ID, ACCOUNT_ID = "8015g1000000001AAA", "0015g1000000001AAA"
CHANGE = ChangeEvent(
    event_id="e1",
    replay_id=b"1",
    entity="Order",
    record_ids=(ORDER_ID,),
    change_type="UPDATE",
    changed_fields=frozenset({"Status", "LastModifiedDate"}),
    account_id=ACCOUNT_ID,
    order_id=None,
    commit_at=datetime(2026, 11, 23, tzinfo=UTC),
    own=False,
    transaction="t1",
    schema_id="s1",
    raw=b"secret",
)


def stored_as(**changes: Any) -> Any:
    return new_event(TERM, replace(CHANGE, **changes), RELEVANT)


async def leads(front: Front) -> None:
    await front.do("TRUNCATE change_position, change_deliveries, dead_letters")
    await front.do("INSERT INTO change_position (topic, epoch) VALUES (:topic, 1)", topic=TERM.topic)


@pytest.mark.parametrize(
    ("entity", "changed", "moot"),
    [
        ("Order", {"LastModifiedDate", "Description"}, True),
        ("Order", {"LastModifiedDate", "Fulfillment_Status__c"}, False),
        ("Order", EVERYTHING, False),
        ("Product2", {"LastModifiedDate", "Family"}, True),
        ("Product2", {"Promotion__c"}, False),
        ("PricebookEntry", {"UseStandardPrice"}, True),
        ("PricebookEntry", {"UnitPrice"}, False),
        ("Account", {"Website", "LastModifiedDate"}, True),
        ("Account", {"Eligibility__c"}, False),
        ("Account", {"BillingAddress", "BillingAddress.City"}, False),
        ("OrderItem", {"Line_Number__c"}, False),
        ("Case", {"Anything"}, False),
    ],
)
def test_a_change_of_other_fields_is_moot(entity: str, changed: Any, moot: bool) -> None:
    assert stored_as(entity=entity, changed_fields=frozenset(changed)).is_moot == moot


async def test_what_is_moot_is_known_and_costs_nothing(front: Front) -> None:
    await leads(front)
    moot = replace(CHANGE, event_id="e2", changed_fields=frozenset({"Description"}))
    await store(front.portal, TERM, Batch((CHANGE, moot), b"2"))
    assert await front.stages() == [0, 3]
    rows = await front.rows("SELECT external_id, handled_at FROM inbox ORDER BY id")
    assert [bool(row["handled_at"]) for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("changed", "own"),
    [({"Fulfillment_Status__c"}, True), ({"Status"}, False), ({"StatusCode", "Type"}, False), (EVERYTHING, True)],
)
def test_our_own_write_starts_nothing_but_for_an_approval_within_it(changed: Any, own: bool) -> None:
    """An automation of the org may approve in the transaction of our write."""
    assert stored_as(own=True, changed_fields=frozenset(changed)).body["own"] == own


async def test_our_own_write_drops_copies_all_the_same(front: Front) -> None:
    await leads(front)
    seen: list[str] = []

    async def note(_: Any, event: Any) -> None:
        seen.append(event.external_id)

    drain.register({("salesforce", "Order"): note})
    await store(front.portal, TERM, Batch((replace(CHANGE, own=True, changed_fields=EVERYTHING),), b"2"))
    event = (await _due(front))[0]
    assert event.body["own"] and (await drops_of(front.portal, [event])).owned == {(ORDERS, ACCOUNT_ID)}


@pytest.mark.parametrize(
    ("entity", "rules"), [("Account", {ELIGIBILITY}), ("Order", {ORDERS}), ("OrderItem", {ORDERS}), ("Product2", set())]
)
async def test_an_event_for_all_records_drops_the_entity_and_nothing_else(
    front: Front, entity: str, rules: set[Any]
) -> None:
    """Overflow, wildcard, the all-zero id, and what can't be decoded where its entity is known."""
    await leads(front)
    for number, change in enumerate(("GAP_OVERFLOW", "UPDATE", "")):
        event = replace(
            CHANGE, event_id=f"e{number}", entity=entity, record_ids=ALL, change_type=change, account_id=None
        )
        await store(front.portal, TERM, Batch((event,), b"2"))
    for stored in await _due(front):
        drops = await drops_of(front.portal, [stored])
        assert drops.whole_kinds == rules and ((CATALOG, "all") in drops.owned) == (entity == "Product2")


async def test_what_can_not_be_read_is_kept_raw_apart_from_the_inbox(front: Front) -> None:
    await leads(front)
    bad = replace(CHANGE, record_ids=ALL, change_type="", problem="EOFError", account_id=None)
    for _ in range(2):
        await store(front.portal, TERM, Batch((bad,), b"2"))
    [letter] = await front.rows("SELECT topic, entity, schema_id, payload, problem FROM dead_letters")
    assert letter == {
        "topic": TERM.topic, "entity": "Order", "schema_id": "s1", "payload": b"secret", "problem": "EOFError",
    }  # fmt: skip
    [row] = await front.rows("SELECT body::text AS body FROM inbox")
    assert "secret" not in row["body"]


async def test_a_strange_id_does_not_stop_the_stream(front: Front) -> None:
    await leads(front)
    await store(front.portal, TERM, Batch((replace(CHANGE, event_id="a\0b" * 200, transaction="\0"),), b"2"))
    assert len(await front.stages()) == 1


async def test_everything_is_measured(front: Front) -> None:
    """Lag, duplicates, gaps, resyncs, and what counts against the allocation."""
    await leads(front)
    names = {
        "portico_changes_received_total": {"entity": "Order"},
        "portico_changes_duplicate_total": {},
        "portico_changes_gap_total": {"entity": "Order"},
        "portico_changes_lag_seconds_count": {},
    }
    before = {name: REGISTRY.get_sample_value(name, labels) or 0 for name, labels in names.items()}
    overflows = REGISTRY.get_sample_value("portico_changes_resync_total", {"reason": "overflow"}) or 0
    gap = replace(CHANGE, event_id="e2", change_type="GAP_UPDATE")
    await store(front.portal, TERM, Batch((CHANGE, CHANGE, gap), b"2"))
    await store(front.portal, TERM, Batch((replace(gap, event_id="e3", record_ids=ALL),), b"3"))
    after = {name: REGISTRY.get_sample_value(name, labels) or 0 for name, labels in names.items()}
    assert [after[name] - before[name] for name in names] == [4, 1, 2, 4]
    assert REGISTRY.get_sample_value("portico_changes_resync_total", {"reason": "overflow"}) == overflows + 1
    assert [row["delivered"] for row in await front.rows("SELECT delivered FROM change_deliveries")] == [4]


async def test_the_log_names_ids_and_never_the_payload(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    await leads(front)
    gap = replace(CHANGE, change_type="GAP_UPDATE", event_id="event-id", transaction="transaction-key")
    await store(front.portal, TERM, Batch((gap,), b"2", ("rpc-id",)))
    said = capsys.readouterr().out
    assert all(word in said for word in ("event-id", "transaction-key", "rpc-id")) and "secret" not in said


async def test_a_drop_that_fails_is_left_to_the_drain(front: Front) -> None:
    await leads(front)
    await front.do("ALTER TABLE cache_epoch RENAME TO away")
    try:
        await store(front.portal, TERM, Batch((CHANGE,), b"2"))
    finally:
        await front.do("ALTER TABLE away RENAME TO cache_epoch")
    assert await front.stages() == [0]


async def test_a_leader_that_freezes_in_its_transaction_lets_go_of_the_position(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes over waits for its row at most as long as Postgres lets the frozen one idle: less than a takeover."""
    await leads(front)
    limits: list[str] = []

    async def look(tx: AsyncConnection, *_: Any) -> int:
        limits.append((await tx.execute(text("SHOW idle_in_transaction_session_timeout"))).scalar_one())
        return 0

    monkeypatch.setattr(inbox, "receive", look)
    await store(front.portal, TERM, Batch((CHANGE,), b"2"))
    assert limits == ["3s"]
    async with front.portal.db.begin() as tx:
        assert (await tx.execute(text("SHOW idle_in_transaction_session_timeout"))).scalar_one() == "15s"


async def _due(front: Front) -> list[Any]:
    async with front.portal.db.begin() as tx:
        return await inbox.due(tx, front.portal.clock.now())
