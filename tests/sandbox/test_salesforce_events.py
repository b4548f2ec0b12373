"""What change events hold: schemas, bitmaps, headers, values, positions in the log."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portico_sandbox.dials import Dial
from portico_sandbox.salesforce import control, event_log, rows, wire
from portico_sandbox.salesforce.avro_schemas import bitmap, schema_by_id, schema_of
from portico_sandbox.salesforce.changes import Caller, Changes, changing
from portico_sandbox.salesforce.objects import ACCOUNT, CONTACT, ENTITIES, ORDER, ORDER_ITEM, PRICEBOOK_ENTRY, PRODUCT2
from portico_sandbox.salesforce.seed import STANDARD_PRICEBOOK_ID, seed
from portico_sandbox.salesforce.sessions import INTEGRATION_USER_ID, STAFF_USER_ID
from portico_sandbox.salesforce.topics import PORTAL_CHANNEL, deliveries, topic_named
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.world import PORTAL_PRICEBOOK_ID
from tests.sandbox.salesforce_calling import Change
from tests.sandbox.serving_apps import fresh_sandbox

PORTAL = Caller(INTEGRATION_USER_ID, "portico", "68.0")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = fresh_sandbox(tmp_path)
    seed(sandbox)
    return sandbox


def account_ids(sandbox: Sandbox) -> list[str]:
    return [person.sf_account_id for person in sandbox.world.people if person.role == "free"]


def logged(sandbox: Sandbox) -> list[event_log.Entry]:
    return event_log.read(sandbox.store, 1, 1000)


def seen(sandbox: Sandbox, topic_name: str = "/data/ChangeEvents") -> list[Change]:
    """The whole log as a subscriber of the topic would read it."""
    topic = topic_named(sandbox, topic_name)
    assert topic
    found = []
    for event in logged(sandbox):
        for each in deliveries(sandbox, topic, event):
            produced = wire.ProducerEvent(id=each.event_id, schema_id=each.schema_id, payload=each.payload)
            consumed = wire.ConsumerEvent(event=produced, replay_id=each.replay.to_bytes(8, "big"))
            found.append(Change.read(consumed))
    return found


def change_account(sandbox: Sandbox, **fields: Any) -> None:
    with changing(sandbox, PORTAL) as changes:
        rows.update(changes, ACCOUNT, account_ids(sandbox)[0], fields)


def test_the_bitmaps_of_real_schemas() -> None:
    assert bitmap(ACCOUNT, ["Industry", "LastModifiedDate"]) == ["0x400800"]
    assert bitmap(ACCOUNT, ["LastModifiedDate", "BillingStreet"]) == ["0x400000", "4-0x01"]
    assert bitmap(ACCOUNT, ["Description", "LastModifiedDate"]) == ["0x410000"]
    assert bitmap(ACCOUNT, ["ShippingGeocodeAccuracy"]) == ["5-0x0100"]
    assert bitmap(ACCOUNT, ["Name"]) == ["0x02"]
    assert bitmap(CONTACT, ["FirstName"]) == ["2-0x02"]
    assert bitmap(ACCOUNT, []) == []


def test_schemas_have_the_shape_of_real_ones() -> None:
    schema = json.loads(schema_of(ACCOUNT).json)
    assert (schema["name"], schema["namespace"]) == ("AccountChangeEvent", "com.sforce.eventbus")
    names = [field["name"] for field in schema["fields"]]
    assert names[0] == "ChangeEventHeader"
    assert not {"Id", "IsDeleted", "SystemModstamp", "BillingStreet"} & set(names)
    by_name = {field["name"]: field for field in schema["fields"]}
    assert by_name["ShippingAddress"]["type"] == ["null", "Address"]
    assert [kind if isinstance(kind, str) else kind["name"] for kind in by_name["Name"]["type"]] == [
        "null",
        "string",
        "Switchable_PersonName",
    ]
    assert by_name["CreatedDate"]["doc"] == "CreatedDate:DateTime"
    assert by_name["Customer_Number__c"]["doc"].startswith("Data:Text:00N")
    for entity in ENTITIES:
        known = schema_of(entity)
        assert len(known.id) == 22
        assert schema_by_id(known.id) == known
    assert len({schema_of(entity).id for entity in ENTITIES}) == len(ENTITIES)


def test_an_update_carries_what_changed_and_nothing_else(sandbox: Sandbox) -> None:
    change_account(sandbox, Phone=None, BillingCity="Osaka", BillingStreet=None, Eligibility__c="VPN")
    [event] = seen(sandbox)
    header = event.header
    assert (header["entityName"], header["changeType"]) == ("Account", "UPDATE")
    assert header["recordIds"] == account_ids(sandbox)[:1]
    assert header["changeOrigin"] == "com/salesforce/api/rest/68.0;client=portico"
    assert header["commitUser"] == INTEGRATION_USER_ID
    assert (header["sequenceNumber"], header["diffFields"]) == (1, [])
    assert header["commitNumber"] > 2**53
    assert abs(header["commitTimestamp"] / 1000 - sandbox.clock.now().timestamp()) < 60
    assert event.changed == {
        "Phone", "Eligibility__c", "LastModifiedDate", "LastModifiedById", "BillingAddress.City",
        "BillingAddress.Street",
    }  # fmt: skip
    assert event.nulled == {"Phone", "BillingAddress.Street"}
    assert event.body["Eligibility__c"] == "VPN"
    assert (event.body["BillingAddress"]["City"], event.body["BillingAddress"]["PostalCode"]) == ("Osaka", None)
    assert event.body["Name"] is None
    assert isinstance(event.body["LastModifiedDate"], int)


def test_staff_changes_have_no_origin(sandbox: Sandbox) -> None:
    with changing(sandbox, Caller(STAFF_USER_ID, through_api=False)) as changes:
        rows.update(changes, ACCOUNT, account_ids(sandbox)[0], {"Phone": "1"})
    [event] = seen(sandbox)
    assert (event.header["changeOrigin"], event.header["commitUser"]) == ("", STAFF_USER_ID)


def order_with_two_lines(sandbox: Sandbox, changes: Changes) -> str:
    start = {"AccountId": account_ids(sandbox)[0], "EffectiveDate": "2026-11-23", "Status": "Draft"}
    order = rows.create(changes, ORDER, {**start, "Pricebook2Id": PORTAL_PRICEBOOK_ID})
    for sku in ("VPN-HOME", "OTH-MAIL"):
        entry = sandbox.world.product_by_sku[sku].sf_entry_id
        line = {"OrderId": order, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 500}
        rows.create(changes, ORDER_ITEM, line)
    return order


def test_a_transaction_is_one_key_and_counted_through(sandbox: Sandbox) -> None:
    with changing(sandbox, PORTAL) as changes:
        rows.create(changes, CONTACT, {"LastName": "Unpublished"})  # takes number 1 and is not published
        order = order_with_two_lines(sandbox, changes)
        rows.update(changes, ORDER, order, {"Description": "final"})
    found = seen(sandbox)
    assert [event.header["entityName"] for event in found] == ["Order", "OrderItem", "OrderItem"]
    assert [event.header["changeType"] for event in found] == ["CREATE"] * 3
    assert [event.header["sequenceNumber"] for event in found] == [2, 3, 4]
    assert len({event.header["transactionKey"] for event in found}) == 1
    assert len({event.replay for event in found}) == 3
    created = found[0].body
    assert (created["Description"], created["StatusCode"]) == ("final", "Draft")
    assert created["EffectiveDate"] == 1795392000000  # midnight UTC of 2026-11-23
    assert found[1].body["UnitPrice"] == 500.0
    assert (found[0].changed, found[0].nulled) == (set(), set())


def test_an_entry_is_created_without_stamps(sandbox: Sandbox) -> None:
    with changing(sandbox, PORTAL) as changes:
        product = rows.create(changes, PRODUCT2, {"Name": "New"})
        entry = {"Product2Id": product, "Pricebook2Id": STANDARD_PRICEBOOK_ID, "UnitPrice": 5}
        rows.create(changes, PRICEBOOK_ENTRY, entry)
    product_event, entry_event = seen(sandbox)
    assert product_event.body["CreatedDate"] is not None
    assert {entry_event.body[name] for name in ("CreatedDate", "CreatedById", "LastModifiedDate")} == {None}
    assert entry_event.body["UnitPrice"] == 5.0


def test_what_is_rolled_back_or_came_and_went_is_not_told(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError), changing(sandbox, PORTAL) as changes:
        rows.create(changes, ACCOUNT, {"Name": "x"})
        raise RuntimeError
    with changing(sandbox, PORTAL) as changes:
        rows.delete(changes, ACCOUNT, rows.create(changes, ACCOUNT, {"Name": "x"}))
    assert logged(sandbox) == []


def test_identical_changes_are_merged_and_the_channel_takes_them_apart(sandbox: Sandbox) -> None:
    with changing(sandbox, PORTAL) as changes:
        order = order_with_two_lines(sandbox, changes)
    before = len(logged(sandbox))
    with changing(sandbox, PORTAL) as changes:
        rows.delete(changes, ORDER, order)
    plain = [event for event in seen(sandbox) if event.header["changeType"] == "DELETE"]
    assert len(logged(sandbox)) == before + 2
    assert [len(event.header["recordIds"]) for event in plain] == [1, 2]
    assert plain[1].body["OrderId"] is None
    enriched = [event for event in seen(sandbox, PORTAL_CHANNEL) if event.header["changeType"] == "DELETE"]
    assert [len(event.header["recordIds"]) for event in enriched] == [1, 1, 1]
    assert enriched[0].body["AccountId"] == account_ids(sandbox)[0]
    assert {event.body["OrderId"] for event in enriched[1:]} == {order}
    assert enriched[1].replay == enriched[2].replay
    assert enriched[1].event_id != enriched[2].event_id


def test_the_channel_enriches_updates(sandbox: Sandbox) -> None:
    with changing(sandbox, PORTAL) as changes:
        order = order_with_two_lines(sandbox, changes)
    with changing(sandbox, PORTAL) as changes:
        rows.update(changes, ORDER, order, {"Fulfillment_Status__c": "Pending"})
    event = seen(sandbox, PORTAL_CHANNEL)[-1]
    assert event.body["AccountId"] == account_ids(sandbox)[0]
    assert event.changed == {"Fulfillment_Status__c", "LastModifiedDate"}
    assert seen(sandbox, "/data/OrderChangeEvent")[-1].body["AccountId"] is None


async def test_gap_and_overflow_are_headers_only(sandbox: Sandbox) -> None:
    account = account_ids(sandbox)[0]
    buttons = {button.name: button for button in control.BUTTONS}
    await buttons["gap"].press(sandbox, {"id": account, "kind": ""})
    await buttons["overflow"].press(sandbox, {"entity": "*"})
    gap, *overflow = seen(sandbox)
    assert (gap.header["changeType"], gap.header["recordIds"]) == ("GAP_UPDATE", [account])
    assert set(gap.body.values()) == {None}
    assert [event.header["recordIds"] for event in overflow] == [["000000000000000AAA"]] * 5
    assert {event.header["changeType"] for event in overflow} == {"GAP_OVERFLOW"}
    assert len(seen(sandbox, PORTAL_CHANNEL)) == 6


def test_lost_and_doubled_events(sandbox: Sandbox) -> None:
    sandbox.dials.turn(Dial("pubsub", "drop_events", call="Account", times=1))
    sandbox.dials.turn(Dial("pubsub", "duplicate_events", times=1))
    change_account(sandbox, Phone="1")
    assert logged(sandbox) == []  # lost: it used the doubling up as well
    sandbox.dials.turn(Dial("pubsub", "duplicate_events", times=1))
    change_account(sandbox, Phone="2")
    first, second = seen(sandbox)
    assert first.event_id == second.event_id
    assert first.replay < second.replay


def test_positions_in_the_log(sandbox: Sandbox) -> None:
    start = event_log.newest_replay(sandbox)
    for phone in ("1", "2", "3"):
        change_account(sandbox, Phone=phone)
    replays = [event.replay for event in logged(sandbox)]
    assert start < replays[0] < replays[1] < replays[2]
    assert event_log.number_after(sandbox, start) == 1
    assert [event_log.number_after(sandbox, each) for each in replays] == [2, 3, 4]
    assert event_log.number_after(sandbox, replays[2] + 1000) is None
    assert event_log.number_after(sandbox, start - 10**9) is None
    sandbox.clock.move(timedelta(hours=40))
    change_account(sandbox, Phone="4")
    sandbox.clock.move(timedelta(hours=33))
    assert event_log.number_after(sandbox, replays[2]) is None  # 73 h old
    assert event_log.oldest_number(sandbox) == 4
    change_account(sandbox, Phone="5")
    assert len(logged(sandbox)) == 2
    assert event_log.oldest_number(sandbox) == 4
