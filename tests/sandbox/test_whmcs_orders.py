"""Orders and services over a real socket: amounts, parallel arrays, the order machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from portico_sandbox.whmcs.control import close_client
from portico_sandbox.whmcs.switches import turn
from tests.sandbox.whmcs_calling import ALICE, KEN, Caller, serialized, whmcs_open

ESIM = {"pid[0]": 31, "billingcycle[0]": "monthly", "qty[0]": 1}
ESIM_AND_FEE = {**ESIM, "pid[1]": 36, "billingcycle[1]": "onetime", "qty[1]": 1}
CARD = {"clientid": ALICE, "paymentmethod": "stripe"}


@pytest.fixture
async def whmcs(tmp_path: Path) -> AsyncIterator[Caller]:
    async with whmcs_open(tmp_path) as caller:
        yield caller


async def services_of(whmcs: Caller, client_id: int = ALICE) -> list[dict[str, Any]]:
    answer = await whmcs.ok("GetClientsProducts", clientid=client_id)
    found: list[dict[str, Any]] = answer["products"]["product"]
    return found


async def test_an_order_makes_pending_services_and_an_unpaid_invoice_with_tax(whmcs: Caller) -> None:
    fields = {"customfields[0]": serialized({311: "802-A", 999: "x"}), "customfields[1]": serialized({361: "802-B"})}
    made = await whmcs.ok("AddOrder", **CARD, **ESIM_AND_FEE, **fields, **{"priceoverride[0]": "900"})
    assert made == {
        "result": "success",
        "orderid": 71001,
        "serviceids": "55001,55002",
        "addonids": "",
        "domainids": "",
        "invoiceid": 88001,
    }
    esim, fee = await services_of(whmcs)
    assert (esim["id"], esim["pid"], esim["orderid"], esim["status"]) == ("55001", "31", "71001", "Pending")
    assert (esim["recurringamount"], esim["billingcycle"]) == ("900.00", "Monthly")
    assert esim["nextduedate"] == whmcs.sandbox.clock.today().isoformat()
    assert esim["customfields"]["customfield"][0] == {
        "id": "311",
        "name": "Order item",
        "translated_name": "Order item",
        "value": "802-A",
    }
    assert (fee["firstpaymentamount"], fee["recurringamount"]) == ("3000.00", "0.00")
    assert (fee["billingcycle"], fee["nextduedate"]) == ("One Time", "0000-00-00")
    invoice = await whmcs.ok("GetInvoice", invoiceid=88001)
    assert {name: invoice[name] for name in ("status", "subtotal", "tax", "total", "balance", "transactions")} == {
        "status": "Unpaid",
        "subtotal": "3900.00",
        "tax": "390.00",
        "total": "4290.00",
        "balance": "4290.00",
        "transactions": "",
    }
    assert [item["relid"] for item in invoice["items"]["item"]] == [55001, 55002]
    [line] = whmcs.sandbox.ledger.lines("whmcs", "AddOrder")
    assert line["reference"] == "71001"
    assert (line["facts"]["markers"], line["facts"]["amounts"]) == (["802-A", "802-B"], ["900.00", "3000.00"])


async def test_arrays_are_joined_by_index_not_by_position(whmcs: Caller) -> None:
    await whmcs.ok("AddOrder", **CARD, **{"pid[2]": 32, "pid[5]": 31, "priceoverride[5]": "1", "priceoverride[0]": "9"})
    assert [(row["pid"], row["recurringamount"]) for row in await services_of(whmcs)] == [
        ("32", "1980.00"),
        ("31", "1.00"),
    ]


async def test_a_one_time_price_is_not_overridden(whmcs: Caller) -> None:
    await whmcs.ok("AddOrder", **CARD, **{"pid[0]": 36, "billingcycle[0]": "onetime", "priceoverride[0]": "1"})
    assert (await services_of(whmcs))[0]["firstpaymentamount"] == "3000.00"


async def test_without_an_invoice(whmcs: Caller) -> None:
    made = await whmcs.ok("AddOrder", **CARD, **ESIM, noinvoice=1)
    assert "invoiceid" not in made
    assert (await whmcs.ok("GetInvoices", userid=ALICE))["totalresults"] == 0
    [order] = (await whmcs.ok("GetOrders", userid=ALICE))["orders"]["order"]
    assert (order["invoiceid"], order["paymentstatus"], order["amount"]) == (0, None, "1078.00")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({**ESIM, **CARD, "clientid": 1}, "Client ID Not Found"),
        ({**ESIM, **CARD, "paymentmethod": "x"}, "Invalid Payment Method. Valid options include stripe,banktransfer"),
        ({**CARD, "pid": 31}, "Expecting parameter 'pid' to be an array"),
        ({**CARD, **ESIM, "priceoverride": "5"}, "Expecting parameter 'priceoverride' to be an array"),
        (CARD, "No items added to cart so order cannot proceed"),
        ({**CARD, "pid[0]": 999}, "No items added to cart so order cannot proceed"),
        ({**CARD, "pid[0]": 31, "billingcycle[0]": "annually"}, "No items added to cart so order cannot proceed"),
        ({**CARD, "addonid": 1, "serviceid": 7011}, "Service ID not owned by Client ID provided"),
        ({**CARD, "clientid": KEN, "addonid": 1, "serviceid": 7011}, "Addon ID invalid"),
    ],
)
async def test_add_order_refuses(whmcs: Caller, params: dict[str, Any], message: str) -> None:
    assert await whmcs.refused("AddOrder", **params) == message
    assert whmcs.sandbox.ledger.lines("whmcs") == []


async def test_a_closed_client_can_order_nothing(whmcs: Caller) -> None:
    await close_client(whmcs.sandbox, {"client_id": str(ALICE)})
    refusal = await whmcs.refused("AddOrder", **CARD, **ESIM)
    assert refusal == "Unable to add order when client status is Closed"


async def test_a_second_identical_order_is_a_second_order(whmcs: Caller) -> None:
    first, second = [await whmcs.ok("AddOrder", **CARD, **ESIM) for _ in range(2)]
    assert second["orderid"] == first["orderid"] + 1
    assert len(await services_of(whmcs)) == 2


async def test_the_order_machine(whmcs: Caller) -> None:
    order = (await whmcs.ok("AddOrder", **CARD, **ESIM))["orderid"]
    assert await whmcs.ok("AcceptOrder", orderid=order) == {"result": "success"}
    [row] = (await whmcs.ok("GetOrders", id=order))["orders"]["order"]
    assert (row["status"], row["lineitems"]["lineitem"][0]["status"]) == ("Active", "Active")
    not_pending = "Order ID not found or Status not Pending"
    assert await whmcs.refused("AcceptOrder", orderid=order) == not_pending
    assert await whmcs.refused("CancelOrder", orderid=order) == not_pending
    await whmcs.ok("PendingOrder", orderid=order)
    await whmcs.ok("CancelOrder", orderid=order)
    assert (await services_of(whmcs))[0]["status"] == "Cancelled"
    [invoice] = (await whmcs.ok("GetInvoices", userid=ALICE))["invoices"]["invoice"]
    assert invoice["status"] == "Cancelled"
    assert await whmcs.refused("PendingOrder", orderid=1) == "Order ID not found"


async def test_unconfirmed_behaviors_of_orders_are_switches(whmcs: Caller) -> None:
    turn(whmcs.sandbox, "accept_activates", "no")
    turn(whmcs.sandbox, "cancel_order_cancels_invoice", "no")
    kept, dropped = [(await whmcs.ok("AddOrder", **CARD, **ESIM))["orderid"] for _ in range(2)]
    await whmcs.ok("AcceptOrder", orderid=kept)
    await whmcs.ok("CancelOrder", orderid=dropped)
    assert [row["status"] for row in await services_of(whmcs)] == ["Pending", "Cancelled"]
    invoices = (await whmcs.ok("GetInvoices", userid=ALICE))["invoices"]["invoice"]
    assert {row["status"] for row in invoices} == {"Unpaid"}


async def test_update_client_product_writes_status_domain_and_fields(whmcs: Caller) -> None:
    await whmcs.ok("AddOrder", **CARD, **ESIM)
    fields = serialized({312: "07012345678", 112: "not of this product"})
    sent = {"status": "Active", "domain": "07012345678", "customfields": fields}
    assert (await whmcs.ok("UpdateClientProduct", serviceid=55001, **sent))["serviceid"] == "55001"
    [service] = (await whmcs.ok("GetClientsProducts", clientid=ALICE, domain="07012345678"))["products"]["product"]
    values = {field["name"]: field["value"] for field in service["customfields"]["customfield"]}
    assert (service["status"], values["Line number"]) == ("Active", "07012345678")
    await whmcs.ok("UpdateClientProduct", serviceid=55001, **{"unset[0]": "domain"})
    assert (await services_of(whmcs))[0]["domain"] == ""
    assert await whmcs.refused("UpdateClientProduct", serviceid=1) == "Service ID Not Found"


async def test_services_are_filtered_paged_and_shown_as_strings(whmcs: Caller) -> None:
    answer = await whmcs.ok("GetClientsProducts", clientid=KEN, limitnum=1, limitstart=1)
    counts = [answer[name] for name in ("clientid", "serviceid", "totalresults", "startnumber", "numreturned")]
    assert counts == [str(KEN), None, "2", 1, 1]
    assert [row["id"] for row in answer["products"]["product"]] == ["7012"]
    foreign = await whmcs.ok("GetClientsProducts", clientid=ALICE, serviceid=7011)
    assert (foreign["totalresults"], foreign["products"]) == ("0", {"product": []})


async def test_cancel_requests_are_filed_once(whmcs: Caller) -> None:
    sent = {"serviceid": 7011, "type": "End of Billing Period", "reason": "moving"}
    assert (await whmcs.ok("AddCancelRequest", **sent))["userid"] == str(KEN)
    assert await whmcs.refused("AddCancelRequest", **sent) == "Existing Cancellation Request Exists"
    assert await whmcs.refused("AddCancelRequest", serviceid=1) == "Service ID Not Found"
    [package] = (await whmcs.ok("GetCancelledPackages"))["packages"]["package"]
    assert (package["relid"], package["type"], package["reason"]) == (7011, "End of Billing Period", "moving")


async def test_the_product_list_hides_admin_fields_and_unoffered_cycles(whmcs: Caller) -> None:
    [esim, fee] = (await whmcs.ok("GetProducts", pid="31,36"))["products"]["product"]
    assert [field["name"] for field in esim["customfields"]["customfield"]] == ["Line number", "EID", "ICCID"]
    price = esim["pricing"]["JPY"]
    assert (price["monthly"], price["annually"], price["prefix"]) == ("980.00", "-1.00", "¥")
    assert (fee["paytype"], fee["pricing"]["JPY"]["monthly"]) == ("onetime", "3000.00")
    [yen] = (await whmcs.ok("GetCurrencies"))["currencies"]["currency"]
    assert yen["code"] == "JPY"
