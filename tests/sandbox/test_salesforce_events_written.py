"""What is written into the log of change events beyond the plain case: kinds, sizes, schemas, channels, faults."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.dials import Dial
from portico_sandbox.salesforce import control, event_log, rows, wire
from portico_sandbox.salesforce.access import open_object, show_field
from portico_sandbox.salesforce.changes import Caller, changing
from portico_sandbox.salesforce.event_filter import FilterWrong, parse_filter
from portico_sandbox.salesforce.knobs import turn
from portico_sandbox.salesforce.objects import ACCOUNT, ORDER, ORDER_ITEM, PRODUCT2
from portico_sandbox.salesforce.seed import seed
from portico_sandbox.salesforce.sessions import INTEGRATION_USER_ID, STAFF_USER_ID
from portico_sandbox.salesforce.topics import PORTAL_CHANNEL, deliveries, topic_named
from portico_sandbox.sandbox import Sandbox, open_sandbox
from portico_sandbox.store import Row
from portico_sandbox.world import PORTAL_PRICEBOOK_ID
from tests.sandbox.salesforce_calling import Change
from tests.sandbox.serving_apps import fresh_sandbox

PORTAL = Caller(INTEGRATION_USER_ID, "portico", "68.0")
SHIPPED = "/data/Shipped__chn"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = fresh_sandbox(tmp_path)
    seed(sandbox)
    return sandbox


async def press(sandbox: Sandbox, name: str, **fields: str) -> Row:
    button = next(each for each in control.BUTTONS if each.name == name)
    return await button.press(sandbox, fields)


def account_id(sandbox: Sandbox, place: int = 0) -> str:
    return [person.sf_account_id for person in sandbox.world.people if person.role == "free"][place]


def change_account(sandbox: Sandbox, place: int = 0, **fields: Any) -> None:
    with changing(sandbox, PORTAL) as changes:
        rows.update(changes, ACCOUNT, account_id(sandbox, place), fields)


def seen(sandbox: Sandbox, topic_name: str = "/data/ChangeEvents") -> list[Change]:
    """The whole log as a subscriber of the topic would read it."""
    topic = topic_named(sandbox, topic_name)
    assert topic
    found = []
    for entry in event_log.read(sandbox.store, 1, 1000):
        for each in deliveries(sandbox, topic, entry):
            produced = wire.ProducerEvent(id=each.event_id, schema_id=each.schema_id, payload=each.payload)
            number = each.replay.to_bytes(8, "big")
            found.append(Change.read(wire.ConsumerEvent(event=produced, replay_id=number)))
    return found


def new_order(sandbox: Sandbox, *skus: str) -> str:
    with changing(sandbox, PORTAL) as changes:
        start = {"AccountId": account_id(sandbox), "EffectiveDate": "2026-11-23", "Status": "Draft"}
        order = rows.create(changes, ORDER, {**start, "Pricebook2Id": PORTAL_PRICEBOOK_ID})
        for sku in skus:
            entry = sandbox.world.product_by_sku[sku].sf_entry_id
            line = {"OrderId": order, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 500}
            rows.create(changes, ORDER_ITEM, line)
    return order


def test_a_long_text_is_told_as_a_diff(sandbox: Sandbox) -> None:
    old = "\n".join(f"Line {number} of a long description" for number in range(60))
    new = old.replace("Line 7 of", "Line seven of")
    change_account(sandbox, Description=old)
    change_account(sandbox, Description=new)
    whole, diff = seen(sandbox)
    assert (whole.body["Description"], whole.header["diffFields"]) == (old, [])
    assert diff.header["diffFields"] == ["0x010000"]
    assert diff.changed >= {"Description", "LastModifiedDate"}
    lines = diff.body["Description"].split("\n")
    assert lines[:2] == ["--- ", f"+++ {hashlib.sha256(new.encode()).hexdigest()}"]
    assert lines[2].startswith("@@ ")
    assert "+Line seven of a long description" in lines
    assert len(diff.body["Description"]) < len(new)
    turn(sandbox, "diff_texts_from", "0")
    change_account(sandbox, Description=old)
    assert seen(sandbox)[-1].body["Description"] == old


async def test_a_restored_record_is_told_whole(sandbox: Sandbox) -> None:
    order = new_order(sandbox, "VPN-HOME", "OTH-MAIL")
    before = rows.existing(sandbox.store, ORDER, order)
    with changing(sandbox, PORTAL) as changes:
        rows.delete(changes, ORDER, order)
    await press(sandbox, "undelete", id=order)
    told = [event for event in seen(sandbox) if event.header["changeType"] == "UNDELETE"]
    assert [event.header["entityName"] for event in told] == ["Order", "OrderItem", "OrderItem"]
    assert told[0].body["AccountId"] == account_id(sandbox)
    assert told[0].body["OrderNumber"] == before["OrderNumber"]
    assert (told[0].changed, told[0].nulled) == (set(), set())
    assert rows.existing(sandbox.store, ORDER, order)["IsDeleted"] is False
    with pytest.raises(ButtonRefused):
        await press(sandbox, "undelete", id=order)


def test_the_first_change_of_a_transaction_names_the_event(sandbox: Sandbox) -> None:
    order = new_order(sandbox)
    for knob in ("UPDATE", "DELETE"):
        turn(sandbox, "update_then_delete", knob)
        with changing(sandbox, PORTAL) as changes:
            rows.update(changes, ORDER, order, {"Description": knob})
            rows.delete(changes, ORDER, order)
        event = seen(sandbox)[-1]
        assert event.header["changeType"] == knob
        assert event.body["Description"] == (knob if knob == "UPDATE" else None)
        order = new_order(sandbox)


def test_equal_updates_are_one_event(sandbox: Sandbox) -> None:
    with changing(sandbox, PORTAL) as changes:
        for place, phone in enumerate(("1", "1", "2")):
            rows.update(changes, ACCOUNT, account_id(sandbox, place), {"Phone": phone})
    merged, single = seen(sandbox)
    assert merged.header["recordIds"] == [account_id(sandbox, 0), account_id(sandbox, 1)]
    assert single.header["recordIds"] == [account_id(sandbox, 2)]
    assert [merged.header["sequenceNumber"], single.header["sequenceNumber"]] == [1, 2]
    assert len(seen(sandbox, PORTAL_CHANNEL)) == 2  # accounts are not enriched there


async def test_too_large_events_are_gaps_and_too_many_changes_an_overflow(sandbox: Sandbox) -> None:
    turn(sandbox, "largest_event", "100")
    change_account(sandbox, Description="x" * 101)
    gap = seen(sandbox)[-1]
    assert (gap.header["changeType"], gap.header["recordIds"]) == ("GAP_UPDATE", [account_id(sandbox)])
    turn(sandbox, "largest_event", "1000000")
    turn(sandbox, "changes_per_transaction", "3")
    before = len(seen(sandbox))
    order = new_order(sandbox, "VPN-HOME")
    with changing(sandbox, PORTAL) as changes:
        rows.update(changes, ORDER, order, {"Description": "1"})  # with its stamp two changes
        for place in range(3):
            rows.update(changes, ACCOUNT, account_id(sandbox, place), {"Phone": str(place)})
    found = [(each.header["entityName"], each.header["changeType"]) for each in seen(sandbox)[before + 2 :]]
    assert found == [("Order", "UPDATE"), ("Account", "GAP_OVERFLOW")]
    assert seen(sandbox)[-1].header["recordIds"] == ["000000000000000AAA"]


async def test_a_changed_schema_has_a_new_id_and_old_events_keep_theirs(sandbox: Sandbox) -> None:
    change_account(sandbox, Phone="1")
    added = await press(sandbox, "change-schema", entity="Account", field="New__c", before="Industry")
    change_account(sandbox, Phone="2")
    await press(sandbox, "change-schema", entity="Account", field="Fax", removes="yes")
    change_account(sandbox, Phone="3")
    first, second, third = seen(sandbox)
    names = [[field["name"] for field in event.schema["fields"]] for event in (first, second, third)]
    assert "New__c" not in names[0]
    assert names[1].index("New__c") == names[0].index("Industry")
    assert "Fax" not in names[2]
    for event, phone in ((first, "1"), (second, "2"), (third, "3")):
        assert event.body["Phone"] == phone
        assert event.changed == {"Phone", "LastModifiedDate", "LastModifiedById"} - (
            set() if phone == "1" else {"LastModifiedById"}
        )
    assert topic_named(sandbox, "/data/AccountChangeEvent") is not None
    assert added["schema"] != getattr(topic_named(sandbox, "/data/AccountChangeEvent"), "schema_id", "")


def test_what_the_user_may_not_read_is_in_no_event(sandbox: Sandbox) -> None:
    change_account(sandbox, Phone="1")
    show_field(sandbox, ACCOUNT, "Phone", False)
    show_field(sandbox, ACCOUNT, "BillingCity", False)
    with changing(sandbox, Caller(STAFF_USER_ID, through_api=False)) as changes:
        fields = {"Phone": "2", "BillingCity": "Osaka", "BillingStreet": "5", "Fax": "3"}
        rows.update(changes, ACCOUNT, account_id(sandbox), fields)
    before, after = seen(sandbox)
    assert before.body["Phone"] == "1"
    assert "Phone" not in after.body
    assert after.body["BillingAddress"]["City"] is None
    assert after.changed == {"Fax", "BillingAddress.Street", "LastModifiedDate", "LastModifiedById"}
    open_object(sandbox, ACCOUNT, False)
    assert seen(sandbox) == []
    topic = topic_named(sandbox, "/data/AccountChangeEvent")
    assert topic is not None
    assert not topic.can_subscribe


async def test_a_restart_keeps_log_positions_and_schemas(tmp_path: Path) -> None:
    sandbox = fresh_sandbox(tmp_path)
    seed(sandbox)
    await press(sandbox, "change-schema", entity="Account", field="New__c")
    change_account(sandbox, Phone="1")
    position = event_log.newest_replay(sandbox)
    change_account(sandbox, Phone="2")
    before = [event.event_id for event in seen(sandbox)]
    sandbox.store.close()
    again = open_sandbox(sandbox.settings)
    assert [event.event_id for event in seen(again)] == before
    assert event_log.number_after(again, position) == 2
    assert "New__c" in seen(again)[0].body


def test_what_is_rolled_back_leaves_no_trace_in_the_log(sandbox: Sandbox) -> None:
    change_account(sandbox, Phone="1")
    state = event_log.state_of(sandbox.store)
    with pytest.raises(RuntimeError), changing(sandbox, PORTAL) as changes:
        rows.update(changes, ACCOUNT, account_id(sandbox), {"Phone": "2"})
        event_log.write(sandbox.store, changes.tx, [event_log.read(sandbox.store, 1, 1)[0].body], changes.at)
        raise RuntimeError
    assert event_log.state_of(sandbox.store) == state
    assert len(seen(sandbox)) == 1


async def test_objects_are_selected_up_to_the_cap(sandbox: Sandbox) -> None:
    assert topic_named(sandbox, "/data/ContactChangeEvent") is None
    with pytest.raises(ButtonRefused, match="5 objects"):
        await press(sandbox, "select-object", entity="Contact")
    with pytest.raises(ButtonRefused, match="does not publish"):
        await press(sandbox, "select-object", entity="CaseComment")
    await press(sandbox, "select-object", entity="Product2", on="no")
    await press(sandbox, "select-object", entity="Contact")
    assert topic_named(sandbox, "/data/Product2ChangeEvent") is None
    with changing(sandbox, PORTAL) as changes:
        rows.create(changes, PRODUCT2, {"Name": "Unheard"})
        rows.update(changes, ACCOUNT, account_id(sandbox), {"Phone": "1"})
    assert [event.header["entityName"] for event in seen(sandbox)] == ["Account"]


async def test_a_channel_enriches_and_filters(sandbox: Sandbox) -> None:
    await press(
        sandbox, "channel-member", channel=SHIPPED, entity="Order", enriched="OrderNumber,AccountId",
        filter="Status != 'Draft' AND NOT (Type = 'Change')",
    )  # fmt: skip
    kept, dropped = new_order(sandbox), new_order(sandbox)
    for order, fields in ((kept, {"Status": "Pending Review"}), (dropped, {"Type": "Change"})):
        with changing(sandbox, PORTAL) as changes:
            rows.update(changes, ORDER, order, fields)
    with changing(sandbox, PORTAL) as changes:
        rows.update(changes, ORDER, kept, {"Description": "more"})
    events = seen(sandbox, SHIPPED)
    # The filter looks at the record as it is: its creation shows to who reads it after the status was set.
    assert {event.header["recordIds"][0] for event in events} == {kept}
    last = events[-1]
    assert last.changed == {"Description", "LastModifiedDate"}
    assert (last.body["AccountId"], last.body["Status"]) == (account_id(sandbox), "Pending Review")
    assert last.body["OrderNumber"] == rows.existing(sandbox.store, ORDER, kept)["OrderNumber"]
    before = len(seen(sandbox, SHIPPED))
    await press(sandbox, "gap", id=kept)
    gap = seen(sandbox, SHIPPED)[-1]
    assert (len(seen(sandbox, SHIPPED)), gap.body["AccountId"]) == (before + 1, None)
    turn(sandbox, "gaps_pass_filters", "no")
    assert len(seen(sandbox, SHIPPED)) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"enriched": "BillingAddress"},
        {"enriched": "Nothing__c"},
        {"filter": "Status ="},
        {"filter": "Nothing__c = 'x'"},
        {"filter": " AND ".join(f"F{number} = 1" for number in range(11))},
        {"enriched": ",".join(["Name"] * 11)},
        {"channel": "/data/NoChannel"},
    ],
)
async def test_members_that_no_channel_takes(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    with pytest.raises(ButtonRefused):
        await press(sandbox, "channel-member", **{"entity": "Order", "channel": SHIPPED, **wrong})
    assert topic_named(sandbox, SHIPPED) is None


@pytest.mark.parametrize(
    ("text", "is_true"),
    [
        ("A = 'x' OR B = 'y'", True),
        ("A = 'X' AND B = 'n'", False),
        ("NOT A LIKE 'x_'", True),
        ("A LIKE 'X%'", True),
        ("N >= 10 AND N < 10.5", True),
        ("N <> 10", False),
        ("(A = 'n' OR N > 5) AND Z = NULL", True),
        ("T = TRUE AND D > 2026-01-01", True),
        (r"Q = 'it\'s'", True),
        ("Z > 1", False),
    ],
)
def test_filters_are_evaluated(text: str, is_true: bool) -> None:
    values = {"A": "x", "B": "y", "N": 10.0, "Z": None, "T": True, "D": "2026-11-23", "Q": "it's"}
    assert parse_filter(text).test(values) is is_true


@pytest.mark.parametrize("text", ["", "A", "A = ", "A = B", "(A = 1", "A = 1)", "A IN (1)", "A = 1 B = 2", "A ~ 1"])
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(FilterWrong):
        parse_filter(text)


async def test_events_out_of_order_repeated_and_numbered_downwards(sandbox: Sandbox) -> None:
    await press(sandbox, "reorder-events", count="3")
    for phone in ("1", "2"):
        change_account(sandbox, Phone=phone)
    assert seen(sandbox) == []
    change_account(sandbox, Phone="3")
    assert [event.body["Phone"] for event in seen(sandbox)] == ["3", "2", "1"]
    await press(sandbox, "reorder-events", count="5")
    change_account(sandbox, Phone="4")
    assert (await press(sandbox, "reorder-events", count="0"))["released"] == 1
    await press(sandbox, "repeat-events", count="2")
    phones = [event.body["Phone"] for event in seen(sandbox)]
    assert phones == ["3", "2", "1", "4", "1", "4"]
    assert len({event.replay for event in seen(sandbox)}) == 6
    assert len({event.event_id for event in seen(sandbox)}) == 4
    await press(sandbox, "lower-replay", count="1")
    for phone in ("5", "6"):
        change_account(sandbox, Phone=phone)
    *_, before, lower, after = [entry.replay for entry in event_log.read(sandbox.store, 1, 100)]
    assert lower < before < after
    assert [event_log.number_after(sandbox, each) for each in (before, lower, after)] == [7, 8, 9]


async def test_every_record_at_once(sandbox: Sandbox) -> None:
    await press(sandbox, "wildcard", entity="Order")
    await press(sandbox, "gap", id="801*", kind="GAP_DELETE")
    await press(sandbox, "gap", id=f"{account_id(sandbox)},{account_id(sandbox, 1)}")
    found = [(event.header["changeType"], event.header["recordIds"]) for event in seen(sandbox, PORTAL_CHANNEL)]
    assert found == [
        ("UPDATE", ["801*"]),
        ("GAP_DELETE", ["801*"]),
        ("GAP_UPDATE", [account_id(sandbox), account_id(sandbox, 1)]),
    ]
    with pytest.raises(ButtonRefused):
        await press(sandbox, "gap", id=f"{account_id(sandbox)},801*")


async def test_unreadable_events_stay_unreadable(sandbox: Sandbox) -> None:
    sandbox.dials.turn(Dial("pubsub", "malformed", call="Account", times=1))
    change_account(sandbox, Phone="1")
    sandbox.dials.turn(Dial("pubsub", "malformed", call="Account", times=1, code="schema"))
    change_account(sandbox, Phone="2")
    topic = topic_named(sandbox, PORTAL_CHANNEL)
    assert topic
    broken, unknown = (deliveries(sandbox, topic, entry)[0] for entry in event_log.read(sandbox.store, 1, 10))
    assert broken.payload.startswith(b"\xff")
    assert broken.schema_id != unknown.schema_id
    assert json.loads(json.dumps(unknown.schema_id)) not in {topic.schema_id, broken.schema_id}
