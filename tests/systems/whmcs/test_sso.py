"""Single sign-on links: to the right page of the right host, or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from portico.customer import WhmcsClientId
from portico.errors import PorticoError, SingleSignOnOff, SystemRefused, SystemSurprised
from portico.settings import WhmcsSettings
from portico.systems.whmcs.client import Whmcs, build_whmcs
from portico.systems.whmcs.sso import Destination, OneInvoice, OneService, create_sso_token
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.rows import CLIENTS
from portico_sandbox.whmcs.sso import redeem
from tests.systems.raw_server import answer, raw_server

KEN = WhmcsClientId(4011)


@pytest.mark.parametrize(
    ("destination", "path"),
    [
        ("home", "/clientarea.php"),
        ("invoices", "/clientarea.php?action=invoices"),
        ("payment_methods", "/index.php?rp=/account/paymentmethods"),
        (OneInvoice(9101), "/viewinvoice.php?id=9101"),
        (OneService(7011), "/clientarea.php?action=productdetails&id=7011"),
    ],
)
async def test_a_link_leads_where_it_should(
    sandbox: Sandbox, whmcs: Whmcs, destination: Destination, path: str
) -> None:
    url = await create_sso_token(whmcs, KEN, destination)
    assert url.startswith(f"{whmcs.settings.url}/oauth/singlesignon.php?access_token=")
    redeemed = redeem(sandbox, url.partition("access_token=")[2])
    assert (redeemed.client_id, redeemed.path) == (KEN, path)


async def test_a_customer_who_switched_it_off_is_told_so(sandbox: Sandbox, whmcs: Whmcs) -> None:
    with sandbox.store.begin() as tx:
        tx.change(CLIENTS, str(KEN), allow_sso=False)
    with pytest.raises(SingleSignOnOff):
        await create_sso_token(whmcs, KEN, "invoices")


async def test_an_unknown_client_is_refused(whmcs: Whmcs) -> None:
    with pytest.raises(SystemRefused) as caught:
        await create_sso_token(whmcs, WhmcsClientId(999_999), "invoices")
    assert caught.value.vendor_code == "client_not_found"


@pytest.mark.parametrize(
    "elsewhere",
    [
        lambda port: "http://evil.example/oauth/singlesignon.php",
        lambda port: f"https://127.0.0.1:{port}/oauth",
        lambda port: f"http://127.0.0.1:{port + 1}/oauth",
        lambda port: f"http://127.0.0.1:{port}@evil.example/",
        lambda port: f"http://user@127.0.0.1:{port}/",
        lambda port: f"//127.0.0.1:{port}/",
        lambda port: "javascript:alert(1)",
        lambda port: "http://127.0.0.1:notaport/",
        lambda port: "",
    ],
)
async def test_a_link_to_somewhere_else_is_never_followed(elsewhere: Callable[[int], str]) -> None:
    document: dict[str, Any] = {"result": "success", "access_token": "0" * 40}

    async def tell(reader: Any, writer: Any) -> None:
        body = json.dumps({**document, "redirect_url": elsewhere(server.port)}).encode()
        await answer(200, body)(reader, writer)

    async with raw_server(tell) as server:
        whmcs = build_whmcs(WhmcsSettings(url=server.url))
        with pytest.raises(PorticoError) as caught:
            await create_sso_token(whmcs, KEN, "invoices")
        await whmcs.aclose()
    assert type(caught.value) is SystemSurprised
