"""More than one topic, positions of other orgs, lost ones, and a service that accepts and fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from io import BytesIO
from typing import Any

import fastavro
import grpc
import pytest

from portico.app import REACTIONS
from portico.events import drain, listener
from portico.events.drops import PROVISION
from portico.events.listener import longest_pause
from portico.events.stream_watch import watch
from portico_sandbox.salesforce import wire
from tests.events.office import Office
from tests.fixtures.until import until
from tests.systems.salesforce.scripted_pubsub import Script, ending, event, payload, replay, scripted_pubsub, sending

CHANNEL, ASKED = "/data/Portico__chn", "/event/OrderProvisionRequested__e"
APART = ("/data/OrderChangeEvent", "/data/OrderItemChangeEvent", "/data/PricebookEntryChangeEvent")
ASKING = {
    "type": "record",
    "name": "OrderProvisionRequested__e",
    "namespace": "com.sforce.eventbus",
    "fields": [
        {"name": "CreatedDate", "type": "long"},
        {"name": "CreatedById", "type": "string"},
        {"name": "Order_Id__c", "type": ["null", "string"], "default": None},
    ],
}

Play = Callable[[Any, Any], Awaitable[None]]


def asking(number: int, order_id: str | None) -> Any:
    written = BytesIO()
    record = {"CreatedDate": 1_795_000_000_000, "CreatedById": "005", "Order_Id__c": order_id}
    fastavro.schemaless_writer(written, fastavro.parse_schema(json.loads(json.dumps(ASKING))), record)
    return event(number, written.getvalue(), schema_id="asking", event_id=f"asked {number}")


def by_topic(**plays: Play) -> Script:
    """Plays by the last part of a topic's name."""

    async def play(first: Any, context: Any) -> None:
        await plays[first.topic_name.rpartition("/")[2].partition("__")[0]](first, context)

    script = Script(play)
    script.schemas["asking"] = json.dumps(ASKING)
    return script


async def test_a_topic_for_each_object_works_as_the_channel_does(office: Office, world: dict[str, Any]) -> None:
    account = world["customers"]["ready"][0]["sf_account_id"]
    async with office.with_salesforce(topics=APART) as apart, apart.listening():
        await until(lambda: _heard(apart, len(APART)))
        order_id = await apart.order(account)
        await apart.change_prices(1)
        for kind in ("Order", "OrderItem", "PricebookEntry"):
            await until(partial(apart.has, 1, kind))
        [order], [item] = await apart.events("Order"), await apart.events("OrderItem")
        assert order["body"]["order_ids"] == [order_id] and item["body"]["record_ids"]
        positions = {row["topic"] for row in await apart.rows("SELECT topic FROM change_position")}
        assert positions == set(APART)
    async with office.listening():
        assert [row["topic"] for row in await office.rows("SELECT topic FROM change_position")] == [CHANNEL]


async def test_copies_are_trusted_only_while_every_topic_is_heard(office: Office) -> None:
    health = office.portal.cache._stream
    async with office.listening():
        health._looked_at = float("-inf")
        assert await health.is_healthy()
        for column, value, expected in (("feeds_copies", "true", False), ("feeds_copies", "false", True)):
            await office.do("DELETE FROM change_position WHERE topic = 'other'")
            await office.do(f"INSERT INTO change_position (topic, {column}) VALUES ('other', {value})")
            health._looked_at = float("-inf")
            assert await health.is_healthy() == expected


async def test_a_platform_event_starts_fulfillment(office: Office, world: dict[str, Any]) -> None:
    """By the order that it names, and by looking at all where it names none."""
    await office.sandbox.dial("pubsub", "drop_events", call="*")
    account = world["customers"]["ready"][0]["sf_account_id"]
    first, second = await office.approved_order(account), await office.approved_order(account)
    script = by_topic(Portico=sending(), OrderProvisionRequested=sending(asking(1, first[:15]), asking(2, None)))
    drain.register(REACTIONS)
    async with (
        scripted_pubsub(script) as address,
        office.with_salesforce(pubsub_address=address, pubsub_tls=False, provision_topics=(ASKED,)) as asked,
        asked.listening(),
    ):
        await until(lambda: asked.has(2, PROVISION))
        named, unnamed = await asked.events(PROVISION)
        assert (named["body"]["order_ids"], unnamed["body"]["order_ids"]) == ([first], [])
        assert named["body"]["change"] == "PUBLISHED" and named["stage"] == 0
        await asked.do(f"UPDATE inbox SET stage = 3 WHERE id = {unnamed['id']}")
        await drain.drain(asked.portal)
        assert await _begun(asked) == {first}
        await asked.do(f"UPDATE inbox SET stage = 0 WHERE id = {unnamed['id']}")
        await drain.drain(asked.portal)
        assert await _begun(asked) >= {first, second}


async def test_a_platform_event_beside_the_channel(office: Office, world: dict[str, Any]) -> None:
    """As the org publishes it; it changes nothing of what is copied, and resumes at a position of its own."""
    account = world["customers"]["ready"][0]["sf_account_id"]
    async with office.with_salesforce(provision_topics=(ASKED,)) as asked, asked.listening():
        await until(lambda: _heard(asked, 2))
        order_id = await asked.order(account)
        epoch = await asked.cache_epoch()
        await asked.sandbox.press("salesforce", "publish-platform-event", values=json.dumps({"Order_Id__c": order_id}))
        await until(lambda: asked.has(1, PROVISION))
        await until(lambda: asked.has(1, "OrderItem"))
        [row] = await asked.events(PROVISION)
        assert row["body"]["order_ids"] == [order_id] and await asked.cache_epoch() == epoch
        positions = await asked.rows("SELECT DISTINCT replay_id, feeds_copies FROM change_position")
        assert sorted(row["feeds_copies"] for row in positions) == [False, True]


async def test_no_platform_event_by_default(office: Office) -> None:
    assert office.portal.settings.salesforce.provision_topics == ()


async def test_one_topic_that_fails_holds_up_no_other(office: Office) -> None:
    order = sending(event(1, payload(account_id=None)))
    script = by_topic(Portico=order, OrderProvisionRequested=ending(grpc.StatusCode.PERMISSION_DENIED))
    async with (
        scripted_pubsub(script) as address,
        office.with_salesforce(pubsub_address=address, pubsub_tls=False, provision_topics=(ASKED,)) as asked,
        asked.listening(),
    ):
        await until(lambda: asked.has(1, "Order"))

        async def is_said() -> bool:
            topics = {one.topic: one for one in (await watch(asked.portal)).topics}
            return bool(topics[ASKED].problem) and topics[ASKED].level == "never_heard" and not topics[CHANNEL].problem

        await until(is_said)


async def test_a_topic_that_we_may_not_read_is_never_healthy(office: Office) -> None:
    script = Script(sending(), can_subscribe=False)
    stopping = asyncio.Event()
    async with (
        scripted_pubsub(script) as address,
        office.with_salesforce(pubsub_address=address, pubsub_tls=False) as refused,
    ):
        running = asyncio.create_task(listener.listen(refused.portal, stopping))
        try:
            await until(lambda: refused.rows("SELECT 1 FROM change_position WHERE problem LIKE '%subscribe%'"))
            assert not await refused.portal.cache._stream.is_healthy()
        finally:
            stopping.set()
            await running
    assert script.subscribed == 0


async def test_a_refused_token_is_said(office: Office) -> None:
    stopping = asyncio.Event()
    async with office.with_salesforce(client_id="nobody") as refused:
        running = asyncio.create_task(listener.listen(refused.portal, stopping))
        try:
            await until(lambda: refused.rows("SELECT 1 FROM change_position WHERE problem LIKE '%token%'"))
        finally:
            stopping.set()
            await running


async def test_a_position_of_another_org_means_nothing(office: Office) -> None:
    async with office.listening():
        epoch = await office.cache_epoch()
    async with office.listening():
        assert await office.cache_epoch() == epoch, "the same org: it goes on"
    await office.do("UPDATE change_position SET organization_id = '00D000000000001AAA'")
    async with office.listening():
        assert await office.cache_epoch() > epoch


@pytest.mark.parametrize("start", ["earliest", "latest"])
async def test_after_a_lost_position_nothing_falls_between(office: Office, start: Any) -> None:
    """Either all that is retained comes again; or what comes from now on waits until all copies are retired."""
    presets: list[int] = []

    async def play(first: Any, context: Any) -> None:
        presets.append(first.replay_preset)
        if first.replay_preset == wire.CUSTOM:
            code = "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "lost", trailing_metadata=(("error-code", code),))
        await sending(event(7), latest=replay(9))(first, context)

    async with (
        scripted_pubsub(Script(play)) as address,
        office.with_salesforce(pubsub_address=address, pubsub_tls=False, lost_position=start) as lost,
    ):
        await lost.do("INSERT INTO change_position (topic, epoch, replay_id) VALUES ('/data/Portico__chn', 3, 'old')")
        seen: list[int] = []
        retire = lost.portal.cache.retire

        async def counted() -> None:
            seen.append(len(await lost.events("Order")))
            await retire()

        lost.portal.cache.retire = counted  # type: ignore[method-assign]
        async with lost.listening():
            await until(lambda: lost.has(1, "Order"))
        assert presets == [wire.CUSTOM, wire.EARLIEST if start == "earliest" else wire.LATEST]
        assert seen == [0, 0], "once at the loss, once while the first events wait"
        assert {"task_name": "poll_once"} in await lost.rows("SELECT task_name FROM procrastinate_jobs")
        assert (await lost.position())["replay_id"] == replay(7)


async def test_a_service_that_accepts_and_fails_is_not_hammered(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an answer sets the pause back."""
    pauses: list[int] = []
    answering = False
    plays = 0

    async def play(first: Any, context: Any) -> None:
        nonlocal plays
        plays += 1
        if answering:
            await context.write(wire.FetchResponse(latest_replay_id=replay(plays), pending_num_requested=0))
            await context.read()  # it has come: more credit is asked for
        await context.abort(grpc.StatusCode.UNAVAILABLE, "no")

    async def noted(failures: int, asked: float) -> None:
        pauses.append(failures)
        await asyncio.sleep(0)

    monkeypatch.setattr(listener, "pause", noted)
    stopping = asyncio.Event()
    async with (
        scripted_pubsub(Script(play)) as address,
        office.with_salesforce(pubsub_address=address, pubsub_tls=False) as failing,
    ):
        running = asyncio.create_task(listener.listen(failing.portal, stopping))
        try:
            await until(lambda: len(pauses) >= 5)
            assert pauses[:5] == [1, 2, 3, 4, 5]
            answering = True
            await until(lambda: pauses[-1] == 1)
        finally:
            stopping.set()
            await running


def test_pauses_double_up_to_a_minute() -> None:
    assert [longest_pause(failures) for failures in (1, 2, 3, 7, 8, 5000)] == [1, 2, 4, 60, 60, 60]


async def test_a_keepalive_moves_the_position_on(office: Office) -> None:
    """It does not age on a quiet topic."""
    await office.sandbox.press("salesforce", "turn-knob", name="keepalive_seconds", value="0.05")
    async with office.listening():
        first = (await office.position())["replay_id"]

        async def has_moved() -> bool:
            return bool((await office.position())["replay_id"] != first)

        await until(has_moved)
    assert await office.rows("SELECT 1 FROM inbox") == []


async def _heard(office: Office, count: int) -> bool:
    return len(await office.rows("SELECT 1 FROM change_position WHERE heard_at IS NOT NULL")) == count


async def _begun(office: Office) -> set[str]:
    return {row["order_id"] for row in await office.rows("SELECT order_id FROM fulfillments")}
