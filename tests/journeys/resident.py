"""A customer with some of everything and a very long name, and one example of each thing that an address names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.fixtures.until import until_sync
from tests.journeys.outside import PASSWORD, Newcomer, Outside

LONG = {
    "first_name": "Maximiliana Wilhelmina Alexandrina",
    "last_name": "Featherstonehaugh-Cholmondeley-Wriothesley",
    "address.street": "Marunouchi 1-2-3, The Very Long Named Residence and Tower West Wing",
}
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
NO_SIGN_UP = "9f1f6f5e-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Resident:
    email: str
    things: dict[str, str]
    """Kind of id (as routes declare it) → one of theirs."""
    password_link: str
    """Path of a link out of a mail."""


def settle(outside: Outside, portal: str) -> Resident:
    """Signs up, orders, is served and billed, asks a question; all through the API."""
    newcomer = outside.newcomer(eligibility="Mobile;Internet")
    with httpx2.Client(base_url=portal, headers={"origin": portal}, timeout=30, trust_env=False) as client:
        me = _sent(client, "/auth/sign-up", _application(newcomer))
        outside.press("whmcs", "add-card", client_id=client.get("/api/v1/me").json()["whmcs_client_id"])
        order = _orders(client, newcomer)
        outside.press("salesforce", "review-order", order=order, number=newcomer.line_number)
        until_sync(lambda: _read(client, f"/orders/{order}")["status"] == "complete", 60)
        case = _sent(client, "/cases", {"subject": f"About {LONG_WORD}", "description": f"{LONG_WORD} " * 9})
        _fill_cart(client, newcomer)
        things = {
            "order": order,
            "operation": NO_SIGN_UP,
            "invoice": _read(client, "/invoices")["items"][0]["id"],
            "service": _read(client, "/subscriptions")["items"][0]["id"],
            "product": "MOB-ESIM-10GB",
            "case": case["id"],
            "sign-up": NO_SIGN_UP,
        }
        assert me["email"] == newcomer.email
        return Resident(newcomer.email, things, _password_link(client, outside, newcomer.email))


def _application(newcomer: Newcomer) -> dict[str, Any]:
    typed = newcomer.typed(password=PASSWORD) | LONG
    flat = {name: value for name, value in typed.items() if "." not in name}
    address = {name.partition(".")[2]: value for name, value in typed.items() if "." in name}
    return {**flat, "address": address}


def _orders(client: httpx2.Client, newcomer: Newcomer) -> str:
    _fill_cart(client, newcomer)
    order: str = _sent(client, "/orders", {}, **{"idempotency-key": newcomer.customer_number})["id"]
    return order


def _fill_cart(client: httpx2.Client, newcomer: Newcomer) -> None:
    items = [{"sku": "MOB-ESIM-10GB", "options": {"eid": newcomer.eid}}, {"sku": "VPN-HOME"}]
    answer = client.put("/api/v1/cart", json={"items": items})
    assert answer.status_code == 200, answer.text


def _password_link(client: httpx2.Client, outside: Outside, email: str) -> str:
    client.post("/api/v1/auth/password/forgotten", json={"email": email})
    found = until_sync(lambda: [mail for mail in outside.mails(email, 1) if _links(mail)], 30)
    address = urlsplit(_links(found[0])[0])
    return f"{address.path}?{address.query}"


def _links(mail: dict[str, Any]) -> list[str]:
    return [link for link in mail["links"] if "/password/new" in link]


def _sent(client: httpx2.Client, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = client.post(f"/api/v1{path}", json=body, headers=headers)
    assert answer.status_code == 201, f"{path}: {answer.text}"
    document: dict[str, Any] = answer.json()
    return document


def _read(client: httpx2.Client, path: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 200, f"{path}: {answer.text}"
    document: dict[str, Any] = answer.json()
    return document
