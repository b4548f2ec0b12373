"""Services at the front door: with their invoices, what is to be paid on top, and whose they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from portico.portal import Portal
from portico.systems.whmcs.services import add_cancel_request
from portico_sandbox.world_types import Person
from tests.billing.guests import ALICE, COMPANY, DANIEL, KEN, YUKO, House, calls
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until

API = "/api/v1/subscriptions"


@pytest.mark.parametrize(("person", "count"), [(ALICE, 0), (DANIEL, 1), (YUKO, 5)])
async def test_each_service_is_there(house: House, person: Person, count: int) -> None:
    browser = await house.enter(person)
    page = await browser.visit("/services")
    assert len([link for link in page.links if "/services/" in link]) == count
    assert len((await browser.client.get(API)).json()["items"]) == count
    assert ("No services yet" in page.text) == (count == 0)


async def test_a_service_has_its_invoices_and_the_button_to_pay(house: House) -> None:
    browser = await house.enter(KEN)
    page = await browser.visit("/services/7011")
    assert "Invoice 9111 is not paid: ¥7,458" in page.text
    assert page.form("/billing/invoices/9111/pay").method == "post"
    assert len({link for link in page.links if "/billing/invoices/" in link}) == 6
    body = (await browser.client.get(f"{API}/7011")).json()
    assert [bill["id"] for bill in body["invoices"]] == ["9111", "9110", "9109", "9108", "9107", "9106"]
    assert (body["invoices"][0]["balance"]["amount"], body["cancellation"]) == ("7458", None)


async def test_an_overdue_invoice_of_a_suspended_service_says_what_to_do(house: House) -> None:
    page = await (await house.enter(DANIEL)).visit("/services/7022")
    assert "Pay, and it starts again by itself." in page.text
    assert page.form("/billing/invoices/9148/pay")


async def test_an_invoice_for_something_else_is_not_shown(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(YUKO)
    await sandbox.press("whmcs", "create-invoice", client_id="4017", description="Help at home", amount="1000")
    page = await browser.visit("/services/7023")
    assert "is not paid" not in page.text
    assert len({link for link in page.links if "/billing/invoices/" in link}) == 5


async def test_a_cold_page_reads_no_more_than_it_needs(house: House) -> None:
    names = ("GetClientsProducts", "GetInvoices", "GetInvoice", "GetCancelledPackages")
    browser = await house.enter(COMPANY)
    before = {name: calls(name) for name in names}
    await browser.visit("/services/7014")
    assert {name: calls(name) - before[name] for name in names} == {
        "GetClientsProducts": 1,
        "GetInvoices": 3,
        "GetInvoice": 6,
        "GetCancelledPackages": 1,
    }
    await browser.visit("/services/7014")
    await browser.client.get(f"{API}/7014")
    assert sum(calls(name) - before[name] for name in names) == 11


async def test_a_cancellation_is_shown_once_its_hook_has_come(house: House, portal: Portal) -> None:
    browser = await house.enter(KEN)
    async with house.open_to_hooks():
        assert "being cancelled" not in (await browser.visit("/services/7011")).text
        await add_cancel_request(portal.whmcs, 7011, at_once=False)

        async def shows() -> bool:
            return "This service is being cancelled" in (await browser.visit("/services/7011")).text

        await until(shows, 4)
    body = (await browser.client.get(f"{API}/7011")).json()
    assert body["cancellation"] == "end_of_period"
    assert (await browser.client.get(f"{API}/7012")).json()["cancellation"] is None


@pytest.mark.parametrize("call", ["GetInvoices", "GetInvoice", "GetCancelledPackages"])
@pytest.mark.parametrize("mode", ["down", "malformed"])
async def test_what_belongs_to_a_service_fails_alone(
    house: House, sandbox: SandboxControl, call: str, mode: str
) -> None:
    browser = await house.enter(KEN)
    await sandbox.dial("whmcs", mode, call=call)
    page = await browser.visit("/services/7011")
    assert "07000004011" in page.text
    assert ("Not available just now" in page.text) == (call != "GetCancelledPackages")
    body = (await browser.client.get(f"{API}/7011")).json()
    assert (body["invoices"] is None) == (call != "GetCancelledPackages")


@pytest.mark.parametrize(
    "dial", [{"mode": "down"}, {"mode": "malformed"}, {"mode": "slow", "seconds": 9}], ids=lambda dial: dial["mode"]
)
async def test_whmcs_in_trouble_is_said_kindly(house: House, sandbox: SandboxControl, dial: dict[str, Any]) -> None:
    browser = await house.enter(KEN)
    await sandbox.dial("whmcs", call="GetClientsProducts", **dial)
    assert "Not available just now" in (await browser.visit("/services")).text
    answer = await browser.client.get("/services/7011", headers={"accept": "text/html"})
    assert answer.status_code in (502, 503)
    assert "Please try again" in answer.text


async def test_strangers_and_unknown_services_are_the_same(house: House) -> None:
    browser = await house.enter(ALICE)
    answers = [(await browser.client.get(f"{API}/{n}")) for n in (7011, 999999)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() | {"trace_id": ""} == answers[1].json() | {"trace_id": ""}
    assert (await browser.client.get("/services/7011")).status_code == 404


async def test_copies_end_with_their_time(house: House) -> None:
    browser = await house.enter(KEN)
    await browser.visit("/services/7011")
    before = calls("GetClientsProducts")
    house.portal.clock.move_to(timedelta(minutes=9).total_seconds())
    await browser.visit("/services/7011")
    assert calls("GetClientsProducts") == before
    house.portal.clock.move_to(timedelta(minutes=11).total_seconds())
    await browser.visit("/services/7011")
    assert calls("GetClientsProducts") == before + 1
