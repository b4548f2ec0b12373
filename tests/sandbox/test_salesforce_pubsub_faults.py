"""The Pub/Sub API when it goes wrong: every fault of the control panel as a subscriber meets it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.dials import Dial
from portico_sandbox.salesforce import control, wire
from portico_sandbox.salesforce.knobs import turn
from portico_sandbox.salesforce.topics import PORTAL_CHANNEL
from portico_sandbox.store import Row
from tests.sandbox.salesforce_calling import Salesforce, Subscription, metadata, salesforce_with_streams

PREFIX = "sfdc.platform.eventbus.grpc."


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    async with salesforce_with_streams(tmp_path) as caller:
        yield caller


async def subscribed(org: Salesforce, **asked: Any) -> Subscription:
    """An open stream; its first response is still to be read."""
    stream = Subscription(org, org.pubsub_channel)
    await stream.ask(**{"topic": PORTAL_CHANNEL, **asked})
    return stream


async def press(org: Salesforce, button_name: str, **fields: str) -> Row:
    button = next(each for each in control.BUTTONS if each.name == button_name)
    return await button.press(org.sandbox, fields)


async def phone(org: Salesforce, *numbers: str) -> None:
    for number in numbers:
        await org.update("Account", org.account_id(), Phone=number)


async def trailers_of(stream: Subscription) -> tuple[str, set[str]]:
    await stream.error_code()
    return (await stream.call.code()).name, {key for key, _ in await stream.call.trailing_metadata()}


async def rest_of(stream: Subscription) -> list[Any]:
    """The responses that still come before the stream ends, however that is."""
    responses = []
    with suppress(grpc.aio.AioRpcError):
        while (response := await stream.call.read()) is not grpc.aio.EOF:
            responses.append(response)
    return responses


async def test_streams_break_every_few_events_and_nothing_is_lost(org: Salesforce) -> None:
    await phone(org, *(str(number) for number in range(10)))
    await press(org, "break-streams", every="3")
    phones: list[str] = []
    asked: dict[str, Any] = {"preset": wire.EARLIEST}
    for _ in range(3):
        stream = await subscribed(org, **asked)
        events = await stream.events(3)
        phones += [event.body["Phone"] for event in events]
        asked = {"preset": wire.CUSTOM, "replay": events[-1].replay}
        status, trailers = await trailers_of(stream)
        assert status == "UNAVAILABLE"
        assert not trailers & {"error-code", "rpc-id"}  # what the network breaks has no trailers
        assert "RST_STREAM" in await stream.call.details()
    await press(org, "break-streams", every="0")
    await press(org, "break-streams", every="1", how="close")
    last = await subscribed(org, **asked)
    phones += [event.body["Phone"] for event in await last.events(1)]
    assert await last.call.read() is grpc.aio.EOF
    assert (await last.call.code(), phones) == (grpc.StatusCode.OK, [str(number) for number in range(10)])


async def test_a_silent_stream_says_nothing(org: Salesforce) -> None:
    turn(org.sandbox, "keepalive_seconds", "0.01")
    stream = await subscribed(org)
    position = (await stream.next()).latest_replay_id
    await press(org, "silence", on="yes")
    await phone(org, "1")
    mute = await subscribed(org, preset=wire.EARLIEST)  # not even that it stands
    while len(org.sandbox.on_events) < 2:  # noqa: ASYNC110 - until both are open
        await asyncio.sleep(0)
    await press(org, "disconnect")
    assert await rest_of(mute) == []
    assert [event for response in await rest_of(stream) for event in response.events] == []
    await press(org, "silence", on="no")
    again = await subscribed(org, preset=wire.CUSTOM, replay=position)
    assert [event.body["Phone"] for event in await again.events(1)] == ["1"]


@pytest.mark.parametrize(
    ("pressed", "status", "has_code"),
    [("OK", "OK", False), ("RST", "UNAVAILABLE", False), ("UNAUTHENTICATED", "UNAUTHENTICATED", True)],
)
async def test_open_streams_are_cut(org: Salesforce, pressed: str, status: str, has_code: bool) -> None:
    stream = await subscribed(org)
    await stream.next()
    await press(org, "disconnect", status=pressed)
    told, trailers = await trailers_of(stream)
    assert (told, "error-code" in trailers) == (status, has_code)


async def test_the_allocation_of_a_day(org: Salesforce) -> None:
    turn(org.sandbox, "deliveries_per_day", "2")
    await phone(org, "1", "2", "3")
    stream = await subscribed(org, preset=wire.EARLIEST, credit=2)
    first = await stream.events(2)
    await stream.ask(credit=1)
    assert await stream.error_code() == ("RESOURCE_EXHAUSTED", PREFIX + "subscription.limit.exceeded")
    refused = await subscribed(org, preset=wire.CUSTOM, replay=first[-1].replay)
    assert await refused.error_code() == ("RESOURCE_EXHAUSTED", PREFIX + "subscription.limit.exceeded")
    turn(org.sandbox, "deliveries_per_day", "0")
    later = await subscribed(org, preset=wire.CUSTOM, replay=first[-1].replay)
    assert [event.body["Phone"] for event in await later.events(1)] == ["3"]


async def test_more_clients_than_may_be(org: Salesforce) -> None:
    turn(org.sandbox, "clients", "1")
    first = await subscribed(org)
    await first.next()
    second = await subscribed(org)
    assert await second.error_code() == ("RESOURCE_EXHAUSTED", PREFIX + "concurrent.client.limit.exceeded")
    turn(org.sandbox, "limit_status", "PERMISSION_DENIED")
    third = await subscribed(org)
    assert (await third.error_code())[0] == "PERMISSION_DENIED"


async def test_single_positions_expire(org: Salesforce) -> None:
    await phone(org, "1", "2", "3")
    stream = await subscribed(org, preset=wire.EARLIEST)
    first, second, third = await stream.events(3)
    await press(org, "expire-replay", position=base64.b64encode(second.replay).decode())
    lost = await subscribed(org, preset=wire.CUSTOM, replay=second.replay)
    assert (await lost.error_code())[1] == PREFIX + "subscription.fetch.replayid.corrupted"
    kept = await subscribed(org, preset=wire.CUSTOM, replay=first.replay)
    assert len(await kept.events(2)) == 2
    await press(org, "expire-replay", everything="yes")
    for event in (first, third):
        gone = await subscribed(org, preset=wire.CUSTOM, replay=event.replay)
        assert (await gone.error_code())[1] == PREFIX + "subscription.fetch.replayid.corrupted"
    with pytest.raises(ButtonRefused):
        await press(org, "expire-replay", position="no base64")


async def test_dead_tokens_end_streams_where_the_knob_says_so(org: Salesforce) -> None:
    stream = await subscribed(org)
    await stream.next()
    await press(org, "expire-tokens")
    await org.sign_in()
    await phone(org, "1")
    assert len(await stream.events(1)) == 1  # as is reported of the real service
    turn(org.sandbox, "dead_tokens_end_streams", "yes")
    assert await stream.error_code() == ("UNAUTHENTICATED", PREFIX + "service.auth.error")


async def test_a_topic_that_may_not_be_read(org: Salesforce) -> None:
    await press(org, "allow-topic", topic=PORTAL_CHANNEL, can_subscribe="no")
    stream = await subscribed(org)
    assert await stream.error_code() == ("PERMISSION_DENIED", PREFIX + "topic.permission.denied")
    method = org.pubsub_channel.unary_unary(
        f"/{wire.SERVICE}/GetTopic", wire.TopicRequest.SerializeToString, wire.TopicInfo.FromString
    )
    topic = await method(wire.TopicRequest(topic_name=PORTAL_CHANNEL), metadata=metadata(org))
    assert topic.can_subscribe is False
    with pytest.raises(ButtonRefused):
        await press(org, "allow-topic", topic="/data/NothingChangeEvent")


async def test_the_topic_of_a_stream_is_fixed_and_authorization_is_not_refreshed(org: Salesforce) -> None:
    stream = await subscribed(org)
    await stream.next()
    await stream.ask(topic="/data/ChangeEvents")
    assert await stream.error_code() == ("INVALID_ARGUMENT", PREFIX + "subscription.fetch.topic.mismatch")
    again = await subscribed(org)
    await again.next()
    await again.call.write(wire.FetchRequest(num_requested=1, auth_refresh="x"))
    assert await again.error_code() == ("UNAUTHENTICATED", PREFIX + "service.auth.refresh.invalid")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("service.auth.error", "UNAUTHENTICATED"),
        ("service.unavailable", "UNAVAILABLE"),
        ("subscription.fetch.replayid.corrupted", "INVALID_ARGUMENT"),
        ("something.new", "UNKNOWN"),
    ],
)
async def test_calls_refused_by_a_dial(org: Salesforce, code: str, status: str) -> None:
    org.sandbox.dials.turn(Dial("pubsub", "refuse", call="Subscribe", times=1, code=code))
    assert await (await subscribed(org)).error_code() == (status, PREFIX + code)
    assert not (await (await subscribed(org)).next()).events


async def test_responses_are_as_small_as_wanted(org: Salesforce) -> None:
    await phone(org, *(str(number) for number in range(4)))
    turn(org.sandbox, "events_per_response", "1")
    trickle = await subscribed(org, preset=wire.EARLIEST)
    assert [len((await trickle.next()).events) for _ in range(4)] == [1, 1, 1, 1]
    turn(org.sandbox, "events_per_response", "100")
    turn(org.sandbox, "largest_response", "1000")
    small = await subscribed(org, preset=wire.EARLIEST)
    sizes = [len((await small.next()).events)]
    while sum(sizes) < 4:
        sizes.append(len((await small.next()).events))
    assert max(sizes) < 4


async def test_large_events_fill_no_response_beyond_three_megabytes(org: Salesforce) -> None:
    turn(org.sandbox, "diff_texts_from", "0")
    for letter in "abcdefgh" * 14:
        await org.update("Account", org.account_id(), Description=letter * 31_000)
    stream = await subscribed(org, preset=wire.EARLIEST, credit=100)
    first = await stream.next()
    assert 90 < len(first.events) < 100
    assert first.ByteSize() < 3_100_000
    assert first.pending_num_requested == 100 - len(first.events)


async def test_a_stream_has_one_credit_of_a_hundred(org: Salesforce) -> None:
    await press(org, "burst-events", count="250")
    stream = await subscribed(org, preset=wire.EARLIEST, credit=1000)
    response = await stream.next()
    assert (len(response.events), response.pending_num_requested) == (100, 0)


async def test_no_greeting_where_the_knob_says_so(org: Salesforce) -> None:
    turn(org.sandbox, "initial_response", "no")
    stream = await subscribed(org)
    reading = asyncio.ensure_future(stream.call.read())
    while not org.sandbox.on_events:  # noqa: ASYNC110 - until the stream stands
        await asyncio.sleep(0)
    await phone(org, "1")
    assert len((await reading).events) == 1
