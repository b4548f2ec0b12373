"""Hooks reach the portal signed, each once or as the dials say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portico_sandbox.dials import Dial
from portico_sandbox.settings import Settings
from portico_sandbox.whmcs import control, hooks
from portico_sandbox.whmcs.switches import turn
from tests.sandbox.whmcs_calling import ALICE, ALPHA, KEN, Caller, HookReceiver, hook_receiver, whmcs_open

UNPAID = 9111
ORDER = {"clientid": ALICE, "paymentmethod": "stripe", "pid[0]": 31, "billingcycle[0]": "monthly"}


@dataclass
class Wired:
    whmcs: Caller
    portal: HookReceiver


@pytest.fixture
async def wired(tmp_path: Path) -> AsyncIterator[Wired]:
    async with (
        hook_receiver(Settings().whmcs_hook_secret) as receiver,
        whmcs_open(tmp_path, portal_url=receiver.url) as caller,
    ):
        turn(caller.sandbox, "hook_retry_seconds", "0.01")
        yield Wired(caller, receiver)


async def test_an_event_holds_ids_only_and_is_signed(wired: Wired) -> None:
    await control.create_invoice(
        wired.whmcs.sandbox, {"client_id": str(ALICE), "description": "Help at home", "amount": "1000"}
    )
    await wired.portal.wait_for("InvoiceCreated")
    [event] = wired.portal.events
    assert {name: event[name] for name in ("event", "whmcs_client_id", "ids")} == {
        "event": "InvoiceCreated",
        "whmcs_client_id": ALICE,
        "ids": {"invoice": 88001},
    }
    assert event["at"].endswith("+09:00")
    for _ in range(200):  # the receiver knows of the event before its answer has arrived
        if not hooks.spooled(wired.whmcs.sandbox):
            break
        await asyncio.sleep(0.01)
    assert hooks.spooled(wired.whmcs.sandbox) == []


async def test_a_life_of_an_order_is_told_step_by_step(wired: Wired) -> None:
    made = await wired.whmcs.ok("AddOrder", **ORDER)
    await wired.whmcs.ok("AcceptOrder", orderid=made["orderid"])
    await control.pay_invoice(wired.whmcs.sandbox, {"invoice_id": str(made["invoiceid"])})
    await wired.whmcs.ok("UpdateClientProduct", serviceid=made["serviceids"], domain="070")
    await wired.whmcs.ok("AddCancelRequest", serviceid=made["serviceids"])
    told = ("InvoiceCreated", "AcceptOrder", "AfterModuleCreate", "AddInvoicePayment", "InvoicePaid", "OrderPaid")
    await wired.portal.wait_for(*told, "ServiceEdit", "CancellationRequest")
    assert {event["whmcs_client_id"] for event in wired.portal.events} == {ALICE}
    [paid] = [event for event in wired.portal.events if event["event"] == "OrderPaid"]
    assert paid["ids"] == {"order": made["orderid"], "invoice": made["invoiceid"]}


async def test_clients_cards_and_invoices_are_told_but_not_a_removed_card(wired: Wired) -> None:
    sandbox = wired.whmcs.sandbox
    await wired.whmcs.ok("AddClient", **ALPHA)
    await control.edit_client(sandbox, {"client_id": str(KEN), "city": "港区"})
    await control.remove_cards(sandbox, {"client_id": str(KEN)})
    await control.add_card(sandbox, {"client_id": str(KEN), "last_four": "4242"})
    await control.suspend_service(sandbox, {"service_id": "7011"})
    await wired.whmcs.ok("UpdateInvoice", invoiceid=UNPAID, status="Cancelled")
    await wired.whmcs.ok("UpdateInvoice", invoiceid=UNPAID, status="Unpaid")
    await control.close_client(sandbox, {"client_id": str(ALICE)})
    told = ["ClientAdd", "ClientEdit", "CCUpdate", "AfterModuleSuspend", "InvoiceCancelled", "InvoiceUnpaid"]
    await wired.portal.wait_for(*told, "ClientClose")
    assert sorted(wired.portal.names) == sorted([*told, "ClientClose"])


async def test_a_refused_event_comes_again_with_its_id(wired: Wired) -> None:
    wired.portal.refuse = 2
    await control.add_card(wired.whmcs.sandbox, {"client_id": str(KEN)})
    await wired.portal.wait_for("CCUpdate")
    assert len(wired.portal.ids) == 3
    assert len(set(wired.portal.ids)) == 1


async def test_events_can_be_lost_or_doubled(wired: Wired) -> None:
    dials = wired.whmcs.sandbox.dials
    dials.turn(Dial("whmcs", "drop_events", call="CCUpdate", times=1))
    dials.turn(Dial("whmcs", "duplicate_events", call="InvoiceCancelled", times=1))
    await control.add_card(wired.whmcs.sandbox, {"client_id": str(KEN)})
    await control.cancel_invoice(wired.whmcs.sandbox, {"invoice_id": str(UNPAID)})
    await wired.portal.wait_for("InvoiceCancelled")
    await control.edit_client(wired.whmcs.sandbox, {"client_id": str(KEN), "city": "港区"})
    await wired.portal.wait_for("ClientEdit")
    assert wired.portal.names == ["InvoiceCancelled", "InvoiceCancelled", "ClientEdit"]
    assert len(set(wired.portal.ids)) == 2


async def test_what_could_not_be_sent_is_kept_across_a_restart(tmp_path: Path) -> None:
    async with whmcs_open(tmp_path) as caller:
        await control.add_card(caller.sandbox, {"client_id": str(KEN)})
        [event] = hooks.spooled(caller.sandbox)
        assert event["event"] == "CCUpdate"
        caller.sandbox.store.close()
    async with (
        hook_receiver(Settings().whmcs_hook_secret) as receiver,
        whmcs_open(tmp_path, portal_url=receiver.url),
    ):
        await receiver.wait_for("CCUpdate")
