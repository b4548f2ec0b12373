"""Billing at the front door: rows, pages, filters, whose they are, and what is read when WHMCS is away."""

from __future__ import annotations

import time
from typing import Any

import pytest

from portico_sandbox.world_types import Person
from tests.billing.guests import ALICE, COMPANY, DANIEL, ISABELLA, KEN, SAKURA, TSUBASA, YUKO, House, calls
from tests.fixtures.sandbox import SandboxControl

API = "/api/v1/invoices"


@pytest.mark.parametrize(("person", "rows"), [(ALICE, 0), (SAKURA, 1), (YUKO, 10), (KEN, 11), (COMPANY, 299)])
async def test_no_row_is_ever_lost(house: House, person: Person, rows: int) -> None:
    """The company's 300th is a draft, which is nobody's business yet."""
    browser = await house.enter(person)
    page, seen = await browser.visit("/billing"), set[str]()
    while True:
        seen |= {link for link in page.links if "/billing/invoices/" in link}
        more = [link for link in page.links if f"page={len(seen) // 10 + 1}" in link]
        if len(seen) % 10 or not more:
            break
        page = await browser.visit(more[-1])
    assert len(seen) == rows
    assert ("No invoices yet" in page.text) == (rows == 0)


async def test_filter_search_and_sort_stay_in_the_address(house: House) -> None:
    browser = await house.enter(COMPANY)
    page = await browser.visit("/billing?status=paid&q=102&sort=total&order=asc")
    assert "1 to 10 of" in page.text
    next_page = next(link for link in page.links if "page=2" in link)
    for part in ("status=paid", "q=102", "sort=total", "order=asc"):
        assert part in next_page
    found = await browser.submit(page, "/billing", q="１０２９０")
    assert "Invoice 10290" in found.text
    assert "sort=total" in str(found.response.url)
    nothing = await browser.visit("/billing?q=nothing-like-it")
    assert "No invoices found" in nothing.text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("unpaid", "To pay"),
        ("payment_pending", "Payment on its way"),
        ("collections", "With a collection agency"),
        ("refunded", "Refunded"),
        ("cancelled", "Cancelled"),
        ("paid", "Paid"),
    ],
)
async def test_each_status_has_its_list(house: House, status: str, words: str) -> None:
    browser = await house.enter(COMPANY)
    page = await browser.visit(f"/billing?status={status}")
    answer = (await browser.client.get(API, params={"status": status})).json()
    assert words in page.text
    wanted = {"unpaid", "collections"} if status == "unpaid" else {status}  # both are to be paid
    assert {item["status"] for item in answer["items"]} == wanted
    assert f"of {answer['total']}" in page.text


async def test_overdue_is_found_as_such(house: House) -> None:
    browser = await house.enter(DANIEL)
    assert "Overdue" in (await browser.visit("/billing?status=overdue")).text
    answer = (await browser.client.get(API, params={"status": "overdue"})).json()
    assert [(item["status"], item["overdue"]) for item in answer["items"]] == [("unpaid", True)]


async def test_the_api_pages_through_all_of_them(house: House) -> None:
    browser = await house.enter(COMPANY)
    cursor, totals = None, list[int]()
    while True:
        params = {"sort": "total", "order": "asc", **({"cursor": cursor} if cursor else {})}
        answer = (await browser.client.get(API, params=params)).json()
        totals += [int(item["total"]["amount"]) for item in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert len(totals) == answer["total"] == 299
    assert totals == sorted(totals)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("status=odd", "/status"), ("sort=odd", "/sort"), ("order=up", "/order"), ("cursor=odd", "/cursor")],
)
async def test_the_api_names_what_it_does_not_understand(house: House, query: str, pointer: str) -> None:
    browser = await house.enter(ALICE)
    answer = await browser.client.get(f"{API}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "input_wrong")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_a_long_list_is_read_once_and_stays_fast(house: House) -> None:
    browser = await house.enter(COMPANY)
    before = calls("GetInvoices")
    await browser.visit("/billing")
    assert calls("GetInvoices") - before == 3
    began = time.perf_counter()
    for number in range(1, 11):
        await browser.visit(f"/billing?page={number}&sort=total")
    assert calls("GetInvoices") - before == 3
    assert time.perf_counter() - began < 2.5


async def test_an_invoice_says_what_was_paid_and_how(house: House) -> None:
    browser = await house.enter(KEN)
    page = await browser.visit("/billing/invoices/9101")
    assert "Credit Card" in page.text
    assert "ch_seed_9101" in page.text
    answer = (await browser.client.get(f"{API}/9101")).json()
    assert [payment["gateway"] for payment in answer["transactions"]] == ["stripe"]
    assert answer["lines"][0]["service_id"] == "7011"
    assert answer["balance"]["amount"] == "0"


async def test_a_part_payment_shows_what_is_left(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    await sandbox.press("whmcs", "pay-invoice", invoice_id="9111", amount="1000")
    page = await browser.visit("/billing/invoices/9111")
    assert "Still to pay" in page.text
    assert "¥6,458 to pay" in page.text


async def test_strangers_and_unknown_invoices_are_the_same(house: House) -> None:
    browser = await house.enter(ALICE)
    for path in ("/billing/invoices/9111", "/billing/invoices/999999", f"{API}/9111", f"{API}/999999"):
        assert (await browser.client.get(path)).status_code == 404
    foreign, unknown = [(await browser.client.get(f"{API}/{n}")).json() | {"trace_id": ""} for n in (9111, 999999)]
    assert foreign == unknown
    assert (await browser.client.post(f"{API}/9111/pay-link")).status_code == 404
    assert (await browser.post("/billing/invoices/9111/pay")).status_code == 404


async def test_credit_is_shown_where_there_is_some(house: House, sandbox: SandboxControl) -> None:
    assert "You have ¥3,000 of credit" in (await (await house.enter(ISABELLA)).visit("/billing")).text
    assert "credit" not in (await (await house.enter(KEN)).visit("/billing")).text
    await sandbox.dial("whmcs", "down", call="GetClientsDetails")
    page = await (await house.enter(SAKURA)).visit("/billing")
    assert "can not look up your credit" in page.text
    assert "Invoice 9121" in page.text


async def test_cards_say_when_they_expire(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(TSUBASA)
    page = await browser.visit("/billing/payment-methods")
    assert "Expired" in page.text
    assert "Credit Card, Bank Transfer" in page.text
    await sandbox.press("whmcs", "change-card-expiry", client_id="4011", months="0")
    ken = await house.enter(KEN)
    assert "Expires this month" in (await ken.visit("/billing/payment-methods")).text
    (method,) = (await ken.client.get("/api/v1/payment-methods")).json()["items"]
    assert (method["state"], method["usable"], method["gateway"]) == ("expires_this_month", True, "stripe")


DIALS: list[dict[str, Any]] = [
    {"mode": "down"},
    {"mode": "error"},
    {"mode": "malformed"},
    {"mode": "malformed", "code": "html"},
    {"mode": "slow", "seconds": 40},
]


@pytest.mark.parametrize("dial", DIALS, ids=lambda dial: "-".join(map(str, dial.values())))
async def test_whmcs_in_trouble_is_said_kindly_and_nothing_else_breaks(
    house: House, sandbox: SandboxControl, dial: dict[str, Any]
) -> None:
    browser = await house.enter(KEN)
    await sandbox.dial("whmcs", **dial)
    began = time.monotonic()
    page = await browser.visit("/billing")
    assert "Not available just now" in page.text
    assert "Try again" in page.text
    answer = await browser.client.get(API)
    assert answer.status_code in (502, 503)
    assert answer.headers["content-type"].startswith("application/problem+json")
    if dial["mode"] != "slow":
        assert "Not available just now" in (await browser.visit("/billing/payment-methods")).text
        one = await browser.client.get("/billing/invoices/9111", headers={"accept": "text/html"})
        assert one.status_code in (502, 503)
        assert "Please try again" in one.text
    assert time.monotonic() - began < 35
