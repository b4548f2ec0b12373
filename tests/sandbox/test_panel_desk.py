"""The desk shows what waits in all three systems, and its buttons end the waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import psycopg
import pytest

from portico_sandbox import stand_ins
from portico_sandbox.freebit.esim import add_account
from portico_sandbox.panel.app import build_app
from portico_sandbox.panel.desk import AT_MOST, Task, desk_of
from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Caller, changing
from portico_sandbox.salesforce.objects import CASE, ORDER, ORDER_ITEM
from portico_sandbox.salesforce.sessions import STAFF_USER_ID
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.world import PORTAL_PRICEBOOK_ID
from portico_sandbox.world_types import Person
from tests.sandbox.serving_apps import client_of, fresh_sandbox

EID = "89049032000000000000000000012345"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = fresh_sandbox(tmp_path)
    stand_ins.seed(sandbox)
    return sandbox


@pytest.fixture
async def panel(sandbox: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(build_app(sandbox, stand_ins.BUTTONS, stand_ins.reset)) as client:
        yield client


def customer(sandbox: Sandbox) -> Person:
    return sandbox.world.people[0]


def placed_order(sandbox: Sandbox, *skus: str) -> str:
    with changing(sandbox, Caller(STAFF_USER_ID, through_api=False)) as changes:
        order: Row = {"AccountId": customer(sandbox).sf_account_id, "Pricebook2Id": PORTAL_PRICEBOOK_ID}
        order |= {"Status": "Pending Review", "EffectiveDate": "2026-11-23", "ShippingCity": "千代田区"}
        order_id = rows.create(changes, ORDER, order)
        for sku in skus:
            product = sandbox.world.product_by_sku[sku]
            item: Row = {"OrderId": order_id, "PricebookEntryId": product.sf_entry_id, "Quantity": 1}
            item |= {"UnitPrice": product.net, "EID__c": EID if product.sim_kind == "eSIM" else None}
            rows.create(changes, ORDER_ITEM, item)
    return order_id


def waiting(sandbox: Sandbox) -> list[Task]:
    return desk_of(sandbox, stand_ins.BUTTONS).waiting


def order_row(sandbox: Sandbox, order_id: str) -> Row:
    row = sandbox.store.get(ORDER.table, order_id)
    assert row
    return row


async def test_an_esim_order_is_numbered_and_approved_at_one_press(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    order_id = placed_order(sandbox, "MOB-ESIM-10GB", "MOB-ACT-ESIM")
    [task] = waiting(sandbox)
    assert "田中 健" in task.title
    assert dict(task.facts)["Items"] == "Mobile eSIM 10 GB, eSIM activation fee"
    approve, _cancel = task.actions
    [number] = approve.asked
    assert number.default.isdigit()
    assert number.default in (await panel.get("/")).text

    pressed = await panel.post("/control/salesforce/review-order", json={"order": order_id, "number": number.default})
    assert pressed.is_success, pressed.text
    assert order_row(sandbox, order_id)["StatusCode"] == "Activated"
    numbers = [item["Line_Number__c"] for item in sandbox.store.table(ORDER_ITEM.table).values()]
    assert numbers == [number.default, None]
    assert waiting(sandbox) == []


async def test_another_order_is_approved_without_a_number(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    order_id = placed_order(sandbox, "VPN-HOME")
    approve, cancel = waiting(sandbox)[0].actions
    assert (approve.asked, cancel.asked) == ([], [])
    assert (await panel.post("/control/salesforce/review-order", data=dict(approve.given))).status_code == 303
    assert order_row(sandbox, order_id)["Status"] == "Approved"


async def test_lines_and_cases_wait_until_somebody_acts(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    add_account(sandbox, {"addKind": "N", "eid": EID, "account": "07000009001", "planCode": "PTC_V_3G"})
    with changing(sandbox, Caller(STAFF_USER_ID, through_api=False)) as changes:
        case = {"AccountId": customer(sandbox).sf_account_id, "Subject": "Help", "Origin": "Portal Website"}
        case_id = rows.create(changes, CASE, case)
    line, question = waiting(sandbox)
    assert "07000009001" in line.title
    assert question.title.endswith(": Help")

    await panel.post("/control/freebit/finish-activation", data=dict(line.actions[0].given))
    answer = {"case": case_id, "text": "Solved.", "status": "Closed"}
    assert (await panel.post("/control/salesforce/answer-case", json=answer)).is_success
    assert waiting(sandbox) == []


async def test_unpaid_invoices_are_paid_from_the_desk(sandbox: Sandbox, panel: httpx2.AsyncClient) -> None:
    unpaid = desk_of(sandbox, stand_ins.BUTTONS).unpaid
    assert 1 < len(unpaid) <= AT_MOST
    pressed = await panel.post("/control/whmcs/pay-invoice", data=dict(unpaid[0].actions[0].given))
    assert pressed.status_code == 303
    assert unpaid[0].title not in [task.title for task in desk_of(sandbox, stand_ins.BUTTONS).unpaid]


async def test_the_desk_stays_small(sandbox: Sandbox) -> None:
    for _ in range(AT_MOST + 1):
        placed_order(sandbox, "VPN-HOME")
    assert len(waiting(sandbox)) == AT_MOST


async def test_every_button_can_be_told_apart() -> None:
    names = [(button.system, button.name) for button in stand_ins.BUTTONS]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and "_" not in name for _, name in names)


async def test_the_portals_database_takes_the_new_time(tmp_path: Path, database_url: str) -> None:
    sandbox = fresh_sandbox(tmp_path, portal_database_url=database_url)
    async with (
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as portal,
        client_of(build_app(sandbox, stand_ins.BUTTONS, stand_ins.reset)) as panel,
    ):
        await portal.execute("LISTEN portico_clock")
        for hours, total in ((12, 12), (1.5, 13.5)):
            moved = (await panel.post("/control/clock", json={"hours": hours})).json()
            assert (moved["problem"], moved["offset_seconds"]) == ("", total * 3600)
            row = await (await portal.execute("SELECT id, seconds FROM clock_offset")).fetchone()
            assert row == (1, total * 3600)
        told = [note.channel async for note in portal.notifies(timeout=5, stop_after=2)]
        assert told == ["portico_clock", "portico_clock"]
        assert (await panel.post("/control/reset")).json()["problem"] == ""
        row = await (await portal.execute("SELECT seconds FROM clock_offset")).fetchone()
        assert row == (0,)
