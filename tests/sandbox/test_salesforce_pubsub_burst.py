"""Very many change events at once: all of them counted, all of them served, and the rows tell the same."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.dials import Dial
from portico_sandbox.salesforce import control, wire
from portico_sandbox.store import Row
from tests.sandbox.salesforce_calling import Salesforce, Subscription, salesforce_with_streams

ENTRIES = "/data/PricebookEntryChangeEvent"


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    async with salesforce_with_streams(tmp_path) as caller:
        yield caller


async def press(org: Salesforce, button_name: str, **fields: str) -> Row:
    button = next(each for each in control.BUTTONS if each.name == button_name)
    return await button.press(org.sandbox, fields)


async def all_events(org: Salesforce, topic: str, count: int) -> list[Any]:
    """So many events from the oldest on, as they are on the wire."""
    stream = Subscription(org, org.pubsub_channel)
    await stream.ask(topic, wire.EARLIEST, credit=100)
    found: list[Any] = []
    while len(found) < count:
        response = await stream.next()
        found += response.events
        if response.pending_num_requested <= 50:
            await stream.ask(credit=100 - response.pending_num_requested)
    return found


async def test_every_event_of_a_burst_is_served_once_and_in_order(org: Salesforce) -> None:
    told = await press(org, "burst-events", count="12000")
    assert told["count"] == 12_000
    ids = (await press(org, "emitted-events", burst=told["burst"]))["ids"]
    served = await all_events(org, ENTRIES, 12_000)
    assert [each.event.id for each in served] == ids
    assert len(set(ids)) == 12_000
    assert hashlib.sha256("".join(sorted(ids)).encode()).hexdigest() == told["sha256_of_sorted_ids"]
    [line] = org.sandbox.ledger.lines("salesforce", "burst of events")
    assert (line["reference"], line["facts"]["count"]) == (told["burst"], 12_000)


async def test_rows_hold_what_their_last_event_said(org: Salesforce) -> None:
    await press(org, "burst-events", count="1000")
    stream = Subscription(org, org.pubsub_channel)
    await stream.ask(ENTRIES, wire.EARLIEST, credit=100)
    prices: dict[str, float] = {}
    keys: dict[str, list[int]] = {}
    for _ in range(10):
        for event in await stream.events(100):
            prices[event.header["recordIds"][0]] = event.body["UnitPrice"]
            keys.setdefault(event.header["transactionKey"], []).append(event.header["sequenceNumber"])
            assert event.changed == {"UnitPrice", "LastModifiedDate"}
        await stream.ask(credit=100)
    assert list(keys.values()) == [list(range(1, 201))] * 5
    rows = await org.records("SELECT Id, UnitPrice FROM PricebookEntry")
    assert {row["Id"]: row["UnitPrice"] for row in rows} == prices


async def test_more_records_than_there_are_have_ids_of_their_own(org: Salesforce) -> None:
    told = await press(org, "burst-events", count="300", entity="Order", records="150")
    stream = Subscription(org, org.pubsub_channel)
    await stream.ask("/data/Portico__chn", wire.EARLIEST, credit=100)
    events = []
    for _ in range(3):
        events += await stream.events(100)
        await stream.ask(credit=100)
    assert len({event.header["recordIds"][0] for event in events}) == 150
    assert all(event.body["AccountId"].startswith("001") for event in events)
    assert told["object"] == "Order"


async def test_dials_work_on_bursts_and_the_lost_are_named(org: Salesforce) -> None:
    org.sandbox.dials.turn(Dial("pubsub", "drop_events", call="PricebookEntry", times=3))
    told = await press(org, "burst-events", count="10")
    assert told["count"] == 7
    log = await press(org, "emitted-events")
    assert (len(log["events"]), len(log["lost"]), log["last"]) == (7, 3, 7)
    assert not {each["id"] for each in log["lost"]} & {each["id"] for each in log["events"]}
    served = await all_events(org, ENTRIES, 7)
    assert [each.event.id for each in served] == [each["id"] for each in log["events"]]
    assert (await press(org, "emitted-events", after="5", limit="1"))["events"] == log["events"][5:6]
    assert (await press(org, "emitted-events"))["delivered_in_24_hours"] == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": "0"},
        {"count": "100001"},
        {"count": "many"},
        {"count": "1", "entity": "Case"},
        {"count": "1", "field": "Product2Id"},
        {"count": "1", "per_transaction": "0"},
    ],
)
async def test_bursts_that_make_no_sense(org: Salesforce, wrong: dict[str, str]) -> None:
    with pytest.raises(ButtonRefused):
        await press(org, "burst-events", **wrong)
    with pytest.raises(ButtonRefused):
        await press(org, "emitted-events", burst="7")
