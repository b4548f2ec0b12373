"""Errors as pages and as problem documents."""

from __future__ import annotations

import httpx2
import pytest

from tests.web.trial import ORIGIN


async def test_a_stranger_s_thing_reads_like_an_unknown_address(client: httpx2.AsyncClient) -> None:
    foreign, unknown = await client.get("/broken/stranger"), await client.get("/broken/nowhere/at/all")
    assert foreign.status_code == unknown.status_code == 404
    assert "Page not found" in foreign.text
    assert "Page not found" in unknown.text


async def test_a_crash_says_nothing_of_its_cause(client: httpx2.AsyncClient) -> None:
    for path in ("/broken/crash", "/api/v1/broken/crash"):
        answer = await client.get(path)
        assert answer.status_code == 500
        assert "secret words" not in answer.text
        assert "RuntimeError" not in answer.text


async def test_a_page_that_waits_for_a_system_says_so(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/broken/down", headers={"accept-language": "ja"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "もう一度試す" in answer.text
    assert 'href="/broken/down"' in answer.text
    assert answer.headers["x-request-id"] in answer.text


async def test_a_problem_document_has_all_its_members(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/broken/down", headers={"accept-language": "ja"})
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json() == {
        "type": "urn:portico:problem:try_again_later",
        "title": "Try again later",
        "status": 503,
        "detail": "この部分は現在ご利用いただけません。数分後にもう一度お試しください。",
        "code": "try_again_later",
        "trace_id": answer.headers["x-request-id"],
        "retry_after": 60,
    }


async def test_an_unknown_outcome_has_a_face(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/broken/running")
    assert answer.status_code == 202
    assert answer.json() == {
        "operation_id": "op-1",
        "state": "running",
        "status_url": "/api/v1/operations/op-1",
    }
    page = await client.get("/broken/running")
    assert page.status_code == 202
    assert "do not repeat" in page.text


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/api/v1/nowhere", 404), ("/form", 405)])
async def test_unknown_addresses_and_methods(client: httpx2.AsyncClient, path: str, status: int) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"]
    assert ("problem+json" in answer.headers["content-type"]) == path.startswith("/api/")
    if status == 405:
        assert "POST" in answer.headers["allow"]


async def test_who_asks_for_json_gets_it(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/nowhere", headers={"accept": "application/json"})
    assert answer.json()["code"] == "not_found"


async def test_sign_in_is_asked_for_with_the_way_back(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/mine/7?page=2&q=//evil.example")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/mine/7%3Fpage%3D2%26q%3D//evil.example"
    api = await client.get("/mine/7", headers={"accept": "application/json"})
    assert (api.status_code, api.json()["code"]) == (401, "sign_in_needed")


async def test_staff_pages_are_for_staff(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/staff-only")).status_code == 303
    assert (await client.get("/staff-only", headers={"x-test-user": "hanako"})).status_code == 403
    assert (await client.get("/staff-only", headers={"x-test-user": "staff"})).status_code == 200


async def test_every_wrong_field_is_reported_at_once(client: httpx2.AsyncClient) -> None:
    body = {"floors": [1, "two"], "note": None, "extra/field": 1}
    answer = await client.post("/api/v1/address", json=body, headers={"origin": ORIGIN})
    assert (answer.status_code, answer.json()["code"]) == (422, "input_wrong")
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/city", "/floors/1", "/note", "/extra~1field"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"7"])
async def test_a_body_that_is_no_object(client: httpx2.AsyncClient, body: bytes) -> None:
    headers = {"origin": ORIGIN, "content-type": "application/json"}
    answer = await client.post("/api/v1/address", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_wrong")


async def test_a_wrong_query_is_wrong_input(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/number?page=x", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/page")


async def test_too_much_is_too_much(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/form", data={"email": "x" * 1_100_000}, headers={"origin": ORIGIN})
    assert answer.status_code == 413
