"""What may change something, and from where."""

from __future__ import annotations

import httpx2
import pytest

from tests.web.trial import ORIGIN

FILLED = {"email": "a@b.example", "password": "x"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "none"}, 303),
        ({"origin": ORIGIN}, 303),
        ({}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "null"}, 403),
        ({"origin": "http://localhost:8001"}, 403),
        ({"origin": "https://localhost:8000"}, 403),
        ({"origin": ORIGIN + ".evil.example"}, 403),
        ({"referer": ORIGIN + "/open"}, 403),
    ],
)
async def test_a_form_is_taken_from_our_own_pages_only(
    client: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await client.post("/form", data=FILLED, headers=headers)).status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_no_unsafe_method_is_allowed_by_default(client: httpx2.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/form", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code in (403, 405)


async def test_reading_needs_no_origin(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/open", headers={"sec-fetch-site": "cross-site"})).status_code == 200


async def test_hooks_prove_themselves_otherwise(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/hooks/trial", json={})).json() == {"taken": True}


async def test_the_api_takes_json_only(client: httpx2.AsyncClient) -> None:
    own = {"origin": ORIGIN}
    form = await client.post("/api/v1/address", data={"city": "Tokyo"}, headers=own)
    assert (form.status_code, form.json()["code"]) == (415, "media_type_wrong")
    text = {"content-type": "text/plain"} | own
    assert (await client.post("/api/v1/address", content=b"{}", headers=text)).status_code == 415
    good = await client.post("/api/v1/address", json={"city": "Tokyo", "floors": [1]}, headers=own)
    assert good.json() == {"city": "Tokyo"}
