"""Orders, over a real socket: created once and whole, read by their owner only."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from portico.customer import SfAccountId
from portico.errors import NotFound, SystemDown, SystemRefused, SystemSurprised
from portico.money import Money
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.orders import (
    NewOrder,
    NewOrderItem,
    OrderExists,
    ShippingAddress,
    create_order,
    find_orders_by_marker,
    find_orders_to_fulfill,
    get_order,
    get_order_to_fulfill,
    get_orders,
    update_fulfillment,
    update_item,
)
from portico.systems.salesforce.sf_id import SfOrderId
from tests.systems.salesforce.stand_in import StandIn

EID = "89033023426200000000001234567890"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def new_order(org: StandIn) -> NewOrder:
    def item(number: int, sku: str, price: int, eid: str | None = None) -> NewOrderItem:
        entry = org.sandbox.world.product_by_sku[sku].sf_entry_id
        return NewOrderItem(entry, 1, Decimal(price), f"item-{number}", eid)

    return NewOrder(
        marker="PTC-Test0001",
        account_id=SfAccountId(org.person("ready").sf_account_id),
        effective_date=date(2026, 11, 23),
        shipping_address=ShippingAddress("Jingumae 1-1-1\nRoom 2", "Shibuya-ku", "Tokyo", "150-0001", "JP"),
        address_changed=True,
        items=(item(0, "MOB-ESIM-3GB", 980, EID), item(1, "MOB-ACT-ESIM", 3000)),
    )


def created(org: StandIn, effect: str = "create Order") -> int:
    return len(org.sandbox.ledger.lines("salesforce", effect))


async def test_an_order_is_created_whole_and_read_back(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    order_id = await create_order(sf, new_order)
    order = await get_order(sf, new_order.account_id, order_id)
    assert order.id == order_id
    assert (order.status, order.status_code, order.is_approved) == ("Pending Review", "Draft", False)
    assert order.effective_date == new_order.effective_date
    assert order.shipping_address == new_order.shipping_address
    assert order.address_changed
    assert order.portal_id == new_order.marker
    assert order.total == Money(Decimal(3980), "JPY")
    assert order.created_at.tzinfo is UTC
    assert order.fulfillment_status == "Pending"
    plan, fee = order.items
    assert (plan.sku, plan.eid, plan.portal_item_id, plan.sim_kind) == ("MOB-ESIM-3GB", EID, "item-0", "eSIM")
    assert (plan.quantity, plan.unit_price, plan.billing_cycle) == (1, Money(Decimal(980), "JPY"), "Monthly")
    assert (plan.freebit_plan_code, plan.whmcs_product_id) == ("PTC_V_3G", 31)
    assert (fee.sku, fee.eid, fee.billing_cycle, fee.item_class) == ("MOB-ACT-ESIM", None, "One time", "Activation")


async def test_a_large_order_is_one_call(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    many = tuple(replace(new_order.items[1], portal_item_id=f"item-{number}") for number in range(230))
    order_id = await create_order(sf, replace(new_order, items=many))
    sf.batch_size = 200
    order = await get_order(sf, new_order.account_id, order_id)
    assert len(order.items) == 230
    assert len({item.id for item in order.items}) == 230


async def test_the_marker_keeps_a_second_order_away(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    order_id = await create_order(sf, new_order)
    with pytest.raises(OrderExists):
        await create_order(sf, new_order)
    assert await find_orders_by_marker(sf, new_order.marker) == [order_id]
    assert created(org) == 1


async def test_twenty_creations_at_once_make_one_order(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    outcomes = await asyncio.gather(*(create_order(sf, new_order) for _ in range(20)), return_exceptions=True)
    assert sorted({type(outcome) for outcome in outcomes}, key=str) == [OrderExists, str]
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert created(org) == 1


async def test_a_wrong_item_leaves_no_order(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    wrong = replace(new_order.items[1], entry_id="01u5g00000eNt99AAC"[:15])
    with pytest.raises(SystemRefused) as caught:
        await create_order(sf, replace(new_order, items=(new_order.items[0], wrong)))
    assert caught.value.vendor_code not in ("PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK")
    assert not isinstance(caught.value, OrderExists)
    assert created(org) == 0
    assert await find_orders_by_marker(sf, new_order.marker) == []


async def test_an_item_of_another_order_is_not_taken_for_our_marker(sf: Salesforce, new_order: NewOrder) -> None:
    await create_order(sf, new_order)
    with pytest.raises(SystemRefused) as caught:
        await create_order(sf, replace(new_order, marker="PTC-Test0002"))
    assert not isinstance(caught.value, OrderExists)
    assert caught.value.vendor_code == "DUPLICATE_VALUE"


async def test_done_but_unanswered_is_unknown_and_found(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    org.dial("commit_then_hang", "composite", times=1)
    with pytest.raises(SystemDown) as caught:
        await create_order(sf, new_order)
    assert caught.value.sent
    assert created(org) == 1
    assert len(await find_orders_by_marker(sf, new_order.marker)) == 1


async def test_done_but_garbled_is_a_surprise_and_found(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    org.dial("malformed", "composite", times=1)
    with pytest.raises(SystemSurprised):
        await create_order(sf, new_order)
    assert len(await find_orders_by_marker(sf, new_order.marker)) == 1


@pytest.mark.parametrize("mode", ["down", "error"])
async def test_trouble_at_their_side_is_unknown_and_not_repeated(
    org: StandIn, sf: Salesforce, new_order: NewOrder, mode: str
) -> None:
    org.dial(mode, "composite", times=1)  # type: ignore[arg-type]
    with pytest.raises(SystemDown) as caught:
        await create_order(sf, new_order)
    assert caught.value.sent
    assert created(org) == 0


async def test_a_lock_inside_is_waited_for(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    org.dial("refuse", "composite", times=2, code="UNABLE_TO_LOCK_ROW")
    order_id = await create_order(sf, new_order)
    assert created(org) == 1
    assert (await get_order(sf, new_order.account_id, order_id)).items


async def test_an_expired_token_does_not_create_twice(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    await sf.ping()
    await org.press("expire-tokens")
    await create_order(sf, new_order)
    assert created(org) == 1


async def test_a_validation_rule_is_a_definite_no(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    org.dial("refuse", "composite", code="FIELD_CUSTOM_VALIDATION_EXCEPTION")
    with pytest.raises(SystemRefused) as caught:
        await create_order(sf, new_order)
    assert caught.value.vendor_code == "FIELD_CUSTOM_VALIDATION_EXCEPTION"


async def test_a_stranger_finds_what_nobody_has(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    order_id = await create_order(sf, new_order)
    stranger = SfAccountId(org.person("ready", 1).sf_account_id)
    for account, wanted in ((stranger, order_id), (stranger, "8015g00000NOBDY"), (new_order.account_id, "801x' OR '")):
        with pytest.raises(NotFound):
            await get_order(sf, account, wanted)
    assert order_id not in {order.id for order in await get_orders(sf, stranger)}


async def test_newest_first(sf: Salesforce, new_order: NewOrder) -> None:
    ids = []
    for number in range(3):
        items = tuple(replace(item, portal_item_id=f"{number}-{item.portal_item_id}") for item in new_order.items)
        ids.append(await create_order(sf, replace(new_order, marker=f"PTC-{number}", items=items)))
    assert [order.id for order in await get_orders(sf, new_order.account_id)][:3] == ids[::-1]


async def test_words_that_we_do_not_know_hide_no_order(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    order_id = await create_order(sf, new_order)
    product = org.sandbox.world.product_by_sku["MOB-ACT-ESIM"].sf_product_id
    for field in ("Item_Class__c", "Billing_Cycle__c", "StockKeepingUnit"):
        await org.press("change-field", type="Product2", id=product, field=field)
    item = (await get_order(sf, new_order.account_id, order_id)).items[1]
    assert (item.sku, item.item_class, item.billing_cycle) == ("", None, None)
    assert (await get_order_to_fulfill(sf, order_id)).items[1] == item  # fulfillment parks it, and says why


async def approved(org: StandIn, sf: Salesforce, new_order: NewOrder) -> SfOrderId:
    order_id = await create_order(sf, new_order)
    await org.press("approve-order", order=order_id)
    return order_id


async def test_approved_orders_are_found_until_fulfillment_began(
    org: StandIn, sf: Salesforce, new_order: NewOrder
) -> None:
    order_id = await create_order(sf, new_order)
    assert await find_orders_to_fulfill(sf, LONG_AGO) == []
    await org.press("approve-order", order=order_id)
    assert await find_orders_to_fulfill(sf, LONG_AGO) == [order_id]
    assert await find_orders_to_fulfill(sf, org.sandbox.clock.now() + timedelta(hours=1)) == []
    now = org.sandbox.clock.now()
    await update_fulfillment(sf, order_id, status="Pending", error_code=None, error_message=None, updated_at=now)
    assert await find_orders_to_fulfill(sf, LONG_AGO) == [order_id]
    await update_fulfillment(sf, order_id, status="In Progress", error_code=None, error_message=None, updated_at=now)
    assert await find_orders_to_fulfill(sf, LONG_AGO) == []


async def test_staff_read_why_it_stands_still(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    order_id = await approved(org, sf, new_order)
    now = org.sandbox.clock.now()
    for _ in range(2):
        await update_fulfillment(
            sf,
            order_id,
            status="On Hold",
            error_code="PAYMENT_METHOD_MISSING",
            error_message="x" * 5000,
            updated_at=now,
            whmcs_order_id="77",
        )
    order = await get_order_to_fulfill(sf, order_id)
    assert (order.fulfillment_status, order.error_code, order.whmcs_order_id) == (
        "On Hold",
        "PAYMENT_METHOD_MISSING",
        "77",
    )
    assert len(order.error_message or "") == 255
    await update_fulfillment(sf, order_id, status="Completed", error_code="", error_message="", updated_at=now)
    order = await get_order_to_fulfill(sf, order_id)
    assert (order.error_code, order.error_message, order.whmcs_order_id) == (None, None, "77")
    assert order.account_id == new_order.account_id


async def test_items_tell_what_became_of_them(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    order_id = await approved(org, sf, new_order)
    item = (await get_order_to_fulfill(sf, order_id)).items[0]
    await update_item(sf, item.id, whmcs_service_id="501", iccid="8981100000000000001", activation_status="Activated")
    await update_item(sf, item.id, line_number="08012345678")
    await update_item(sf, item.id)
    item = (await get_order_to_fulfill(sf, order_id)).items[0]
    assert (item.whmcs_service_id, item.iccid, item.line_number) == ("501", "8981100000000000001", "08012345678")
    assert (item.activation_status, item.eid) == ("Activated", EID)


async def test_an_order_without_items_is_not_adopted(org: StandIn, sf: Salesforce, new_order: NewOrder) -> None:
    body = {"AccountId": new_order.account_id, "EffectiveDate": "2026-11-23", "Status": "Pending Review"}
    await sf.call(
        "POST", "/sobjects/Order", name="POST row", repeatable=False, body={**body, "Portal_Order_Id__c": "PTC-half"}
    )
    with pytest.raises(SystemSurprised):
        await find_orders_by_marker(sf, "PTC-half")


async def test_an_unknown_order_is_not_found(sf: Salesforce) -> None:
    for order_id in ("8015g00000NOBDY", "nonsense"):
        with pytest.raises(NotFound):
            await get_order_to_fulfill(sf, order_id)
