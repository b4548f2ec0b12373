"""The Pub/Sub API over gRPC: streams with credit, replay, keepalives and their ends."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fastavro
import grpc
import pytest

from portico_sandbox.dials import Dial
from portico_sandbox.salesforce import control, wire
from portico_sandbox.salesforce.keys import Keys
from portico_sandbox.salesforce.knobs import turn
from portico_sandbox.salesforce.seed import seed
from portico_sandbox.salesforce.topics import PORTAL_CHANNEL
from tests.sandbox.salesforce_calling import Salesforce, Subscription, metadata, salesforce_with_streams

PREFIX = "sfdc.platform.eventbus.grpc."
ORDERS = "/data/OrderChangeEvent"


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    async with salesforce_with_streams(tmp_path) as caller:
        yield caller


async def subscribed(org: Salesforce, **asked: Any) -> Subscription:
    """An open stream that has told that it stands (its first response is empty)."""
    stream = Subscription(org, org.pubsub_channel)
    await stream.ask(**{"topic": PORTAL_CHANNEL, **asked})
    return stream


async def phone(org: Salesforce, *numbers: str) -> None:
    for number in numbers:
        await org.update("Account", org.account_id(), Phone=number)


async def unary(channel: Any, name: str, request: Any, response: Any, sent: Any) -> Any:
    call = channel.unary_unary(f"/{wire.SERVICE}/{name}", type(request).SerializeToString, response.FromString)
    return await call(request, metadata=sent)


async def test_topic_and_schema_lead_to_a_readable_event(org: Salesforce) -> None:
    sent = metadata(org)
    topic = await unary(org.pubsub_channel, "GetTopic", wire.TopicRequest(topic_name=ORDERS), wire.TopicInfo, sent)
    assert (topic.can_subscribe, topic.can_publish, len(topic.schema_id)) == (True, False, 22)
    stream = await subscribed(org, topic=ORDERS)
    assert not (await stream.next()).events
    order = await org.draft_order()
    [consumed] = (await stream.next()).events
    assert consumed.event.schema_id == topic.schema_id
    request = wire.SchemaRequest(schema_id=topic.schema_id)
    schema = await unary(org.pubsub_channel, "GetSchema", request, wire.SchemaInfo, sent)
    record: Any = fastavro.schemaless_reader(
        io.BytesIO(consumed.event.payload), fastavro.parse_schema(json.loads(schema.schema_json)), None
    )
    assert record["ChangeEventHeader"]["recordIds"] == [order]
    assert record["Status"] == "Pending Review"
    assert len(consumed.replay_id) == 10


async def test_approval_reaches_the_channel_with_its_account(org: Salesforce) -> None:
    order = await org.draft_order("VPN-HOME")
    stream = await subscribed(org)
    await stream.next()
    await control.approve_order(org.sandbox, order)
    [event] = await stream.events(1)
    assert (event.header["recordIds"], event.header["changeOrigin"]) == ([order], "")
    assert (event.body["Status"], event.body["StatusCode"]) == ("Approved", "Activated")
    assert event.body["AccountId"] == org.account_id()
    assert {"Status", "StatusCode", "ActivatedDate"} <= event.changed
    assert "AccountId" not in event.changed


async def test_resuming_gives_exactly_what_came_after(org: Salesforce) -> None:
    await phone(org, "1", "2", "3")
    everything = await subscribed(org, preset=wire.EARLIEST)
    first, second, third = await everything.events(3)
    resumed = await subscribed(org, preset=wire.CUSTOM, replay=first.replay)
    assert [each.event_id for each in await resumed.events(2)] == [second.event_id, third.event_id]
    shortened = await subscribed(org, preset=wire.CUSTOM, replay=second.replay[:8])
    assert [each.event_id for each in await shortened.events(1)] == [third.event_id]
    latest = await subscribed(org)
    quiet = await latest.next()
    await phone(org, "4")
    [fourth] = await latest.events(1)
    after_quiet = await subscribed(org, preset=wire.CUSTOM, replay=quiet.latest_replay_id)
    assert [each.event_id for each in await after_quiet.events(1)] == [fourth.event_id]


async def test_credit_is_counted(org: Salesforce) -> None:
    await phone(org, "1", "2", "3")
    stream = await subscribed(org, preset=wire.EARLIEST, credit=2)
    response = await stream.next()
    assert (len(response.events), response.pending_num_requested) == (2, 0)
    await stream.ask(credit=500)
    response = await stream.next()
    assert (len(response.events), response.pending_num_requested) == (1, 99)


async def test_quiet_streams_are_kept_alive_and_idle_ones_closed(org: Salesforce) -> None:
    turn(org.sandbox, "keepalive_seconds", "0.05")
    turn(org.sandbox, "idle_seconds", "0.05")
    stream = await subscribed(org)
    first, second = await stream.next(), await stream.next()
    assert not first.events
    assert not second.events
    assert second.latest_replay_id > first.latest_replay_id
    await phone(org, "1")
    poor = await subscribed(org, preset=wire.EARLIEST, credit=1)
    await poor.events(1)
    assert await poor.call.read() is grpc.aio.EOF
    assert await poor.call.code() == grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"topic": "/data/ContactChangeEvent"}, "NOT_FOUND", "topic.not.found"),
        ({"credit": 0}, "INVALID_ARGUMENT", "subscription.fetch.requested.events.invalid"),
        ({"preset": wire.CUSTOM}, "INVALID_ARGUMENT", "subscription.fetch.replayid.validation.failed"),
        (
            {"preset": wire.CUSTOM, "replay": b"\0\0\0\0\0\0\0\1\0\0"},
            "INVALID_ARGUMENT",
            "subscription.fetch.replayid.corrupted",
        ),
    ],
)
async def test_wrong_requests(org: Salesforce, asked: dict[str, Any], status: str, code: str) -> None:
    stream = await subscribed(org, **asked)
    assert await stream.error_code() == (status, PREFIX + code)
    assert "rpcId: " in await stream.call.details()


@pytest.mark.parametrize("change", [{"accesstoken": "forged"}, {"tenantid": "00D5g00000PRTCO"}, {"instanceurl": ""}])
async def test_metadata_is_checked(org: Salesforce, change: dict[str, str]) -> None:
    stream = Subscription(org, org.pubsub_channel, **change)
    await stream.ask(PORTAL_CHANNEL)
    assert await stream.error_code() == ("UNAUTHENTICATED", PREFIX + "service.auth.error")


async def test_buttons_end_streams(org: Salesforce) -> None:
    buttons = {button.name: button for button in control.BUTTONS}
    stream = await subscribed(org)
    position = (await stream.next()).latest_replay_id
    await buttons["disconnect"].press(org.sandbox, {"status": ""})
    assert await stream.error_code() == ("UNAVAILABLE", PREFIX + "service.unavailable")
    await buttons["expire-replay"].press(org.sandbox, {"now": ""})
    lost = await subscribed(org, preset=wire.CUSTOM, replay=position)
    assert await lost.error_code() == ("INVALID_ARGUMENT", PREFIX + "subscription.fetch.replayid.corrupted")
    again = await subscribed(org, preset=wire.CUSTOM, replay=position)
    await again.next()
    await buttons["disconnect"].press(org.sandbox, {"status": "UNAUTHENTICATED"})
    assert (await again.error_code())[0] == "UNAUTHENTICATED"


async def test_down_and_reset_end_streams(org: Salesforce) -> None:
    stream = await subscribed(org)
    position = (await stream.next()).latest_replay_id
    org.sandbox.dials.turn(Dial("pubsub", "down", times=1))
    assert (await stream.error_code())[0] == "UNAVAILABLE"
    refused = await subscribed(org)
    assert (await refused.error_code())[0] == "UNAVAILABLE"
    healthy = await subscribed(org)
    await healthy.next()
    org.sandbox.store.clear()
    seed(org.sandbox)
    for start_over in org.sandbox.on_reset:
        await start_over()
    assert (await healthy.error_code())[0] == "UNAVAILABLE"
    await org.sign_in()
    forgotten = await subscribed(org, preset=wire.CUSTOM, replay=position)
    assert await forgotten.error_code() == ("INVALID_ARGUMENT", PREFIX + "subscription.fetch.replayid.corrupted")


async def test_the_tls_port_has_the_private_authority(org: Salesforce) -> None:
    authority = Keys(org.sandbox.settings.folder).authority.read_bytes()
    credentials = grpc.ssl_channel_credentials(authority)
    async with grpc.aio.secure_channel(f"localhost:{org.sandbox.settings.pubsub_tls_port}", credentials) as channel:
        stream = await Subscription(org, channel).ask(PORTAL_CHANNEL)
        assert not (await stream.next()).events
        await phone(org, "1")
        [event] = await stream.events(1)
        assert event.body["Phone"] == "1"


async def test_a_burst_arrives_whole_and_in_order(org: Salesforce) -> None:
    stream = await subscribed(org, credit=100)
    await stream.next()
    await phone(org, *(str(number) for number in range(150)))
    found = await stream.events(100)
    await stream.ask(credit=100)
    found += await stream.events(50)
    assert [event.body["Phone"] for event in found] == [str(number) for number in range(150)]
