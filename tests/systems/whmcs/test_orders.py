"""Orders: placed with their markers, found again, accepted and cancelled, each as often as one likes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from portico.customer import WhmcsClientId
from portico.errors import NotFound, PorticoError, SetupWrong, SystemDown, SystemRefused, SystemSurprised
from portico.money import Money
from portico.systems.whmcs import orders, services
from portico.systems.whmcs.client import Whmcs, build_whmcs
from portico.systems.whmcs.orders import NewServiceLine
from portico_sandbox.dials import Dial
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.control import close_client
from tests.systems.whmcs.conftest import settings_for
from tests.systems.whmcs.quirks import QUIRKS

ALICE, KEN = WhmcsClientId(4012), WhmcsClientId(4011)
EID = "89049032000008880000000000009901"
LINES = [
    NewServiceLine(32, "monthly", Money(Decimal(1780), "JPY"), "802A", line_number="07012345678", eid=EID),
    NewServiceLine(36, "one_time", None, "802B"),
]


async def place(whmcs: Whmcs, client_id: WhmcsClientId = ALICE) -> orders.OrderPlaced:
    return await orders.add_order(whmcs, client_id, "stripe", LINES)


async def test_each_line_becomes_a_service_with_its_marker(whmcs: Whmcs) -> None:
    placed = await place(whmcs)
    made = {service.order_item: service for service in await services.get_clients_products(whmcs, ALICE)}
    assert {service.id for service in made.values()} == set(placed.service_ids)
    esim, fee = made["802A"], made["802B"]
    assert (esim.order_id, esim.product_id, esim.status) == (placed.order_id, 32, "pending")
    assert (esim.line_number, esim.eid) == ("07012345678", EID)
    assert esim.recurring == Money(Decimal(1780), "JPY")
    assert (fee.billing_cycle, str(fee.first_payment)) == ("one_time", "¥3,000")
    assert placed.invoice_id is not None


async def test_no_mail_goes_out(sandbox: Sandbox, whmcs: Whmcs) -> None:
    await place(whmcs)
    assert not [line for line in sandbox.ledger.lines("whmcs") if "mail" in line["effect"].lower()]


async def test_orders_are_found_by_the_markers_of_their_items(whmcs: Whmcs) -> None:
    placed = await place(whmcs)
    assert await orders.find_orders_by_marker(whmcs, ALICE, {"802A", "802B"}) == [placed.order_id]
    assert await orders.find_orders_by_marker(whmcs, ALICE, {"802X"}) == []
    assert await orders.find_orders_by_marker(whmcs, KEN, {"802A"}) == []
    assert await orders.find_orders_by_marker(whmcs, KEN, {""}) != [placed.order_id]


@pytest.mark.parametrize("fault", ["commit_then_hang", "malformed"])
async def test_a_lost_answer_leaves_an_order_that_its_markers_find(sandbox: Sandbox, fault: Any) -> None:
    whmcs = build_whmcs(settings_for(sandbox, write_seconds=1))
    sandbox.dials.turn(Dial("whmcs", fault, call="AddOrder", times=1))
    with pytest.raises(SystemDown if fault == "commit_then_hang" else SystemSurprised):
        await place(whmcs)
    (order_id,) = await orders.find_orders_by_marker(whmcs, ALICE, {"802A"})
    assert (await orders.get_order(whmcs, ALICE, order_id)).status == "pending"
    assert len(sandbox.ledger.lines("whmcs", "AddOrder")) == 1
    await whmcs.aclose()


async def test_a_warning_leaves_it_open_whether_the_order_was_made(
    whmcs: Whmcs, switch: Callable[[str, str], Any]
) -> None:
    switch("warning", "AddOrder")
    with pytest.raises(SystemSurprised):
        await place(whmcs)


@pytest.mark.parametrize(("name", "value"), QUIRKS)
async def test_an_order_reads_the_same_in_every_shape(
    whmcs: Whmcs, switch: Callable[[str, str], Any], name: str, value: str
) -> None:
    placed = await place(whmcs)
    usual = await orders.get_order(whmcs, ALICE, placed.order_id)
    assert {line.service_id for line in usual.lines} == set(placed.service_ids)
    assert {line.billing_cycle for line in usual.lines} == {"monthly", "one_time"}
    assert usual.placed_at is not None
    switch(name, value)
    assert await orders.get_order(whmcs, ALICE, placed.order_id) == usual
    again = await place(whmcs)
    assert len(again.service_ids) == 2
    assert await orders.find_orders_by_marker(whmcs, ALICE, {"802B"}) == [placed.order_id, again.order_id]


async def test_accepting_twice_is_accepting_once(sandbox: Sandbox, whmcs: Whmcs) -> None:
    placed = await place(whmcs)
    for _ in range(2):
        await orders.accept_order(whmcs, placed.order_id)
    assert (await orders.get_order(whmcs, ALICE, placed.order_id)).status == "active"
    assert len(sandbox.ledger.lines("whmcs", "AcceptOrder")) == 1


async def test_cancelling_twice_is_cancelling_once_and_ends_accepting(whmcs: Whmcs) -> None:
    placed = await place(whmcs)
    for _ in range(2):
        await orders.cancel_order(whmcs, placed.order_id)
    assert (await orders.get_order(whmcs, ALICE, placed.order_id)).status == "cancelled"
    with pytest.raises(SystemRefused) as caught:
        await orders.accept_order(whmcs, placed.order_id)
    assert caught.value.vendor_code == "order_not_pending"
    with pytest.raises(SystemRefused):
        await orders.accept_order(whmcs, 999_999)


async def test_somebody_elses_order_is_not_found(whmcs: Whmcs) -> None:
    placed = await place(whmcs)
    outcomes = set()
    for client_id, order_id in ((KEN, placed.order_id), (ALICE, 999_999)):
        with pytest.raises(PorticoError) as caught:
            await orders.get_order(whmcs, client_id, order_id)
        outcomes.add((type(caught.value), str(caught.value)))
    assert [kind for kind, _ in outcomes] == [NotFound]


async def code_of(whmcs: Whmcs, client_id: WhmcsClientId, gateway: str, *lines: NewServiceLine) -> str:
    with pytest.raises(SystemRefused) as caught:
        await orders.add_order(whmcs, client_id, gateway, lines)
    return caught.value.vendor_code


async def test_refusals_have_codes(sandbox: Sandbox) -> None:
    whmcs = build_whmcs(settings_for(sandbox, field_order_item={"*": 1}))
    assert await code_of(whmcs, ALICE, "nowhere", *LINES) == "gateway_invalid"
    assert await code_of(whmcs, WhmcsClientId(999_999), "stripe", *LINES) == "client_not_found"
    assert await code_of(whmcs, ALICE, "stripe", NewServiceLine(9999, "monthly", None, "802C")) == "product_invalid"
    await close_client(sandbox, {"client_id": str(ALICE)})
    assert await code_of(whmcs, ALICE, "stripe", *LINES) == "client_closed"
    assert sandbox.ledger.lines("whmcs", "AddOrder") == []
    await whmcs.aclose()


async def test_without_a_field_for_the_marker_nothing_is_ordered(sandbox: Sandbox) -> None:
    whmcs = build_whmcs(settings_for(sandbox, field_order_item={"31": 311}))
    with pytest.raises(SetupWrong):
        await place(whmcs)
    assert sandbox.ledger.lines("whmcs", "AddOrder") == []
    await whmcs.aclose()
