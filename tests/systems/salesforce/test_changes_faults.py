"""The stream of change events against a service that plays scripts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from portico.errors import SetupWrong, SystemDown
from portico.systems.salesforce import changes
from portico.systems.salesforce.bitmaps import EVERYTHING
from portico.systems.salesforce.change_events import ALL, ChangeEvent
from portico.systems.salesforce.changes import ReplayLost, Start
from portico_sandbox.salesforce import wire
from tests.fixtures.until import until
from tests.systems.salesforce.listening import Listening, listening
from tests.systems.salesforce.scripted_pubsub import (
    ORDER_ID,
    SCHEMA,
    SCHEMA_ID,
    Script,
    ending,
    event,
    payload,
    replay,
    scripted_pubsub,
    sending,
)
from tests.systems.salesforce.stand_in import StandIn

PREFIX = "sfdc.platform.eventbus.grpc."


@asynccontextmanager
async def playing(org: StandIn, script: Script, start: Start = "earliest") -> AsyncIterator[Listening]:
    async with (
        scripted_pubsub(script) as address,
        org.connection(pubsub_address=address) as sf,
        listening(sf, start) as stream,
    ):
        yield stream


async def received(org: StandIn, *events: Any, **schemas: Any) -> tuple[list[ChangeEvent], Script]:
    script = Script(sending(*events))
    script.schemas |= schemas
    async with playing(org, script) as stream:
        return await stream.events(len(events)), script


async def one(org: StandIn, **header: Any) -> ChangeEvent:
    events, _ = await received(org, event(1, payload(**header)))
    return events[0]


async def test_the_position_is_that_of_the_last_event(org: StandIn) -> None:
    async with playing(org, Script(sending(event(1), event(2), latest=replay(9)))) as stream:
        await stream.events(2)
    assert stream.position == replay(2)


async def test_an_empty_answer_gives_the_newest_position(org: StandIn) -> None:
    async with playing(org, Script(sending(latest=replay(9)))) as stream:
        assert (await stream.batch()).events == ()
    assert stream.position == replay(9)


@pytest.mark.parametrize(
    ("numbers", "credit", "position"),
    [((1, 2, 2), 0, replay(1)), ((1, 2), 0, replay(1)), ((1, 2, 2), 5, replay(2)), ((2, 2), 0, b"")],
)
async def test_a_position_amid_the_parts_of_one_change_is_not_kept(
    org: StandIn, numbers: tuple[int, ...], credit: int, position: bytes
) -> None:
    """They share a replay id, and the credit may have ended among them: who resumes there never sees the rest."""

    async def play(_: Any, context: Any) -> None:
        parts = [event(number, event_id=f"part {place}") for place, number in enumerate(numbers)]
        await context.write(wire.FetchResponse(events=parts, pending_num_requested=credit))
        await context.read()
        await context.read()

    async with playing(org, Script(play)) as stream:
        await stream.events(len(numbers))
    assert stream.position == position


async def test_time_without_credit_is_counted(org: StandIn) -> None:
    """And more is asked for before the events are decoded: here decoding waits for a schema."""
    metric = "portico_changes_without_credit_seconds_total"
    before = REGISTRY.get_sample_value(metric) or 0
    asked = asyncio.Event()

    async def play(_: Any, context: Any) -> None:
        await context.write(wire.FetchResponse(events=[event(1)], pending_num_requested=0))
        assert (await context.read()).num_requested == 100
        asked.set()
        await context.read()

    script = Script(play)
    async with playing(org, script) as stream:
        await stream.events(1)
        await asked.wait()
    assert (REGISTRY.get_sample_value(metric) or 0) > before


async def test_the_end_of_a_stream_names_the_call(org: StandIn) -> None:
    """It is what the vendor's support asks for."""

    async def play(_: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.INTERNAL, "ended", trailing_metadata=(("rpc-id", "rpc-1"),))

    with pytest.raises(SystemDown, match="rpc-1"):
        async with playing(org, Script(play)) as stream:
            await stream.batch()


async def test_a_schema_is_fetched_once(org: StandIn) -> None:
    _, script = await received(org, *(event(number) for number in range(20)))
    assert script.asked_for == [SCHEMA_ID]


async def test_junk_is_an_event_with_a_problem_and_the_stream_goes_on(org: StandIn) -> None:
    bad = [event(2, b"junk"), event(3, b""), event(4, payload() + b"more"), event(5, b"\xff" * 40)]
    events, _ = await received(org, event(1), *bad, event(6))
    assert [each.problem is None for each in events] == [True, False, False, False, False, True]
    for each in events[1:5]:
        assert (each.entity, each.record_ids, each.changed_fields) == ("Order", ALL, EVERYTHING)
        assert each.concerns_all
    assert events[1].raw == b"junk"
    assert events[1].event_id == "e2"


@pytest.mark.parametrize("schema", [grpc.StatusCode.NOT_FOUND, "no json", "{}", '{"type": "record"}', '"string"'])
async def test_an_event_of_an_unknown_schema_concerns_any_entity(org: StandIn, schema: Any) -> None:
    new = [event(number, schema_id="new") for number in range(2, 12)]
    events, script = await received(org, event(1), *new, new=schema)
    assert [each.entity for each in events] == ["Order"] + [""] * 10
    assert all(each.problem == "unknown schema" for each in events[1:])
    assert script.asked_for.count("new") == 1


async def test_a_schema_that_can_not_be_asked_for_ends_the_stream(org: StandIn) -> None:
    with pytest.raises(SystemDown):
        await received(org, event(1, schema_id="new"), new=grpc.StatusCode.UNAVAILABLE)


async def test_a_new_schema_in_the_middle(org: StandIn) -> None:
    wider = json.loads(json.dumps(SCHEMA))
    wider["fields"].append({"name": "New__c", "type": ["null", "string"], "default": None})
    events, _ = await received(
        org, event(1), event(2, payload(changedFields=["0x08"]) + b"\0", schema_id="wider"), wider=json.dumps(wider)
    )
    assert [each.changed_fields for each in events] == [{"Status"}, {"New__c"}]


@pytest.mark.parametrize("ids", [["801*"], ["000000000000000AAA"], ["000000000000000"], [], [ORDER_ID, "801*"]])
async def test_wildcards_mean_all_records(org: StandIn, ids: list[str]) -> None:
    assert (await one(org, recordIds=ids)).record_ids == ALL


async def test_merged_events_name_every_record_by_18_characters(org: StandIn) -> None:
    second = "8015g1000000002AAA"
    assert (await one(org, recordIds=[ORDER_ID[:15], second])).record_ids == (ORDER_ID, second)


@pytest.mark.parametrize(
    "header",
    [
        {"changedFields": ["0x0F00"]},
        {"changedFields": ["1-0x01"]},
        {"changedFields": ["rubbish"]},
        {"changedFields": []},
        {"changeType": "CREATE", "changedFields": []},
        {"changeType": "GAP_UPDATE", "changedFields": []},
        {"changeType": "DELETE"},
    ],
)
async def test_where_fields_can_not_be_told_everything_changed(org: StandIn, header: dict[str, Any]) -> None:
    found = await one(org, **header)
    assert found.changed_fields == EVERYTHING
    assert found.record_ids == (ORDER_ID,)
    assert found.problem is None


async def test_nulled_and_diffed_fields_changed_too(org: StandIn) -> None:
    found = await one(org, changedFields=[], nulledFields=["0x02"], diffFields=["0x04"])
    assert found.changed_fields == {"AccountId", "Status"}


@pytest.mark.parametrize(
    ("origin", "by_us", "own"),
    [
        ("com/salesforce/api/rest/68.0;client=portico", True, True),
        ("com/salesforce/api/rest/68.0;client=portico;more", True, True),
        ("com/salesforce/api/rest/68.0;client=portico", False, False),
        ("com/salesforce/api/rest/68.0;client=portico2", True, False),
        ("com/salesforce/api/rest/68.0", True, False),
        ("client=portico", True, False),
        ("", True, False),
    ],
)
async def test_own_writes_need_our_name_and_our_user(org: StandIn, origin: str, by_us: bool, own: bool) -> None:
    async with org.connection() as sf:
        user = (await sf.token.get()).user_id if by_us else "0055g00000NOBDY"
    assert (await one(org, changeOrigin=origin, commitUser=user[:15])).own == own


async def test_events_without_an_id_are_told_apart_by_their_transaction(org: StandIn) -> None:
    bodies = [payload(), payload(), payload(sequenceNumber=2), payload(transactionKey="t2")]
    events, _ = await received(org, *(event(n, body, event_id="") for n, body in enumerate(bodies)))
    assert events[0].event_id == events[1].event_id
    assert len({each.event_id for each in events}) == 3


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        ("INVALID_ARGUMENT", "subscription.fetch.replayid.corrupted", ReplayLost),
        ("INVALID_ARGUMENT", "subscription.fetch.replayid.validation.failed", ReplayLost),
        ("INVALID_ARGUMENT", "subscription.fetch.requested.events.invalid", SetupWrong),
        ("RESOURCE_EXHAUSTED", "subscription.limit.exceeded", SystemDown),
        ("RESOURCE_EXHAUSTED", "concurrent.client.limit.exceeded", SystemDown),
        ("UNAVAILABLE", "service.unavailable", SystemDown),
        ("UNAVAILABLE", "", SystemDown),
        ("INTERNAL", "", SystemDown),
        ("PERMISSION_DENIED", "", SetupWrong),
        ("NOT_FOUND", "", SetupWrong),
    ],
)
async def test_each_end_of_a_stream_has_its_meaning(org: StandIn, status: str, code: str, error: type) -> None:
    script = Script(ending(grpc.StatusCode[status], PREFIX + code if code else ""))
    with pytest.raises(Exception, match="pubsub") as caught:
        async with playing(org, script) as stream:
            await stream.batch()
    assert type(caught.value) is error
    pause = getattr(caught.value, "facts", {}).get("pause_seconds")
    assert (pause is not None) == (status == "RESOURCE_EXHAUSTED")


async def test_a_token_that_is_refused_again_ends_it(org: StandIn) -> None:
    script = Script(ending(grpc.StatusCode.UNAUTHENTICATED, PREFIX + "service.auth.error"))
    with pytest.raises(SetupWrong):
        async with playing(org, script) as stream:
            await stream.batch()
    assert script.subscribed == 2


async def test_a_clean_end_is_an_end(org: StandIn) -> None:
    async def end(_: Any, context: Any) -> None:
        await context.write(wire.FetchResponse(events=[event(1)], latest_replay_id=b"1", pending_num_requested=99))

    async with playing(org, Script(end)) as stream:
        assert len(await stream.events(1)) == 1
        with pytest.raises(SystemDown, match="ended"):
            await stream.batch()


async def test_a_topic_that_we_may_not_read(org: StandIn) -> None:
    with pytest.raises(SetupWrong, match="subscribe"):
        async with playing(org, Script(sending(), can_subscribe=False)) as stream:
            await stream.batch()


class Credit:
    """Sends events as long as there is credit, and keeps the books."""

    def __init__(self, events: int) -> None:
        self.to_send = events
        self.sent = 0
        self.asked: list[int] = []
        self.credit = 0
        self.most = 0

    def take(self, asked: int) -> None:
        self.asked.append(asked)
        self.credit += asked
        self.most = max(self.most, self.credit)

    async def subscribe(self, first: Any, context: Any) -> None:
        self.take(first.num_requested)
        while self.sent < self.to_send:
            await self._send_some(context)
            if self.credit < 50:
                self.take((await context.read()).num_requested)
        await context.read()

    async def _send_some(self, context: Any) -> None:
        some = min(self.credit, 30, self.to_send - self.sent)
        events = [event(self.sent + number) for number in range(some)]
        self.credit -= some
        self.sent += some
        await context.write(wire.FetchResponse(events=events, pending_num_requested=self.credit))


async def test_credit_is_topped_up_and_never_above_a_hundred(org: StandIn) -> None:
    books = Credit(1000)
    async with playing(org, Script(books.subscribe)) as stream:
        events = await stream.events(1000)
    assert [each.event_id for each in events] == [f"e{number}" for number in range(1000)]
    assert books.most <= 100
    assert min(books.asked) > 0


async def test_a_slow_taker_bounds_what_waits_but_keeps_the_stream(
    org: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MOST_WAITING", 100)
    monkeypatch.setattr(changes, "LONGEST_WITHOUT_CREDIT", 0.05)
    books = Credit(1000)

    async def drained(first: Any, context: Any) -> None:
        """Asks for more only once the credit is gone."""
        books.take(first.num_requested)
        while books.sent < books.to_send:
            while books.credit:
                await books._send_some(context)
            books.take((await context.read()).num_requested)

    async with playing(org, Script(drained)) as stream:
        first = await stream.batch()
        await until(lambda: books.asked.count(1) >= 2)
        assert books.sent < len(first.events) + 400
        await stream.events(1000 - len(first.events))
