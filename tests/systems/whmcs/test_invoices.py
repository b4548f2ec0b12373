"""Invoices: newest first, drafts out, nobody else's, the same in every shape."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from portico.customer import WhmcsClientId
from portico.errors import NotFound, PorticoError, SystemSurprised
from portico.settings import WhmcsSettings
from portico.systems.whmcs.client import Whmcs, build_whmcs
from portico.systems.whmcs.invoices import InvoiceRow, get_invoice, get_invoices, get_invoices_of
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.control import pay_invoice
from portico_sandbox.whmcs.rows import INVOICES
from tests.systems.raw_server import answer, raw_server
from tests.systems.whmcs.quirks import QUIRKS

KEN, SAKURA, DANIEL, AOZORA = (WhmcsClientId(each) for each in (4011, 4013, 4016, 4014))


async def test_the_list_is_newest_first_and_of_one_client(whmcs: Whmcs) -> None:
    rows = await get_invoices_of(whmcs, KEN)
    assert len(rows) == 11
    assert rows == sorted(rows, key=lambda row: (row.issued or date.min, row.id), reverse=True)
    newest = rows[0]
    assert newest.status == "unpaid"
    assert newest.paid_at is None
    assert newest.total.currency == "JPY"
    assert {row.status for row in rows[1:]} == {"paid"}
    assert all(row.paid_at is not None and row.paid_at.tzinfo is not None for row in rows[1:])


async def test_hundreds_of_invoices_come_whole_and_without_drafts(sandbox: Sandbox, whmcs: Whmcs) -> None:
    stored = [row for row in sandbox.store.table(INVOICES).values() if row["userid"] == AOZORA]
    drafts = [row for row in stored if row["status"] == "Draft"]
    rows = await get_invoices_of(whmcs, AOZORA)
    assert len(rows) == len(stored) - len(drafts)
    assert len({row.id for row in rows}) == len(rows)
    assert drafts
    assert "other" not in {row.status for row in rows}


async def test_a_page_and_a_status(whmcs: Whmcs) -> None:
    page = await get_invoices(whmcs, KEN, offset=2, limit=3)
    everything = await get_invoices_of(whmcs, KEN)
    assert (list(page.rows), page.total) == (everything[2:5], 11)
    unpaid = await get_invoices(whmcs, KEN, status="unpaid")
    assert [row.id for row in unpaid.rows] == [everything[0].id]


@pytest.mark.parametrize(("name", "value"), QUIRKS)
async def test_invoices_read_the_same_in_every_shape(
    sandbox: Sandbox, whmcs: Whmcs, switch: Callable[[str, str], Any], name: str, value: str
) -> None:
    invoice_id = (await get_invoices_of(whmcs, SAKURA))[0].id
    empty_client = WhmcsClientId(4012)
    usual = await get_invoices_of(whmcs, SAKURA), await get_invoice(whmcs, SAKURA, invoice_id)
    switch(name, value)
    assert (await get_invoices_of(whmcs, SAKURA), await get_invoice(whmcs, SAKURA, invoice_id)) == usual
    assert await get_invoices_of(whmcs, empty_client) == []


async def test_one_invoice_with_lines_and_payments(sandbox: Sandbox, whmcs: Whmcs) -> None:
    newest = (await get_invoices_of(whmcs, KEN))[0]
    unpaid = await get_invoice(whmcs, KEN, newest.id)
    assert unpaid.balance == unpaid.total == newest.total
    assert unpaid.subtotal + unpaid.tax == unpaid.total
    assert [line.related_id for line in unpaid.lines] == [7011, 7012]
    assert unpaid.transactions == ()
    await pay_invoice(sandbox, {"invoice_id": str(newest.id)})
    paid = await get_invoice(whmcs, KEN, newest.id)
    assert (paid.status, str(paid.balance)) == ("paid", "¥0")
    assert [payment.amount for payment in paid.transactions] == [newest.total]


async def test_overdue_is_our_own_reckoning(whmcs: Whmcs) -> None:
    row = next(row for row in await get_invoices_of(whmcs, DANIEL) if row.status == "unpaid")
    assert row.due_date is not None
    assert not row.is_overdue(row.due_date)
    assert row.is_overdue(row.due_date + timedelta(days=1))


async def outcome(whmcs: Whmcs, client_id: WhmcsClientId, invoice_id: int) -> tuple[type[PorticoError], str, str]:
    with pytest.raises(PorticoError) as caught:
        await get_invoice(whmcs, client_id, invoice_id)
    return type(caught.value), str(caught.value), str(caught.value.for_customer)


async def test_foreign_unknown_and_draft_invoices_are_all_the_same(sandbox: Sandbox, whmcs: Whmcs) -> None:
    foreign = (await get_invoices_of(whmcs, SAKURA))[0].id
    draft = next(row["id"] for row in sandbox.store.table(INVOICES).values() if row["status"] == "Draft")
    outcomes = {
        await outcome(whmcs, KEN, foreign),
        await outcome(whmcs, KEN, 999_999),
        await outcome(whmcs, AOZORA, draft),
    }
    assert [kind for kind, _, _ in outcomes] == [NotFound]


@asynccontextmanager
async def answering(document: dict[str, Any]) -> AsyncIterator[Whmcs]:
    async with raw_server(answer(200, json.dumps({"result": "success", **document}).encode())) as server:
        whmcs = build_whmcs(WhmcsSettings(url=server.url))
        yield whmcs
        await whmcs.aclose()


ROW = {"id": 1, "userid": 4711, "date": "2026-05-01", "duedate": "2026-05-15", "total": "1.00", "status": "Unpaid"}


@pytest.mark.parametrize("owner", [{"userid": 4712}, {"userid": None}, {"userid": ""}, {"userid": 0}])
async def test_a_row_of_nobody_or_somebody_else_spoils_the_list(owner: dict[str, Any]) -> None:
    rows = [ROW, {**ROW, "id": 2, **owner}]
    async with answering({"totalresults": 2, "invoices": {"invoice": rows}}) as whmcs:
        with pytest.raises(SystemSurprised):
            await get_invoices_of(whmcs, WhmcsClientId(4711))


@pytest.mark.parametrize("owner", [{"userid": 4712}, {"userid": None}, {}])
async def test_an_invoice_of_nobody_or_somebody_else_is_not_found(owner: dict[str, Any]) -> None:
    detail = {"invoiceid": 1, "date": "2026-05-01", "total": "1.00", "status": "Unpaid", **owner}
    async with answering(detail) as whmcs:
        with pytest.raises(NotFound):
            await get_invoice(whmcs, WhmcsClientId(4711), 1)


async def test_new_words_for_a_status_are_other() -> None:
    rows = [{**ROW, "status": "Payment Pending"}, {**ROW, "id": 2, "status": "Written Off"}]
    async with answering({"invoices": {"invoice": rows}}) as whmcs:
        read: list[InvoiceRow] = await get_invoices_of(whmcs, WhmcsClientId(4711))
    assert [row.status for row in read] == ["other", "payment_pending"]
