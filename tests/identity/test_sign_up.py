"""Sign-up through the front door: what goes right, and every refusal with its sentence and an untouched ledger."""

from __future__ import annotations

from typing import Any

import pytest

from portico.identity.audit import first_broken
from portico.identity.saga import finish
from portico_sandbox.world_newcomers import WHMCS_USERS
from tests.fixtures.sandbox import SandboxControl
from tests.identity.applying import EMMA, HINA, MATEO, RIN, YUMA, api_body, form_fields
from tests.identity.conftest import Process

SIGN_UP = "/api/v1/auth/sign-up"


async def test_a_customer_signs_up_and_all_three_systems_agree(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=api_body())
        assert answer.status_code == 201, answer.text
        me = (await client.get("/api/v1/me")).json()
    assert me["email"] == HINA.email and me["display_name"] == "佐藤 陽菜"
    assert me["sf_account_id"] == HINA.sf_account_id
    (made,) = await sandbox.ledger("whmcs", "AddClient")
    assert made["reference"] == me["whmcs_client_id"]
    assert made["facts"]["customer_number"] == HINA.customer_number
    await process.finish_sign_ups()
    (row,) = await process.rows("SELECT * FROM sign_ups")
    assert (row["state"], row["password_hash"], row["details"]) == ("done", "", {})
    told = await sandbox.ledger("salesforce")
    assert [line["reference"] for line in told] == [HINA.sf_account_id]
    (mail,) = await process.rows("SELECT * FROM mails")
    assert mail["recipient"] == HINA.email and "Welcome" in mail["subject"]
    async with process.portal.db.begin() as tx:
        assert await first_broken(tx) is None


async def test_the_page_leads_in(process: Process, sandbox: SandboxControl) -> None:
    browser = process.browser()
    page = await browser.visit("/sign-up")
    assert set(form_fields()) <= page.form("/sign-up").names
    answer = await browser.post("/sign-up", **form_fields())
    assert (answer.status_code, answer.headers["location"]) == (303, "/home")
    assert (await browser.client.get("/api/v1/me")).json()["email"] == HINA.email


async def test_what_is_left_out_comes_from_salesforce_and_is_never_echoed(
    process: Process, sandbox: SandboxControl
) -> None:
    body = api_body(first_name=None, last_name=None, phone=None, address={"postal_code": "〒１５０－００４１"})
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=body)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"user_id", "email"}
    (made,) = await sandbox.ledger("whmcs", "AddClient")
    assert made["facts"]["email"] == HINA.email


async def test_full_width_typing_is_welcome(process: Process, sandbox: SandboxControl) -> None:
    body = api_body(
        customer_number=" ｃｎ－１００１０１ ",
        phone="＋８１（９０）ー００００ー０１０１",
        email="Ｈｉｎａ@mail.example",
    )
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["email"] == "hina@mail.example"


async def test_every_wrong_field_is_named_at_once(process: Process, sandbox: SandboxControl) -> None:
    body = {"email": "nobody", "password": "short", "phone": "12", "address": {"postal_code": "1"}}
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "input_wrong")
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/email", "/password", "/customer_number", "/phone", "/address/postal_code"}
    assert await sandbox.ledger() == []


@pytest.mark.parametrize("password", ["password123", "1111111111", "hina.sato@mail.example", "hina.sato1", "kurz"])
async def test_weak_passwords_are_refused(process: Process, sandbox: SandboxControl, password: str) -> None:
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=api_body(password=password))
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/password"]


async def test_the_refused_page_keeps_what_was_typed_but_no_password(process: Process, sandbox: SandboxControl) -> None:
    browser = process.browser()
    page = await browser.visit("/sign-up")
    again = await browser.submit(page, "/sign-up", expect=422, **form_fields(customer_number=""))
    assert "Enter your customer number" in again.text
    values = again.form("/sign-up").values
    assert values["email"] == HINA.email and values["password"] == ""


REFUSED: list[tuple[dict[str, Any], str, int]] = [
    ({"customer_number": "CN-000000"}, "customer_number_unknown", 422),
    ({"customer_number": "x' OR 1=1"}, "customer_number_unknown", 422),
    ({"address": {"postal_code": "100-0001"}}, "customer_number_unknown", 422),
    ({"address": {}}, "customer_number_unknown", 422),
    (api_body(YUMA), "customer_number_unknown", 422),
    (api_body(RIN), "already_registered", 409),
    ({"email": WHMCS_USERS[0].email}, "email_taken", 409),
]


@pytest.mark.parametrize(("other", "code", "status"), REFUSED)
async def test_a_refusal_leaves_nothing_behind(
    process: Process, sandbox: SandboxControl, other: dict[str, Any], code: str, status: int
) -> None:
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=api_body() | other)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert await _traces(process) == 0
    assert await sandbox.ledger() == []


async def test_a_wrong_postal_code_reads_exactly_like_an_unknown_number(
    process: Process, sandbox: SandboxControl
) -> None:
    async with process.client() as client:
        unknown = await client.post(SIGN_UP, json=api_body(customer_number="CN-000000"))
        mismatch = await client.post(SIGN_UP, json=api_body() | {"address": {"postal_code": "100-0001"}})
    alike = [{**answer.json(), "trace_id": ""} for answer in (unknown, mismatch)]
    assert alike[0] == alike[1] and unknown.status_code == mismatch.status_code


async def test_an_account_without_postal_code_is_not_asked_for_it(process: Process, sandbox: SandboxControl) -> None:
    address = {"postal_code": "100-0001", "state": "Tokyo", "city": "Chiyoda", "street": "1-1"}
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=api_body(MATEO, address=address))
        assert answer.status_code == 201, answer.text


async def test_what_even_salesforce_does_not_know_must_be_typed(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=api_body(MATEO, address=None))
    assert "/address/postal_code" in {fault["pointer"] for fault in answer.json()["errors"]}
    assert await _traces(process) == 0


async def test_the_same_number_and_the_same_address_are_taken_afterwards(
    process: Process, sandbox: SandboxControl
) -> None:
    async with process.client() as client:
        assert (await client.post(SIGN_UP, json=api_body())).status_code == 201
        same_number = await client.post(SIGN_UP, json=api_body(email="other@mail.example"))
        same_email = await client.post(SIGN_UP, json=api_body(EMMA, email=HINA.email.upper()))
    assert (same_number.status_code, same_number.json()["code"]) == (409, "already_registered")
    assert (same_email.status_code, same_email.json()["code"]) == (409, "email_taken")
    assert len(await sandbox.ledger("whmcs", "AddClient")) == 1


async def test_wrong_numbers_are_throttled_by_source(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client, process.client("192.0.2.7") as elsewhere:
        wrong = api_body(customer_number="CN-000000")
        codes = [(await client.post(SIGN_UP, json=wrong)).json()["code"] for _ in range(5)]
        assert codes == ["customer_number_unknown"] * 5
        sixth = await client.post(SIGN_UP, json=api_body())
        assert (sixth.status_code, sixth.json()["code"]) == (429, "too_many_tries")
        assert 0 < int(sixth.headers["retry-after"]) <= 3600 and "minutes" in sixth.json()["detail"]
        assert (await elsewhere.post(SIGN_UP, json=api_body())).status_code == 201


@pytest.mark.parametrize("system", ["salesforce", "whmcs"])
async def test_nothing_is_created_while_a_system_is_down(
    process: Process, sandbox: SandboxControl, system: str
) -> None:
    await sandbox.dial(system, "down")
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=api_body())
        assert (answer.status_code, answer.json()["code"]) == (503, "try_again_later")
        assert "Nothing was created" in answer.json()["detail"]
        assert await _traces(process) == 0
        await sandbox.undial()
        page = await process.browser().visit("/sign-up")
        assert page.status == 200


async def test_a_refusal_by_whmcs_at_the_last_moment_takes_everything_back(
    process: Process, sandbox: SandboxControl
) -> None:
    async with process.client() as client:
        answer = await client.post(SIGN_UP, json=api_body(email="hina@banned.example"))
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert await _traces(process) == 0
    assert await sandbox.ledger("whmcs") == []


async def test_salesforce_is_told_once_it_is_back(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        assert (await client.post(SIGN_UP, json=api_body())).status_code == 201
    await sandbox.dial("salesforce", "error")
    await process.finish_sign_ups()
    (row,) = await process.rows("SELECT * FROM sign_ups")
    assert (row["state"], row["tries"]) == ("joined", 1)
    await sandbox.undial()
    await process.finish_sign_ups()
    await finish(process.portal, row["id"])
    assert len(await sandbox.ledger("salesforce")) == 1


async def test_a_stranger_may_not_see_who_signs_up(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        answer = await client.get("/sign-up/00000000-0000-0000-0000-000000000000", headers={"accept": "text/html"})
        malformed = await client.get("/sign-up/1", headers={"accept": "text/html"})
    assert answer.status_code == malformed.status_code == 404


async def _traces(process: Process) -> int:
    counted = await process.rows(
        "SELECT (SELECT count(*) FROM sign_ups) + (SELECT count(*) FROM creations) + (SELECT count(*) FROM users)"
        " + (SELECT count(*) FROM mails) AS n"
    )
    return int(counted[0]["n"])
