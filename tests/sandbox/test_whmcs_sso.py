"""The client area: single-use tokens, and the pages that a customer comes to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from portico_sandbox.whmcs.sso import local_path
from tests.sandbox.whmcs_calling import ALICE, KEN, Caller, whmcs_open

UNPAID = 9111
PAY: dict[str, Any] = {"destination": "sso:custom_redirect", "sso_redirect_path": f"viewinvoice.php?id={UNPAID}"}


@pytest.fixture
async def whmcs(tmp_path: Path) -> AsyncIterator[Caller]:
    async with whmcs_open(tmp_path) as caller:
        yield caller


async def token_path(whmcs: Caller, client_id: int = KEN, **params: Any) -> str:
    answer = await whmcs.ok("CreateSsoToken", client_id=client_id, **params)
    assert re.fullmatch("[0-9a-f]{40}", answer["access_token"])
    port = whmcs.sandbox.settings.whmcs_port
    path = f"/oauth/singlesignon.php?access_token={answer['access_token']}"
    assert answer["redirect_url"] == f"http://localhost:{port}{path}"
    return path


async def enter(whmcs: Caller, client_id: int = KEN, **params: Any) -> httpx2.Response:
    """Redeems a token and follows to the page, with the session's cookie."""
    answer = await whmcs.http.get(await token_path(whmcs, client_id, **params))
    assert answer.status_code == 302
    return await whmcs.http.get(answer.headers["location"])


def form_token(page: httpx2.Response) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', page.text)
    assert found
    return found[1]


async def test_a_token_works_once(whmcs: Caller) -> None:
    path = await token_path(whmcs, **PAY)
    first = await whmcs.http.get(path)
    assert (first.status_code, first.headers["location"]) == (302, f"/viewinvoice.php?id={UNPAID}")
    assert "httponly" in first.headers["set-cookie"].lower()
    again = await whmcs.http.get(path)
    assert again.status_code == 403
    assert "expired or was already used" in again.text
    assert f"{whmcs.sandbox.settings.portal_url}/billing/return" in again.text


async def test_a_token_dies_after_sixty_seconds_of_the_sandboxs_clock(whmcs: Caller) -> None:
    path = await token_path(whmcs, **PAY)
    whmcs.sandbox.clock.move(timedelta(seconds=61))
    assert (await whmcs.http.get(path)).status_code == 403
    assert (await whmcs.http.get("/oauth/singlesignon.php?access_token=made-up")).status_code == 403


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "A valid client_id or user_id is required"),
        ({"client_id": 1}, "Invalid client_id"),
        ({"user_id": 1}, "Invalid user_id"),
        ({"client_id": ALICE, "user_id": 921}, "Invalid user_id for client"),
        ({"client_id": KEN, "destination": "clientarea:moon"}, "Invalid destination"),
    ],
)
async def test_tokens_are_refused(whmcs: Caller, params: dict[str, object], message: str) -> None:
    assert await whmcs.refused("CreateSsoToken", **params) == message


async def test_a_client_can_switch_sso_off(whmcs: Caller) -> None:
    with whmcs.sandbox.store.begin() as tx:
        tx.change("whmcs_clients", str(KEN), allow_sso=False)
    assert (await whmcs.refused("CreateSsoToken", client_id=KEN)).startswith("SSO authentication blocked for client")


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("viewinvoice.php?id=1", "/viewinvoice.php?id=1"),
        ("/viewinvoice.php?id=1", "/viewinvoice.php?id=1"),
        ("//evil.example/x", "/evil.example/x"),
        ("https://evil.example", "/clientarea.php"),
        ("\\\\evil.example", "/evil.example"),
        ("", "/clientarea.php"),
        ("a\r\nb", "/clientarea.php"),
    ],
)
def test_a_custom_redirect_stays_on_this_host(sent: str, path: str) -> None:
    assert local_path(sent) == path
    assert urlsplit(local_path(sent)).netloc == ""


async def test_the_invoice_can_be_paid_once(whmcs: Caller) -> None:
    page = await enter(whmcs, **PAY)
    assert page.status_code == 200
    assert "Pay ¥7,458 now" in page.text
    assert "Mobile eSIM 10 GB" in page.text
    address = f"/viewinvoice.php?id={UNPAID}"
    paid = await whmcs.http.post(address, data={"token": form_token(page)})
    assert (paid.status_code, paid.headers["location"]) == (303, address)
    thanks = await whmcs.http.get(address)
    assert "Your payment of ¥7,458 has been received" in thanks.text
    assert "Pay ¥" not in thanks.text
    await whmcs.http.post(address, data={"token": form_token(page)})
    assert "is Paid" in (await whmcs.http.get(address)).text
    assert len(whmcs.sandbox.ledger.lines("whmcs", "pay invoice")) == 1


async def test_no_session_no_invoice_and_no_foreign_invoice(whmcs: Caller) -> None:
    address = f"/viewinvoice.php?id={UNPAID}"
    assert (await whmcs.http.get(address)).status_code == 403
    assert (await whmcs.http.post(address, data={"token": ""})).status_code == 403
    page = await enter(whmcs, ALICE, **PAY)
    assert page.status_code == 404
    methods = await enter(whmcs, ALICE, destination="clientarea:billing_info")
    assert (await whmcs.http.post(address, data={"token": form_token(methods)})).status_code == 404
    assert (await whmcs.http.post(address, data={"token": "forged"})).status_code == 403
    assert whmcs.sandbox.ledger.lines("whmcs", "pay invoice") == []


async def test_cards_are_added_and_removed(whmcs: Caller) -> None:
    page = await enter(whmcs, ALICE, destination="clientarea:billing_info")
    assert "Mastercard ending in 1881" in page.text
    token = form_token(page)
    year = whmcs.sandbox.clock.today().year + 1
    add = "/index.php?rp=/account/paymentmethods/add"
    sent = {"token": token, "number": "4242 4242 4242 4242", "expiry": f"09/{year % 100}"}
    assert (await whmcs.http.post(add, data=sent)).status_code == 303
    [_, card] = (await whmcs.ok("GetPayMethods", clientid=ALICE))["paymethods"]
    assert (card["card_type"], card["card_last_four"], card["expiry_date"]) == ("Visa", "4242", f"09/{year % 100}")
    methods = "/index.php?rp=/account/paymentmethods"
    assert "Visa ending in 4242 has been added" in (await whmcs.http.get(methods)).text
    await whmcs.http.post(f"{methods}/delete", data={"token": token, "paymethodid": str(card["id"])})
    assert len((await whmcs.ok("GetPayMethods", clientid=ALICE))["paymethods"]) == 1
    stolen = await whmcs.http.post(f"{methods}/delete", data={"token": token, "paymethodid": "71"})
    assert stolen.status_code == 404


@pytest.mark.parametrize(
    ("number", "expiry", "sentence"),
    [
        ("4111 1111 1111 1111", "09/40", "test numbers"),
        ("4000000000000002", "09/40", "declined"),
        ("4242424242424242", "13/40", "month and year"),
        ("4242424242424242", "01/20", "has expired"),
    ],
)
async def test_a_card_that_will_not_do(whmcs: Caller, number: str, expiry: str, sentence: str) -> None:
    token = form_token(await enter(whmcs, destination="clientarea:billing_info"))
    sent = {"token": token, "number": number, "expiry": expiry}
    answer = await whmcs.http.post("/index.php?rp=/account/paymentmethods/add", data=sent)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert len((await whmcs.ok("GetPayMethods", clientid=KEN))["paymethods"]) == 1


@pytest.mark.parametrize(
    ("destination", "text"),
    [
        ("", "Welcome back"),
        ("clientarea:invoices", "Page 1 of 12 · 299 invoices"),  # the draft is not shown
        ("clientarea:services", "Fiber 10 Gbps"),
        ("clientarea:profile", "株式会社青空商事"),
        ("clientarea:announcements", "Welcome back"),
    ],
)
async def test_every_destination_has_a_page(whmcs: Caller, destination: str, text: str) -> None:
    page = await enter(whmcs, 4014, destination=destination)
    assert page.status_code == 200
    assert text in page.text
    older = await whmcs.http.get("/clientarea.php?action=invoices&page=12")
    assert "Page 12 of 12" in older.text
    assert (await whmcs.http.get("/assets/client-area.css")).headers["content-type"].startswith("text/css")
    await whmcs.http.post("/logout.php")
    assert (await whmcs.http.get("/clientarea.php")).status_code == 403


async def test_a_service_has_a_page_of_its_own(whmcs: Caller) -> None:
    page = await enter(whmcs, destination="clientarea:product_details", service_id="7011")
    assert "Mobile eSIM 10 GB" in page.text
    assert (await whmcs.http.get("/clientarea.php?action=productdetails&id=7014")).status_code == 404
