"""To WHMCS and back: the hook shows Paid at once, and the return says what changed."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx2
import pytest

from portico.billing.invoices import invoice_for, invoices_of
from portico.billing.returns import Left, packed, unpacked
from portico.portal import Portal
from tests.billing.guests import ALICE, COMPANY, KEN, SAKURA, House, customer_of
from tests.fixtures.browser import Browser
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until

PAY = "/billing/invoices/9111/pay"
MANAGE = "/billing/payment-methods/manage"


async def leave(browser: Browser, action: str, **values: str) -> str:
    """Goes to WHMCS; answers where to."""
    answer = await browser.post(action, **values)
    assert answer.status_code == 303
    assert answer.headers["referrer-policy"] == "no-referrer"
    return answer.headers["location"]


async def test_paid_shows_in_every_process_with_the_hook(house: House, portal: Portal, sandbox: SandboxControl) -> None:
    """`portal` is a second process beside the app's: both have copies before."""
    browser, ken = await house.enter(KEN), customer_of(KEN)
    async with house.open_to_hooks():
        assert "To pay" in (await browser.visit("/billing/invoices/9111")).text
        assert (await invoice_for(portal, ken, 9111)).value.status == "unpaid"
        await browser.visit("/billing")
        await sandbox.press("whmcs", "pay-invoice", invoice_id="9111")

        async def shows() -> bool:
            page = await browser.visit("/billing/invoices/9111")
            rows = (await invoices_of(portal, ken)).value
            return "Pay this invoice" not in page.text and rows[0].status == "paid"

        await until(shows, 4)
        assert (await invoice_for(portal, ken, 9111)).value.status == "paid"
        assert "Unpaid" not in (await browser.visit("/billing?status=unpaid")).text


async def test_a_paid_invoice_is_said_on_return_even_without_a_hook(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    await browser.visit("/billing/invoices/9111")
    url = await leave(browser, PAY)
    async with httpx2.AsyncClient(trust_env=False) as stranger:
        assert (await stranger.get(url)).status_code in (302, 303)  # the link really leads in
    await sandbox.press("whmcs", "pay-invoice", invoice_id="9111")
    page = await browser.visit("/billing/return")
    assert urlsplit(page.url).path == "/billing/invoices/9111"
    assert "Invoice 9111 is paid" in page.text
    assert "Invoice 9111 is paid" not in (await browser.visit("/billing/invoices/9111")).text
    again = await browser.visit("/billing/return")
    assert urlsplit(again.url).path == "/billing"
    assert "Welcome back" in again.text


async def test_nothing_and_a_part_are_said_as_well(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    await leave(browser, PAY)
    assert "Nothing has changed yet" in (await browser.visit("/billing/return")).text
    await leave(browser, PAY)
    await sandbox.press("whmcs", "pay-invoice", invoice_id="9111", amount="1000")
    assert "¥6,458 is still to pay" in (await browser.visit("/billing/return")).text


async def test_a_payment_on_its_way_is_its_own_state(house: House) -> None:
    """Invoice 10298 of the company is Payment Pending all the time."""
    browser = await house.enter(COMPANY)
    await leave(browser, "/billing/invoices/10298/pay")
    assert "payment for invoice 10298 is on its way" in (await browser.visit("/billing/return")).text


async def test_cards_that_come_and_go_are_said(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(SAKURA)
    assert "No payment method yet" in (await browser.visit("/billing/payment-methods")).text
    await leave(browser, MANAGE, next="/billing?status=paid")
    assert "your cards are the same" in (await browser.visit("/billing/return")).text
    await leave(browser, MANAGE, next="/billing?status=paid")
    await sandbox.press("whmcs", "add-card", client_id="4013")
    page = await browser.visit("/billing/return")
    assert "A card was added." in page.text
    assert page.url.endswith("/billing?status=paid")
    assert "4242" in (await browser.visit("/billing/payment-methods")).text
    await leave(browser, MANAGE)
    await sandbox.press("whmcs", "remove-cards", client_id="4013")
    assert "A card was removed." in (await browser.visit("/billing/return")).text


async def test_whmcs_away_on_return_is_no_error(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    await leave(browser, PAY)
    await sandbox.dial("whmcs", "down")
    answer = await browser.client.get("/billing/return")
    assert (answer.status_code, answer.headers["location"]) == (303, "/billing/invoices/9111")


async def test_cards_that_can_not_be_read_hold_up_nobody(house: House, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    await sandbox.dial("whmcs", "error", call="GetPayMethods")
    await leave(browser, MANAGE)
    await sandbox.undial()
    assert "Welcome back" in (await browser.visit("/billing/return")).text


async def test_the_next_person_at_this_browser_learns_nothing(house: House) -> None:
    browser = await house.enter(KEN)
    await leave(browser, PAY)
    await browser.post("/sign-out")
    alice = await house.enter(ALICE)
    alice.client.cookies.update({n: v for n, v in browser.client.cookies.items() if n.endswith("left")})
    page = await alice.visit("/billing/return")
    assert urlsplit(page.url).path == "/billing"
    assert "Welcome back" in page.text


@pytest.mark.parametrize("value", ["", "x", "e30", "bnVsbA", "é", "A" * 5000])
def test_a_forged_cookie_is_no_cookie(value: str) -> None:
    assert unpacked(value) is None


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_a_forged_way_back_leads_nowhere_else(house: House, back: str) -> None:
    browser = await house.enter(KEN)
    user_id = str(customer_of(KEN).user_id)
    browser.client.cookies.set("portico-left", packed(Left(user_id, back)))
    answer = await browser.client.get("/billing/return")
    assert (answer.status_code, answer.headers["location"]) == (303, "/billing")
