"""Signing in and out: equal answers, equal time, limits, and where one comes to."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import pytest_asyncio

from portico.errors import Busy
from portico.identity import passwords
from portico.identity.seed import seed_people
from tests.identity.conftest import Process

SIGN_IN = "/api/v1/auth/sign-in"
ADA: dict[str, Any] = {"email": "ada.sato@mail.example", "password": "demo-ada-lovelace", "whmcs_client_id": 3001}
STAFF = {"email": "staff@portico.example", "password": "demo-staff-member", "role": "staff"}
WORLD = {"customers": {"ready": [{**ADA, "sf_account_id": "0015g00000READY1AA"}]}, "staff": [STAFF]}


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def people(process: Process) -> None:
    await seed_people(process.portal, WORLD)
    await seed_people(process.portal, WORLD)


async def test_in_and_out_by_the_pages(process: Process) -> None:
    browser = process.browser()
    page = await browser.visit("/sign-in?next=/billing%3Fpage=2")
    fields = {**page.form("/sign-in").values, "email": " ADA.Sato@mail.example ", "password": ADA["password"]}
    answer = await browser.post("/sign-in", **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/billing?page=2")
    me = (await browser.client.get("/api/v1/me")).json()
    assert (me["email"], me["whmcs_client_id"], me["role"]) == (ADA["email"], "3001", "customer")
    for path in ("/", "/get-started", "/sign-in", "/sign-up"):
        assert (await browser.client.get(path)).headers["location"] == "/home"
    left = await browser.post("/sign-out")
    assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
    assert (await browser.client.get("/api/v1/me")).status_code == 401


async def test_staff_come_to_their_console_and_have_no_customer(process: Process) -> None:
    browser = process.browser()
    answer = await browser.post("/sign-in", email=STAFF["email"], password=STAFF["password"])
    assert answer.headers["location"] == "/staff"
    assert (await browser.client.get("/api/v1/me")).status_code == 403


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""])
async def test_the_way_back_is_never_to_strangers(process: Process, target: str) -> None:
    browser = process.browser()
    answer = await browser.post("/sign-in", email=str(ADA["email"]), password=str(ADA["password"]), next=target)
    assert answer.headers["location"] == "/home"


async def test_unknown_addresses_and_wrong_passwords_read_alike(process: Process) -> None:
    async with process.client() as client:
        answers = [
            await client.post(SIGN_IN, json={"email": email, "password": "not this one"})
            for email in (ADA["email"], "nobody@mail.example")
        ]
    known, unknown = ({**answer.json(), "trace_id": ""} for answer in answers)
    assert known == unknown and known["code"] == "sign_in_wrong"
    assert [answer.status_code for answer in answers] == [401, 401]


async def test_unknown_addresses_take_as_long_as_wrong_passwords(process: Process) -> None:
    """What else the machine does only adds time: the quickest of nine is the code's own."""
    known, unknown = [], []
    for n in range(9):
        known.append(await _seconds(process, str(ADA["email"]), n))
        unknown.append(await _seconds(process, f"nobody{n}@mail.example", n))
    assert 0.5 < min(known) / min(unknown) < 2


async def test_empty_fields_are_named(process: Process) -> None:
    async with process.client() as client:
        answer = await client.post(SIGN_IN, json={})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/email", "/password"]
    page = await process.browser().visit("/sign-in")
    again = await process.browser().submit(page, "/sign-in", expect=401, email=str(ADA["email"]), password="wrong")
    assert "is not right" in again.text and again.form("/sign-in").values["email"] == ADA["email"]


async def test_one_address_is_tried_ten_times(process: Process) -> None:
    async with process.client() as client, process.client("192.0.2.9") as elsewhere:
        wrong = [{"email": ADA["email"], "password": f"wrong {n}"} for n in range(14)]
        answers = await asyncio.gather(*(client.post(SIGN_IN, json=body) for body in wrong))
        assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 4
        right = await elsewhere.post(SIGN_IN, json={"email": ADA["email"], "password": ADA["password"]})
        assert (right.status_code, right.json()["code"]) == (429, "too_many_tries")
        process.portal.clock.move_to(16 * 60)
        right = await elsewhere.post(SIGN_IN, json={"email": ADA["email"], "password": ADA["password"]})
        assert right.status_code == 200


async def test_a_person_whose_mapping_is_gone_does_not_come_in(process: Process) -> None:
    async with process.client() as client:
        body = {"email": ADA["email"], "password": ADA["password"]}
        assert (await client.post(SIGN_IN, json=body)).status_code == 200
        await process.rows("DELETE FROM mappings RETURNING user_id")
        assert (await client.post("/api/v1/auth/sign-out")).status_code == 204
        assert (await client.post(SIGN_IN, json=body)).status_code == 401


async def test_too_much_hashing_at_once_is_turned_away() -> None:
    answers = await asyncio.gather(*(passwords.hashed("a password") for _ in range(60)), return_exceptions=True)
    busy = [answer for answer in answers if isinstance(answer, Busy)]
    assert len(busy) == 60 - passwords.THREADS - passwords.MOST_WAITING
    assert all(isinstance(answer, (str, Busy)) for answer in answers)
    assert await passwords.is_right("ａ password", await passwords.hashed("a password"))


async def test_wrong_passwords_of_one_source_end_for_all_addresses(process: Process) -> None:
    async with process.client("192.0.2.1") as client:
        await client.post(SIGN_IN, json={"email": "a@mail.example", "password": "wrong"})
        await process.rows("UPDATE throttles SET tries = 100 WHERE bucket LIKE 'sign_in_source%' RETURNING bucket")
        answer = await client.post(SIGN_IN, json={"email": ADA["email"], "password": ADA["password"]})
    assert answer.status_code == 429


async def _seconds(process: Process, email: str, n: int) -> float:
    async with process.client(f"198.51.100.{n}") as client:
        began = time.perf_counter()
        await client.post(SIGN_IN, json={"email": email, "password": "not this one"})
        return time.perf_counter() - began
