"""Platform events and what clients publish; subscriptions whose position the vendor keeps."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fastavro
import grpc
import pytest

from portico_sandbox.salesforce import control, wire
from portico_sandbox.salesforce.knobs import turn
from portico_sandbox.salesforce.topics import PORTAL_CHANNEL
from portico_sandbox.store import Row
from tests.sandbox.salesforce_calling import Salesforce, Subscription, metadata, salesforce_with_streams

PREFIX = "sfdc.platform.eventbus.grpc."
EVENT = "OrderProvisionRequested__e"
TOPIC = f"/event/{EVENT}"


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    async with salesforce_with_streams(tmp_path) as caller:
        yield caller


async def press(org: Salesforce, button_name: str, **fields: str) -> Row:
    button = next(each for each in control.BUTTONS if each.name == button_name)
    return await button.press(org.sandbox, fields)


async def unary(org: Salesforce, name: str, request: Any, response: Any) -> Any:
    method = org.pubsub_channel.unary_unary(
        f"/{wire.SERVICE}/{name}", type(request).SerializeToString, response.FromString
    )
    return await method(request, metadata=metadata(org))


def bidirectional(org: Salesforce, name: str, request: Any, response: Any) -> Any:
    method = org.pubsub_channel.stream_stream(f"/{wire.SERVICE}/{name}", request.SerializeToString, response.FromString)
    return method(metadata=metadata(org))


async def schema_of(org: Salesforce, schema_id: str) -> Any:
    info = await unary(org, "GetSchema", wire.SchemaRequest(schema_id=schema_id), wire.SchemaInfo)
    return fastavro.parse_schema(json.loads(info.schema_json))


async def produced(org: Salesforce, event_id: str, order: str, **headers: bytes) -> Any:
    """An event of ours, written with the schema that the topic names."""
    topic = await unary(org, "GetTopic", wire.TopicRequest(topic_name=TOPIC), wire.TopicInfo)
    out = io.BytesIO()
    values = {"CreatedDate": 1, "CreatedById": "005", "Order_Id__c": order}
    fastavro.schemaless_writer(out, await schema_of(org, topic.schema_id), values)
    event = wire.ProducerEvent(id=event_id, schema_id=topic.schema_id, payload=out.getvalue())
    for key, value in headers.items():
        event.headers.add(key=key, value=value)
    return event


async def read(org: Salesforce, consumed: Any) -> Any:
    schema = await schema_of(org, consumed.event.schema_id)
    return fastavro.schemaless_reader(io.BytesIO(consumed.event.payload), schema, None)


async def some_events(org: Salesforce, count: int, **asked: Any) -> list[Any]:
    stream = Subscription(org, org.pubsub_channel)
    await stream.ask(**{"topic": TOPIC, "preset": wire.EARLIEST, **asked})
    found: list[Any] = []
    while len(found) < count:
        found += (await stream.next()).events
    return found


async def test_what_is_published_arrives_with_its_id_and_headers(org: Salesforce) -> None:
    topic = await unary(org, "GetTopic", wire.TopicRequest(topic_name=TOPIC), wire.TopicInfo)
    assert (topic.can_publish, topic.can_subscribe) == (True, True)
    events = [await produced(org, "one", "801A", trace=b"\x00\x01"), await produced(org, "two", "801B")]
    answer = await unary(org, "Publish", wire.PublishRequest(topic_name=TOPIC, events=events), wire.PublishResponse)
    assert [result.correlation_key for result in answer.results] == ["one", "two"]
    first, second = await some_events(org, 2)
    assert [first.replay_id, second.replay_id] == [result.replay_id for result in answer.results]
    assert (first.event.id, [(each.key, each.value) for each in first.event.headers]) == ("one", [("trace", b"\0\1")])
    assert (await read(org, second))["Order_Id__c"] == "801B"
    assert answer.schema_id == topic.schema_id == first.event.schema_id


async def test_each_event_is_refused_by_itself(org: Salesforce) -> None:
    good = await produced(org, "good", "801A")
    broken = wire.ProducerEvent(id="broken", schema_id=good.schema_id, payload=good.payload[:-3])
    longer = wire.ProducerEvent(id="longer", schema_id=good.schema_id, payload=good.payload + b"x")
    foreign = wire.ProducerEvent(id="foreign", schema_id="no-such-schema-of-ours", payload=good.payload)
    request = wire.PublishRequest(topic_name=TOPIC, events=[broken, good, longer, foreign])
    answer = await unary(org, "Publish", request, wire.PublishResponse)
    wrong = [result.correlation_key for result in answer.results if result.HasField("error")]
    assert wrong == ["broken", "longer", "foreign"]
    assert {result.error.code for result in answer.results if result.HasField("error")} == {wire.PUBLISH_ERROR}
    assert [each.event.id for each in await some_events(org, 1)] == ["good"]


@pytest.mark.parametrize(
    ("topic", "status", "code"),
    [
        (PORTAL_CHANNEL, "PERMISSION_DENIED", "topic.permission.denied"),
        ("/event/Nothing__e", "NOT_FOUND", "topic.not.found"),
    ],
)
async def test_where_nobody_publishes(org: Salesforce, topic: str, status: str, code: str) -> None:
    request = wire.PublishRequest(topic_name=topic, events=[await produced(org, "x", "801A")])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await unary(org, "Publish", request, wire.PublishResponse)
    trailers: dict[str, Any] = dict(refused.value.trailing_metadata() or ())
    assert (refused.value.code().name, trailers["error-code"]) == (status, PREFIX + code)
    assert trailers["rpc-id"] in (refused.value.details() or "")


async def test_a_publish_stream_answers_each_request(org: Salesforce) -> None:
    call = bidirectional(org, "PublishStream", wire.PublishRequest, wire.PublishResponse)
    event = await produced(org, "one", "801A")
    for topic in (TOPIC, "", TOPIC):
        await call.write(wire.PublishRequest(topic_name=topic, events=[event]))
        [result] = (await call.read()).results
        assert len(result.replay_id) == 10
    await call.write(wire.PublishRequest(topic_name=PORTAL_CHANNEL, events=[event]))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    events = await some_events(org, 3)
    assert [each.event.id for each in events] == ["one"] * 3
    assert len({each.replay_id for each in events}) == 3


async def test_an_idle_publish_stream_is_closed(org: Salesforce) -> None:
    call = bidirectional(org, "PublishStream", wire.PublishRequest, wire.PublishResponse)
    await call.write(wire.PublishRequest(topic_name=TOPIC, events=[await produced(org, "one", "801A")]))
    assert len((await call.read()).results) == 1
    turn(org.sandbox, "idle_seconds", "0")
    assert await call.read() is grpc.aio.EOF


async def test_the_org_publishes_and_a_new_shape_has_a_new_schema(org: Salesforce) -> None:
    await press(org, "publish-platform-event", values='{"Order_Id__c": "801A", "Attempt__c": 2}')
    await press(org, "define-platform-event", name=EVENT, fields="Order_Id__c, Priority__c:double")
    await press(org, "publish-platform-event", values='{"Order_Id__c": "801B", "Priority__c": 1}')
    first, second = await some_events(org, 2)
    assert first.event.schema_id != second.event.schema_id
    assert (await read(org, first))["Attempt__c"] == 2.0
    assert (await read(org, second))["Priority__c"] == 1.0
    await press(org, "define-platform-event", name="Other__e", fields="A__c")
    await press(org, "publish-platform-event", name="Other__e", values='{"A__c": "x"}')
    assert len(await some_events(org, 1, topic="/event/Other__e")) == 1


async def test_a_row_on_the_object_of_an_event_publishes_it(org: Salesforce) -> None:
    values = {"Order_Id__c": "801A", "Attempt__c": 3, "Requested_At__c": "2026-11-23T01:00:00Z"}
    answer = await org.call("POST", f"/sobjects/{EVENT}", values)
    assert (answer.status_code, answer.json()["success"], answer.json()["id"][:3]) == (201, True, "e01")
    [receipt] = answer.json()["errors"]
    assert receipt["statusCode"] == "OPERATION_ENQUEUED"
    [consumed] = await some_events(org, 1)
    record = await read(org, consumed)
    assert consumed.event.id == receipt["message"]
    assert (record["Order_Id__c"], record["Attempt__c"], record["Requested_At__c"]) == ("801A", 3.0, 1795395600000)
    assert record["CreatedById"].startswith("005")
    refused = await org.call("POST", f"/sobjects/{EVENT}", {"Nothing__c": 1})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


async def managed(org: Salesforce, **first: Any) -> Any:
    call = bidirectional(org, "ManagedSubscribe", wire.ManagedFetchRequest, wire.ManagedFetchResponse)
    await call.write(wire.ManagedFetchRequest(**{"developer_name": "Portal", "num_requested": 10, **first}))
    return call


async def managed_events(call: Any, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        found += (await call.read()).events
    return found


async def committed(call: Any, commit: str, replay: bytes) -> Any:
    """Commits and answers what acknowledges it."""
    request = wire.CommitReplayRequest(commit_request_id=commit, replay_id=replay)
    await call.write(wire.ManagedFetchRequest(commit_replay_id_request=request))
    return await acknowledged(call, commit)


async def acknowledged(call: Any, commit: str) -> Any:
    while True:
        response = await call.read()
        assert response is not grpc.aio.EOF
        assert len(response.latest_replay_id) == 10
        if response.HasField("commit_response") and response.commit_response.commit_request_id == commit:
            return response.commit_response


async def test_the_vendor_keeps_the_position(org: Salesforce) -> None:
    made = await press(org, "managed-subscription", name="Portal", default_replay="EARLIEST")
    assert made["id"].startswith("18x")
    for number in range(4):
        await org.update("Account", org.account_id(), Phone=str(number))
    call = await managed(org)
    events = await managed_events(call, 4)
    told = await committed(call, "c1", events[1].replay_id)
    assert (told.replay_id, told.process_time > 0, told.HasField("error")) == (events[1].replay_id, True, False)
    second = await managed(org)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await second.read()
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    by_id = await managed(org, developer_name="", subscription_id=made["id"])
    again = await managed_events(by_id, 2)
    assert [each.event.id for each in again] == [each.event.id for each in events[2:]]


async def test_quick_commits_are_answered_by_the_last(org: Salesforce) -> None:
    await press(org, "managed-subscription", name="Portal", default_replay="EARLIEST")
    for number in range(3):
        await org.update("Account", org.account_id(), Phone=str(number))
    call = await managed(org, num_requested=3)
    events = await managed_events(call, 3)
    for number, event in enumerate(events):
        request = wire.CommitReplayRequest(commit_request_id=str(number), replay_id=event.replay_id)
        await call.write(wire.ManagedFetchRequest(commit_replay_id_request=request))  # without credit
    assert (await acknowledged(call, "2")).replay_id == events[2].replay_id


async def test_a_wrong_commit_ends_the_stream(org: Salesforce) -> None:
    await press(org, "managed-subscription", name="Portal")
    call = await managed(org)
    told = await committed(call, "c1", b"\0" * 10)
    assert told.error.code == wire.COMMIT_ERROR
    with pytest.raises(grpc.aio.AioRpcError):
        while await call.read() is not grpc.aio.EOF:
            pass


async def test_a_lost_position_is_recovered_as_the_subscription_says(org: Salesforce) -> None:
    await press(org, "managed-subscription", name="Portal", default_replay="EARLIEST", error_recovery_replay="LATEST")
    await org.update("Account", org.account_id(), Phone="1")
    call = await managed(org)
    [event] = await managed_events(call, 1)
    await committed(call, "c1", event.replay_id)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    await press(org, "expire-replay", everything="yes")
    again = await managed(org)
    assert not (await again.read()).events
    await org.update("Account", org.account_id(), Phone="2")
    assert len(await managed_events(again, 1)) == 1


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ({"developer_name": "Unknown"}, "NOT_FOUND"),
        ({"developer_name": ""}, "INVALID_ARGUMENT"),
        ({"subscription_id": "18x"}, "INVALID_ARGUMENT"),
        ({"developer_name": "Stopped"}, "FAILED_PRECONDITION"),
        ({"num_requested": 0}, "INVALID_ARGUMENT"),
    ],
)
async def test_subscriptions_that_do_not_run(org: Salesforce, first: dict[str, Any], status: str) -> None:
    await press(org, "managed-subscription", name="Portal")
    await press(org, "managed-subscription", name="Stopped", state="STOP")
    call = await managed(org, **first)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        while await call.read() is not grpc.aio.EOF:
            pass
    assert refused.value.code().name == status


async def test_what_an_admin_deploys_is_there(org: Salesforce) -> None:
    made = {"topicName": PORTAL_CHANNEL, "defaultReplay": "EARLIEST", "errorRecoveryReplay": "LATEST", "state": "RUN"}
    answer = await org.call(
        "POST", "/tooling/sobjects/ManagedEventSubscription", {"FullName": "Portal", "Metadata": made}
    )
    assert answer.status_code == 201
    soql = f"SELECT Id, DeveloperName, Metadata FROM ManagedEventSubscription WHERE Id = '{answer.json()['id'][:15]}'"
    found = (await org.call("GET", f"/tooling/query/?q={quote(soql)}")).json()
    assert (found["size"], found["records"][0]["Metadata"]["topicName"]) == (1, PORTAL_CHANNEL)
    metadata = {
        "eventChannel": "Lines__chn",
        "selectedEntity": "OrderItemChangeEvent",
        "enrichedFields": [{"name": "OrderId"}],
    }
    created = await org.call("POST", "/tooling/sobjects/PlatformEventChannel", {
        "FullName": "Lines__chn", "Metadata": {"channelType": "data", "label": "Lines"},
    })  # fmt: skip
    assert created.status_code == 201
    body = {"FullName": "Lines_chn_OrderItemChangeEvent", "Metadata": metadata}
    assert (await org.call("POST", "/tooling/sobjects/PlatformEventChannelMember", body)).status_code == 201
    order = await org.draft_order("OTH-MAIL")
    [line] = await some_events(org, 1, topic="/data/Lines__chn")
    assert (await read(org, line))["OrderId"] == order
    body = {"FullName": "x", "Metadata": {**metadata, "selectedEntity": "CaseCommentChangeEvent"}}
    refused = await org.call("POST", "/tooling/sobjects/PlatformEventChannelMember", body)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert (await org.call("GET", "/tooling/query?q=DELETE")).json()[0]["errorCode"] == "MALFORMED_QUERY"
