"""The home page and its read model: what is urgent comes first, each part fails alone, nothing is asked twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from portico.billing.payment_methods import today
from portico.home import summary
from portico.portal import Portal
from portico.web import outermost
from portico_sandbox.world_customers import READY
from tests.fixtures.browser import Browser
from tests.fixtures.sandbox import SandboxControl
from tests.home.conftest import Enter
from tests.orders.shop import ALICE, ESIM, KEN, SUPPORT, Shop

PEOPLE = {person.email.partition("@")[0]: person for person in READY}
LATER = "Not available just now"


def calls() -> Counter[str]:
    """What went out so far, by system and call; tokens are the connection's, not the page's."""
    found: Counter[str] = Counter()
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == "portico_upstream_seconds_count" and sample.labels["call"] != "token":
                found[f"{sample.labels['system']} {sample.labels['call']}"] += int(sample.value)
    return found


async def status(browser: Browser) -> dict[str, Any]:
    answer = await browser.client.get("/api/v1/me/status")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def codes(browser: Browser) -> list[str]:
    return [task["code"] for task in (await status(browser))["tasks"]]


async def test_a_cold_page_asks_each_thing_once(enter: Enter) -> None:
    browser = await enter(KEN)
    before = calls()
    await browser.visit("/home")
    asked = ["GetClientsProducts", "GetInvoices", "GetPayMethods"]
    assert calls() - before == Counter({f"whmcs {call}": 1 for call in asked}) + Counter(
        ["salesforce query Order", "salesforce query Case"]
    )
    before = calls()
    await browser.visit("/home")
    await status(browser)
    assert calls() - before == Counter({"salesforce query Case": 2}), "only cases are never copied"


async def test_somebody_who_has_everything(enter: Enter) -> None:
    browser = await enter(KEN)
    page = await browser.visit("/home")
    for words in (
        "Nothing is urgent right now.",
        "¥7,458",
        "Next bill",
        "¥5,280",
        "Fiber 1 Gbps",
        "Prices without tax.",
        "Questions",
    ):
        assert words in page.text, words
    said = await status(browser)
    assert said["next_bill"]["net"] == {"amount": "4800", "currency": "JPY"}
    assert said["next_bill"]["gross"] == {"amount": "5280", "currency": "JPY"}
    assert (said["due"]["invoices"], said["due"]["overdue"], said["open_cases"]) == (1, 0, 1)
    assert (said["tasks"], said["unavailable"]) == ([], [])
    listed = [(await browser.client.get(f"/api/v1/{part}")).json()["as_of"] for part in ("invoices", "subscriptions")]
    assert said["as_of"] <= min(listed), "as old as its oldest part"


async def test_a_bill_that_is_there_already_is_not_the_next_one(enter: Enter) -> None:
    """The mobile plan is due on the day of the open invoice; once it is paid, WHMCS moves its day on."""
    browser = await enter(KEN)
    said = await status(browser)
    (service_id,) = said["next_bill"]["subscription_ids"]
    service = (await browser.client.get(f"/api/v1/subscriptions/{service_id}")).json()
    assert (service["name"], service["next_due"]) == ("Fiber 1 Gbps", said["next_bill"]["date"])


async def test_the_most_urgent_comes_first(enter: Enter) -> None:
    browser = await enter(PEOPLE["daniel.kowalski"])
    assert await codes(browser) == ["invoice_overdue", "case_waiting"]
    page = await browser.visit("/home")
    assert page.text.index("overdue") < page.text.index("waits for your answer")
    assert any("/billing/invoices/" in link for link in page.links)


async def test_somebody_new_reads_what_to_do_first(enter: Enter) -> None:
    browser = await enter(ALICE)
    page = await browser.visit("/home")
    assert "Your first steps" in page.text and "Your payment method is there." in page.text
    assert any(link.endswith("/catalog") for link in page.links)
    said = await status(browser)
    assert (said["next_bill"], said["tasks"], said["open_orders"], said["due"]["invoices"]) == (None, [], 0, 0)


async def test_an_order_that_waits_for_its_customer(enter: Enter, shop: Shop) -> None:
    order_id = await shop.approved(SUPPORT)
    await shop.sandbox.press("whmcs", "remove-cards", client_id=str(ALICE.whmcs_client_id))
    await shop.heard(order_id)
    await shop.run_until(order_id, "waiting_customer")
    browser = await enter(ALICE)
    assert await codes(browser) == ["order_waiting", "payment_method_missing", "notices_unread"]
    first = (await status(browser))["tasks"][0]
    assert first["address"] == f"/orders/{order_id}"
    assert "Your first steps" not in (await browser.visit("/home")).text
    await browser.post("/notifications/read")
    assert "notices_unread" not in await codes(browser)


async def test_an_esim_until_its_code_was_looked_at(enter: Enter, shop: Shop) -> None:
    order_id = await shop.fulfilled(ESIM)
    browser = await enter(ALICE)
    assert await codes(browser) == ["esim_ready", "notices_unread"]
    assert "Your eSIM is ready to install: Mobile eSIM 3 GB." in (await browser.visit("/home")).text
    for _ in range(2):
        assert (await browser.post(f"/orders/{order_id}/install")).status_code == 200
    assert await codes(browser) == ["notices_unread"]


async def test_an_esim_of_long_ago_needs_nobody(enter: Enter, shop: Shop) -> None:
    await shop.fulfilled(ESIM)
    await shop.rows("UPDATE journal SET updated_at = updated_at - interval '31 days' RETURNING id")
    assert "esim_ready" not in await codes(await enter(ALICE))


async def test_a_card_that_ends_soon(enter: Enter, shop: Shop) -> None:
    browser = await enter(ALICE)
    assert await codes(browser) == []
    methods = (await browser.client.get("/api/v1/payment-methods")).json()["items"]
    last = max(method["expires"] for method in methods)
    ends = today(shop.portal).fromisoformat(last)
    shop.portal.clock.offset += timedelta(days=(ends - today(shop.portal)).days - 10)
    browser = await enter(ALICE)  # the session of before has ended
    assert await codes(browser) == ["payment_method_expiring"]
    shop.portal.clock.offset += timedelta(days=12)
    assert await codes(await enter(ALICE)) == ["payment_method_missing"]


@pytest.mark.parametrize(
    ("system", "missing", "there"),
    [
        ("whmcs", {"due", "active_services", "next_bill", "has_payment_method"}, "Questions"),
        ("salesforce", {"open_orders", "open_cases"}, "Next bill"),
    ],
)
async def test_each_part_fails_alone(
    enter: Enter, sandbox: SandboxControl, system: str, missing: set[str], there: str
) -> None:
    browser = await enter(KEN)
    await sandbox.dial(system, "down")
    page = await browser.visit("/home")
    assert LATER in page.text and there in page.text and "Nothing needs you" not in page.text
    said = await status(browser)
    assert set(said["unavailable"]) == missing and {name for name in missing if said[name] is None} == missing


async def test_slow_cases_hold_up_nothing_else(
    enter: Enter, portal: Portal, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read live; the panel's own limit ends the wait, not the page's and not Salesforce's."""
    browser = await enter(KEN)
    await browser.visit("/home")
    monkeypatch.setattr(outermost, "PAGE_SECONDS", 3600)
    monkeypatch.setattr(summary, "PANEL_SECONDS", 3600)
    monkeypatch.setattr(summary, "LIVE_SECONDS", 0.1)
    door = portal.salesforce.door
    monkeypatch.setattr(door, "limits", replace(door.limits, read_seconds=3600))
    await sandbox.dial("salesforce", "slow", call="query", seconds=3600)
    page = await browser.visit("/home")
    assert LATER in page.text and "Fiber 1 Gbps" in page.text and "¥7,458" in page.text
    assert (await status(browser))["unavailable"] == ["open_cases"]
