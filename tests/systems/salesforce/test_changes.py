"""The stream of change events, over a real socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portico.customer import SfAccountId
from portico.errors import SetupWrong, SystemDown
from portico.systems.http import in_transaction
from portico.systems.salesforce.bitmaps import EVERYTHING
from portico.systems.salesforce.changes import ReplayLost
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.exact_json import decode
from tests.systems.salesforce.listening import listening
from tests.systems.salesforce.stand_in import StandIn

STAMPS = {"LastModifiedDate", "LastModifiedById"}  # the second only where another user wrote last


@pytest.fixture
def account_id(org: StandIn) -> SfAccountId:
    return SfAccountId(org.person("ready").sf_account_id)


async def test_a_change_by_staff_arrives_with_its_fields(org: StandIn, sf: Salesforce, account_id: str) -> None:
    async with listening(sf) as stream:
        await org.press("change-eligibility", account=account_id, eligibility="VPN")
        [event] = await stream.events(1)
    assert (event.entity, event.change_type, event.record_ids) == ("Account", "UPDATE", (account_id,))
    assert event.changed_fields == {"Eligibility__c", "LastModifiedDate"}
    assert event.commit_at is not None
    assert event.commit_at.tzinfo is UTC
    assert abs(event.commit_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert not event.own
    assert event.problem is None
    assert stream.position == event.replay_id


async def test_parts_of_an_address_are_named(sf: Salesforce, account_id: str) -> None:
    async with listening(sf) as stream:
        await sf.update("Account", account_id, {"BillingCity": "Osaka"}, name="update Account")
        [event] = await stream.events(1)
    assert event.changed_fields == {"BillingAddress", "BillingAddress.City", *STAMPS}


async def test_a_field_that_was_emptied_counts_as_changed(org: StandIn, sf: Salesforce, account_id: str) -> None:
    async with listening(sf) as stream:
        await org.press("change-eligibility", account=account_id, eligibility="")
        [event] = await stream.events(1)
    assert "Eligibility__c" in event.changed_fields


async def test_our_own_writes_are_known(org: StandIn, sf: Salesforce, account_id: str) -> None:
    async with listening(sf) as stream, org.connection(client_name="somebody") as other:
        await sf.update("Account", account_id, {"Phone": "1"}, name="update Account")
        await other.update("Account", account_id, {"Phone": "2"}, name="update Account")
        own, foreign = await stream.events(2)
    assert (own.own, foreign.own) == (True, False)


async def test_orders_carry_their_account_and_items_their_order(org: StandIn, sf: Salesforce, account_id: str) -> None:
    body = {"AccountId": account_id, "EffectiveDate": "2026-11-23", "Status": "Pending Review"}
    entry = org.sandbox.world.product_by_sku["VPN-HOME"].sf_entry_id
    async with listening(sf) as stream:
        order_id = await insert(sf, "Order", {**body, "Pricebook2Id": sf.settings.pricebook_id})
        item_id = await insert(
            sf, "OrderItem", {"OrderId": order_id, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 500}
        )
        await sf.update("OrderItem", item_id, {"Line_Number__c": "080"}, name="update OrderItem")
        await org.press("approve-order", order=order_id)
        made, item_made, item_changed, activated = await stream.events(4)
    assert (made.entity, made.change_type, made.account_id) == ("Order", "CREATE", account_id)
    assert made.changed_fields == EVERYTHING
    assert (item_made.order_id, item_changed.order_id) == (order_id, order_id)
    assert item_changed.changed_fields == {"Line_Number__c", "LastModifiedDate"}
    assert (activated.account_id, activated.record_ids) == (account_id, (order_id,))
    assert {"Status", "StatusCode"} <= activated.changed_fields


async def test_it_goes_on_after_the_stored_position(org: StandIn, sf: Salesforce) -> None:
    async with listening(sf) as stream:
        await org.press("change-price", sku="VPN-HOME", net="501")
        await stream.events(1)
    for price in ("502", "503"):
        await org.press("change-price", sku="VPN-HOME", net=price)
    async with listening(sf, stream.position) as again:
        events = await again.events(2)
    assert [event.entity for event in events] == ["PricebookEntry"] * 2
    assert len({event.event_id for event in events}) == 2


async def test_earliest_brings_all_that_is_kept(org: StandIn, sf: Salesforce) -> None:
    for price in ("501", "502", "503"):
        await org.press("change-price", sku="VPN-HOME", net=price)
    async with listening(sf, "earliest") as stream:
        assert len(await stream.events(3)) == 3


async def test_a_duplicate_has_the_same_event_id(org: StandIn, sf: Salesforce) -> None:
    async with listening(sf) as stream:
        org.pubsub_dial("duplicate_events", times=1)
        await org.press("change-price", sku="VPN-HOME", net="501")
        one, two = await stream.events(2)
    assert one.event_id == two.event_id
    assert one.replay_id != two.replay_id


async def test_gaps_name_records_and_overflow_names_none(org: StandIn, sf: Salesforce, account_id: str) -> None:
    async with listening(sf) as stream:
        await org.press("gap", id=account_id)
        await org.press("overflow", entity="Order")
        gap, overflow = await stream.events(2)
    assert (gap.is_gap, gap.is_overflow, gap.record_ids) == (True, False, (account_id,))
    assert gap.changed_fields == EVERYTHING
    assert (overflow.entity, overflow.is_overflow, overflow.concerns_all) == ("Order", True, True)


async def test_a_lost_position_is_said(org: StandIn, sf: Salesforce) -> None:
    with pytest.raises(ReplayLost):
        async with listening(sf, b"no such position") as stream:
            await stream.batch()
    async with listening(sf) as stream:
        await org.press("expire-replay", now="yes")
        with pytest.raises(SystemDown):
            await stream.batch()
    with pytest.raises(ReplayLost):
        async with listening(sf, stream.position) as stream:
            await stream.batch()


async def test_a_cut_stream_is_down(org: StandIn, sf: Salesforce) -> None:
    async with listening(sf) as stream:
        await org.press("disconnect")
        with pytest.raises(SystemDown, match="UNAVAILABLE") as caught:
            await stream.batch()
    assert caught.value.system == "pubsub"


async def test_a_refused_token_is_minted_anew_unseen(org: StandIn, sf: Salesforce) -> None:
    async with listening(sf) as stream:
        before = await sf.token.get()
        await org.press("disconnect", status="UNAUTHENTICATED")
        await org.press("change-price", sku="VPN-HOME", net="501")
        assert len(await stream.events(1)) == 1
    assert await sf.token.get() is not before


async def test_an_expired_token_at_the_start_is_minted_anew(org: StandIn, sf: Salesforce) -> None:
    await sf.ping()
    await org.press("expire-tokens")
    async with listening(sf):
        pass


async def test_a_topic_that_is_not_there_is_an_operators_matter(sf: Salesforce) -> None:
    with pytest.raises(SetupWrong):
        async with listening(sf, topic="/data/Nothing__chn"):
            pass


async def test_nobody_there_is_down(org: StandIn) -> None:
    async with org.connection(pubsub_address="127.0.0.1:1") as sf:
        with pytest.raises(SystemDown) as caught:
            async with listening(sf):
                pass
    assert caught.value.system == "pubsub"


async def test_silence_is_noticed(org: StandIn) -> None:
    async with org.connection(pubsub_silence_seconds=0.2) as sf, listening(sf) as stream:
        with pytest.raises(SystemDown, match="silent"):
            await stream.batch()


async def test_keepalives_bring_a_position_without_events(org: StandIn) -> None:
    await org.press("turn-knob", name="keepalive_seconds", value="0.05")
    async with org.connection(pubsub_silence_seconds=1) as sf, listening(sf) as stream:
        batch = await stream.batch()
    assert batch.events == ()
    assert batch.position


async def test_over_tls(org: StandIn) -> None:
    async with org.connection(tls=True) as sf, listening(sf) as stream:
        await org.press("change-price", sku="VPN-HOME", net="501")
        assert len(await stream.events(1)) == 1


async def test_more_events_than_the_credit_of_a_stream(org: StandIn, sf: Salesforce) -> None:
    async with listening(sf) as stream:
        for number in range(350):
            await org.press("change-price", sku="VPN-HOME", net=str(500 + number))
        events = await stream.events(350)
    assert len({event.event_id for event in events}) == 350
    assert [event.commit_at for event in events] == sorted(event.commit_at for event in events if event.commit_at)


async def test_not_inside_a_transaction(sf: Salesforce) -> None:
    token = in_transaction.set(True)
    try:
        with pytest.raises(RuntimeError):
            async with listening(sf):
                pass
    finally:
        in_transaction.reset(token)


async def insert(sf: Salesforce, entity: str, body: dict[str, Any]) -> str:
    reply = await sf.call("POST", f"/sobjects/{entity}", name="POST row", repeatable=False, body=body)
    return str(decode(reply.body)["id"])
