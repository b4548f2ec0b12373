"""Services, pay methods and gateways: the same in every shape, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from portico.customer import WhmcsClientId
from portico.errors import NotFound, PorticoError, SystemRefused, SystemSurprised
from portico.money import Money
from portico.settings import WhmcsSettings
from portico.systems.whmcs import services
from portico.systems.whmcs.client import Whmcs, build_whmcs
from portico.systems.whmcs.pay_methods import Gateway, get_pay_methods, get_payment_methods, has_usable
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.control import change_card_expiry
from tests.systems.raw_server import answer, raw_server
from tests.systems.whmcs.quirks import QUIRKS

KEN, ALICE, YUKO, SAKURA, AOZORA = (WhmcsClientId(each) for each in (4011, 4012, 4017, 4013, 4014))


async def test_services_newest_first_with_their_fields(whmcs: Whmcs) -> None:
    fiber, esim = await services.get_clients_products(whmcs, KEN)
    assert (fiber.id, esim.id) == (7012, 7011)
    assert (esim.status, esim.billing_cycle, esim.recurring) == ("active", "monthly", Money(Decimal(1980), "JPY"))
    assert esim.line_number == "07000004011"
    assert len(esim.eid) == 32
    assert len(esim.iccid) == 19
    assert esim.next_due is not None
    assert (fiber.line_number, fiber.eid) == ("", "")


async def test_each_status_has_a_word(whmcs: Whmcs) -> None:
    found = await services.get_clients_products(whmcs, YUKO)
    assert {service.status for service in found} == {"active", "pending", "cancelled", "terminated", "suspended"}


@pytest.mark.parametrize(("name", "value"), QUIRKS)
async def test_everything_reads_the_same_in_every_shape(
    whmcs: Whmcs, switch: Callable[[str, str], Any], name: str, value: str
) -> None:
    async def all_of_it() -> list[Any]:
        of_clients = [await services.get_clients_products(whmcs, client) for client in (KEN, YUKO, ALICE, SAKURA)]
        methods = [await get_pay_methods(whmcs, client) for client in (KEN, AOZORA, SAKURA)]
        return [of_clients, methods, await get_payment_methods(whmcs)]

    usual = await all_of_it()
    switch(name, value)
    assert await all_of_it() == usual


async def test_one_service_and_nobody_elses(whmcs: Whmcs) -> None:
    assert (await services.get_client_product(whmcs, KEN, 7011)).id == 7011
    outcomes = set()
    for service_id in (7014, 999_999):
        with pytest.raises(PorticoError) as caught:
            await services.get_client_product(whmcs, KEN, service_id)
        outcomes.add((type(caught.value), str(caught.value)))
    assert [kind for kind, _ in outcomes] == [NotFound]


@pytest.mark.parametrize("semantics", ["merge", "replace"])
async def test_line_details_go_in_and_the_marker_stays(
    whmcs: Whmcs, switch: Callable[[str, str], Any], semantics: str
) -> None:
    switch("custom_fields_update", semantics)
    before = await services.get_client_product(whmcs, KEN, 7011)
    fields = services.with_line(whmcs, before, line_number="07099990000", iccid="8981200000000000001")
    await services.update_client_product(whmcs, 7011, domain="07099990000", custom_fields=fields)
    after = await services.get_client_product(whmcs, KEN, 7011)
    assert (after.line_number, after.iccid, after.domain) == ("07099990000", "8981200000000000001", "07099990000")
    assert (after.eid, after.order_item, after.status) == (before.eid, before.order_item, before.status)


async def test_a_status_can_be_set_and_set_again(whmcs: Whmcs) -> None:
    for _ in range(2):
        await services.update_client_product(whmcs, 7011, status="suspended")
    assert (await services.get_client_product(whmcs, KEN, 7011)).status == "suspended"


async def test_an_unknown_service_is_refused_by_code(whmcs: Whmcs) -> None:
    with pytest.raises(SystemRefused) as caught:
        await services.update_client_product(whmcs, 999_999, status="active")
    assert caught.value.vendor_code == "service_not_found"


async def test_a_cancellation_is_filed_once(sandbox: Sandbox, whmcs: Whmcs) -> None:
    await services.add_cancel_request(whmcs, 7011, at_once=False, reason="Moving away")
    with pytest.raises(SystemRefused) as caught:
        await services.add_cancel_request(whmcs, 7011, at_once=True)
    assert caught.value.vendor_code == "cancellation_exists"
    (line,) = sandbox.ledger.lines("whmcs", "AddCancelRequest")
    assert line["facts"]["type"] == "End of Billing Period"


def test_custom_fields_of_a_product_or_of_all() -> None:
    assert services.product_field({"31": 311, "*": 9}, 31) == 311
    assert services.product_field({"31": 311, "*": 9}, 32) == 9
    assert services.product_field({"31": 311}, 32) is None


async def test_cards_and_whether_they_are_good(sandbox: Sandbox, whmcs: Whmcs) -> None:
    (card,) = await get_pay_methods(whmcs, KEN)
    assert (card.kind, card.last_four, card.brand) == ("card", "4242", "Visa")
    assert card.expires is not None
    assert card.is_usable(card.expires)
    assert not card.is_usable(card.expires + timedelta(days=1))
    assert not hasattr(card, "remote_token")
    await change_card_expiry(sandbox, {"client_id": str(KEN), "months": "-1"})
    today = sandbox.clock.today()
    assert not has_usable(await get_pay_methods(whmcs, KEN), today)
    assert await get_pay_methods(whmcs, SAKURA) == []
    assert not has_usable([], today)


@pytest.mark.parametrize(("name", "value"), [("numbers", "tagged"), *QUIRKS])
async def test_cancellations_read_the_same_in_every_shape(
    whmcs: Whmcs, switch: Callable[[str, str], Any], name: str, value: str
) -> None:
    switch(name, value)
    assert await services.get_cancelled_packages(whmcs) == []
    await services.add_cancel_request(whmcs, 7011, at_once=False)
    assert await services.get_cancelled_packages(whmcs) == [services.Cancellation(7011, at_once=False)]
    await services.add_cancel_request(whmcs, 7012, at_once=True)
    assert set(await services.get_cancelled_packages(whmcs)) == {
        services.Cancellation(7011, at_once=False),
        services.Cancellation(7012, at_once=True),
    }


async def test_gateways(whmcs: Whmcs) -> None:
    assert Gateway("stripe", "Credit Card") in await get_payment_methods(whmcs)


async def read_pay_methods(document: dict[str, Any]) -> list[Any]:
    async with raw_server(answer(200, json.dumps({"result": "success", **document}).encode())) as server:
        whmcs = build_whmcs(WhmcsSettings(url=server.url))
        try:
            return await get_pay_methods(whmcs, WhmcsClientId(4711))
        finally:
            await whmcs.aclose()


async def test_bank_accounts_and_kinds_to_come() -> None:
    rows = [
        {"id": 1, "type": "RemoteBankAccount", "bank_name": "Mizuho &amp; Co", "remote_token": "secret"},
        {"id": 2, "type": "Wallet", "description": "Pay", "expiry_date": ""},
    ]
    bank, other = await read_pay_methods({"clientid": "4711", "paymethods": rows})
    assert (bank.kind, bank.label, bank.expires) == ("bank", "Mizuho & Co", None)
    assert (other.kind, other.is_usable(date(2099, 1, 1))) == ("other", True)
    assert "secret" not in repr(bank)


@pytest.mark.parametrize("owner", [{"clientid": "4712"}, {"clientid": None}, {}])
async def test_pay_methods_of_nobody_or_somebody_else_are_refused(owner: dict[str, Any]) -> None:
    with pytest.raises(SystemSurprised):
        await read_pay_methods({**owner, "paymethods": [{"id": 1, "type": "CreditCard"}]})
