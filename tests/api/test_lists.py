"""Lists in pages, money in its currency, and what has been copied says how old it is."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.api.conftest import Enter
from tests.api.problems import pointers, problem_of
from tests.orders.shop import ALICE, COMPANY, KEN

LISTS = ("/catalog", "/orders", "/invoices", "/subscriptions", "/payment-methods", "/payment-gateways", "/cases")


async def test_three_hundred_invoices_in_pages(enter: Enter) -> None:
    api = await enter(COMPANY)
    pages: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        answer = await api.get("/api/v1/invoices", params=cursor)
        assert answer.status_code == 200, answer.text
        listing = answer.json()
        pages.append(listing["items"])
        cursor = {"cursor": listing["next_cursor"]} if listing["next_cursor"] else None
    ids = [item["id"] for page in pages for item in page]
    assert len(set(ids)) == len(ids) == listing["total"] == 299  # 300 and a draft, which is none yet
    assert {len(page) for page in pages[:-1]} == {25}
    unpaid = (await api.get("/api/v1/invoices", params={"status": "unpaid"})).json()
    assert {item["status"] for item in unpaid["items"]} == {"unpaid", "collections"}, "both are to be paid"
    found = (await api.get("/api/v1/invoices", params={"q": "10150"})).json()
    assert [item["number"] for item in found["items"]] == ["10150"]
    assert pointers(problem_of(await api.get("/api/v1/invoices?cursor=-1"), 422, "input_wrong")) == {"/cursor"}


async def test_every_list_has_one_form(enter: Enter) -> None:
    api = await enter(KEN)
    for path in LISTS:
        listing = (await api.get(f"/api/v1{path}")).json()
        assert list(listing) == ["items", "next_cursor", "total", "as_of"], path
        assert listing["as_of"].endswith(("Z", "+00:00")), path
        again = (await api.get(f"/api/v1{path}")).json()
        assert again["items"] == listing["items"], path
        # A copy says when it was made; cases are live.
        assert path == "/cases" or again["as_of"] == listing["as_of"], path


async def test_money_is_words_and_currency(enter: Enter) -> None:
    api = await enter(KEN)
    documents = [(await api.get(f"/api/v1{path}")).text for path in ("/invoices", "/subscriptions", "/catalog")]
    assert all('"currency":"JPY"' in document and '"amount":"' in document for document in documents)
    assert not any(".00" in document or '"amount":1' in document for document in documents)


async def test_one_with_nothing(enter: Enter, api: httpx2.AsyncClient) -> None:
    await enter(ALICE)
    for path in ("/invoices", "/subscriptions", "/orders"):
        listing = (await api.get(f"/api/v1{path}")).json()
        assert (listing["items"], listing["total"], listing["next_cursor"]) == ([], 0, None)
    me = (await api.get("/api/v1/me")).json()
    assert (me["email"], me["whmcs_client_id"]) == (ALICE.email, str(ALICE.whmcs_client_id))
