"""Invoices, payments and stored cards over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from portico_sandbox.buttons import ButtonRefused
from portico_sandbox.whmcs import control
from portico_sandbox.whmcs.switches import turn
from tests.sandbox.whmcs_calling import ALICE, KEN, Caller, whmcs_open

COMPANY = 4014
UNPAID = 9111  # Ken's newest
CHARGE = {"itemdescription1": "SIM reissue", "itemamount1": "1000", "itemtaxed1": 1}


@pytest.fixture
async def whmcs(tmp_path: Path) -> AsyncIterator[Caller]:
    async with whmcs_open(tmp_path) as caller:
        yield caller


async def test_lists_are_paged_sorted_and_filtered(whmcs: Caller) -> None:
    default = await whmcs.ok("GetInvoices", userid=COMPANY)
    assert [default[name] for name in ("totalresults", "startnumber", "numreturned")] == [300, 0, 25]
    dear = {"userid": COMPANY, "orderby": "total", "order": "desc", "limitnum": 300}
    totals = [float(row["total"]) for row in (await whmcs.ok("GetInvoices", **dear))["invoices"]["invoice"]]
    assert totals == sorted(totals, reverse=True)
    last = await whmcs.ok("GetInvoices", userid=COMPANY, limitstart=290, limitnum=25)
    assert last["numreturned"] == 10
    [draft] = (await whmcs.ok("GetInvoices", userid=COMPANY, status="Draft"))["invoices"]["invoice"]
    assert draft["status"] == "Draft"
    everybody = await whmcs.ok("GetInvoices")
    assert everybody["totalresults"] > 300


async def test_a_row_is_typed_as_documented(whmcs: Caller) -> None:
    [row] = (await whmcs.ok("GetInvoices", userid=KEN, status="Unpaid"))["invoices"]["invoice"]
    assert (row["id"], row["userid"], row["subtotal"], row["tax"], row["total"]) == (
        UNPAID,
        KEN,
        "6780.00",
        "678.00",
        "7458.00",
    )
    assert (row["datepaid"], row["currencycode"], row["invoicenum"]) == ("0000-00-00 00:00:00", "JPY", "")
    empty = await whmcs.ok("GetInvoices", userid=ALICE)
    assert (empty["totalresults"], empty["invoices"]) == (0, {"invoice": []})


async def test_overdue_is_derived_from_the_moved_clock(whmcs: Caller) -> None:
    assert (await whmcs.ok("GetInvoices", userid=KEN, status="Overdue"))["totalresults"] == 0
    whmcs.sandbox.clock.move(timedelta(days=10))
    [row] = (await whmcs.ok("GetInvoices", userid=KEN, status="Overdue"))["invoices"]["invoice"]
    assert row["status"] == "Unpaid"


async def test_paying_moves_due_dates_on_and_makes_a_transaction(whmcs: Caller) -> None:
    service = (await whmcs.ok("GetClientsProducts", serviceid=7011))["products"]["product"][0]
    await control.pay_invoice(whmcs.sandbox, {"invoice_id": str(UNPAID)})
    invoice = await whmcs.ok("GetInvoice", invoiceid=UNPAID)
    assert (invoice["status"], invoice["balance"], invoice["total"]) == ("Paid", "0.00", "7458.00")
    [payment] = invoice["transactions"]["transaction"]
    assert (payment["amountin"], payment["invoiceid"], payment["userid"]) == ("7458.00", str(UNPAID), str(KEN))
    later = (await whmcs.ok("GetClientsProducts", serviceid=7011))["products"]["product"][0]
    assert later["nextduedate"] > service["nextduedate"]
    with pytest.raises(ButtonRefused, match="is Paid"):
        await control.pay_invoice(whmcs.sandbox, {"invoice_id": str(UNPAID)})
    await control.refund_invoice(whmcs.sandbox, {"invoice_id": str(UNPAID)})
    answer = await whmcs.ok("GetTransactions", invoiceid=UNPAID)
    paid, back = answer["transactions"]["transaction"]
    assert (back["amountout"], back["refundid"]) == ("7458.00", paid["id"])
    assert (await whmcs.ok("GetInvoice", invoiceid=UNPAID))["status"] == "Refunded"


async def test_a_part_payment_leaves_a_balance(whmcs: Caller) -> None:
    await control.pay_invoice(whmcs.sandbox, {"invoice_id": str(UNPAID), "amount": "458"})
    invoice = await whmcs.ok("GetInvoice", invoiceid=UNPAID)
    assert (invoice["status"], invoice["balance"]) == ("Unpaid", "7000.00")


async def test_create_invoice_reads_numbered_lines(whmcs: Caller) -> None:
    second = {"itemdescription2": "Untaxed", "itemamount2": "50.5", "notes": "Ref: op-91"}
    made = await whmcs.ok("CreateInvoice", userid=ALICE, **CHARGE, **second)
    assert made == {"result": "success", "invoiceid": 88001, "status": "Unpaid"}
    invoice = await whmcs.ok("GetInvoice", invoiceid=88001)
    assert (invoice["subtotal"], invoice["tax"], invoice["total"]) == ("1050.50", "100.00", "1150.50")
    assert [(item["amount"], item["taxed"]) for item in invoice["items"]["item"]] == [("1000.00", 1), ("50.50", 0)]
    assert invoice["notes"] == "Ref: op-91"
    assert await whmcs.refused("CreateInvoice", userid=1, **CHARGE) == "Client ID Not Found"
    assert (await whmcs.ok("CreateInvoice", userid=ALICE, draft=1, **CHARGE))["status"] == "Draft"
    [line] = whmcs.sandbox.ledger.lines("whmcs", "CreateInvoice")[:1]
    assert line["facts"]["marker"] == "Ref: op-91"


async def test_credit_is_applied_where_asked(whmcs: Caller) -> None:
    with whmcs.sandbox.store.begin() as tx:
        tx.change("whmcs_clients", str(ALICE), credit="300.00")
    made = await whmcs.ok("CreateInvoice", userid=ALICE, autoapplycredit=1, **CHARGE)
    invoice = await whmcs.ok("GetInvoice", invoiceid=made["invoiceid"])
    assert (invoice["credit"], invoice["total"], invoice["balance"]) == ("300.00", "800.00", "800.00")
    [used] = (await whmcs.ok("GetCredits", clientid=ALICE))["credits"]["credit"]
    assert used["amount"] == "-300.00"


async def test_cancelling_and_what_can_not_be_cancelled(whmcs: Caller) -> None:
    await whmcs.ok("UpdateInvoice", invoiceid=UNPAID, status="Cancelled")
    assert (await whmcs.ok("GetInvoice", invoiceid=UNPAID))["status"] == "Cancelled"
    with pytest.raises(ButtonRefused, match="can't be cancelled"):
        await control.cancel_invoice(whmcs.sandbox, {"invoice_id": str(UNPAID)})
    assert await whmcs.refused("GetInvoice", invoiceid=1) == "Invoice ID Not Found"


async def test_capture_needs_a_card_that_is_good(whmcs: Caller) -> None:
    await control.change_card_expiry(whmcs.sandbox, {"client_id": str(KEN), "months": "-1"})
    assert await whmcs.refused("CapturePayment", invoiceid=UNPAID) == "Payment Attempt Failed"
    await control.add_card(whmcs.sandbox, {"client_id": str(KEN), "last_four": "1881"})
    await whmcs.ok("CapturePayment", invoiceid=UNPAID)
    assert await whmcs.refused("CapturePayment", invoiceid=UNPAID) == "Invoice Not Found or Not Unpaid"


async def test_pay_methods_are_a_flat_list_with_a_secret(whmcs: Caller) -> None:
    answer = await whmcs.ok("GetPayMethods", clientid=KEN)
    [card] = answer["paymethods"]
    assert answer["clientid"] == str(KEN)
    assert (card["id"], card["type"], card["card_last_four"]) == (71, "RemoteCreditCard", "4242")
    assert card["remote_token"]
    assert len(card["expiry_date"]) == 5
    assert (await whmcs.ok("GetPayMethods", clientid=KEN, type="BankAccount"))["paymethods"] == []
    assert await whmcs.refused("GetPayMethods") == "Client ID Is Required"
    assert await whmcs.refused("GetPayMethods", clientid=1) == "Client Not Found"
    await control.remove_cards(whmcs.sandbox, {"client_id": str(KEN)})
    assert (await whmcs.ok("GetPayMethods", clientid=KEN))["paymethods"] == []
    gateways = (await whmcs.ok("GetPaymentMethods"))["paymentmethods"]["paymentmethod"]
    assert [gateway["module"] for gateway in gateways] == ["stripe", "banktransfer"]


@pytest.mark.parametrize(("how", "shape"), [("blank", {"invoices": ""}), ("missing", {}), ("list", {"invoices": []})])
async def test_empty_lists_can_take_every_shape(whmcs: Caller, how: str, shape: dict[str, object]) -> None:
    turn(whmcs.sandbox, "empty", how)
    answer = await whmcs.ok("GetInvoices", userid=ALICE)
    assert {name: value for name, value in answer.items() if name == "invoices"} == shape


async def test_other_quirks_of_php(whmcs: Caller) -> None:
    turn(whmcs.sandbox, "single", "object")
    turn(whmcs.sandbox, "numbers", "strings")
    [only] = [(await whmcs.ok("GetInvoices", userid=KEN, status="Unpaid"))["invoices"]["invoice"]]
    assert only["id"] == str(UNPAID)
    turn(whmcs.sandbox, "single", "list")
    turn(whmcs.sandbox, "numeric_keys", "yes")
    gapped = (await whmcs.ok("GetInvoices", userid=KEN, limitnum=2))["invoices"]["invoice"]
    assert sorted(gapped) == ["0", "2"]
    turn(whmcs.sandbox, "numeric_keys", "no")
    turn(whmcs.sandbox, "flatten", "yes")
    assert (await whmcs.ok("GetCurrencies"))["currencies[currency][0][code]"] == "JPY"
    turn(whmcs.sandbox, "entities", "yes")
    await whmcs.ok("UpdateClient", clientid=KEN, companyname="A & B's")
    assert (await whmcs.ok("GetClientsDetails", clientid=KEN))["client"]["companyname"] == "A &amp; B&#039;s"
    turn(whmcs.sandbox, "warning", "GetCurrencies")
    assert (await whmcs.ok("GetCurrencies"))["warning"]
