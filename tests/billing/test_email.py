"""A new e-mail address: proven by a code, written to WHMCS and here, all or nothing, whatever dies on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from portico import work
from portico.billing import email_saga
from portico.billing.email_changes import open_change
from portico.billing.email_saga import carry_on, sweep
from portico.billing.profile import profile_of
from portico.portal import Portal
from portico.settings import Settings
from portico.systems.whmcs.clients import ClientChange, get_clients_details, update_client
from portico.systems.whmcs.users import get_users, update_user
from portico_sandbox.world_types import Person
from tests.billing.guests import ALICE, KEN, SAKURA, House, customer_of
from tests.fixtures.browser import Browser
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until

ASK, CODE = "/profile/email", "/profile/email/code"
API, API_CODE = "/api/v1/me/email", "/api/v1/me/email/code"
NEW = "ken.new@mail.example"


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, "CREATION_LEASE_SECONDS": "2", "WHMCS_READ_SECONDS": "2"})


async def rows(portal: Portal, query: str, **values: Any) -> list[dict[str, Any]]:
    async with portal.db.begin() as tx:
        return [dict(row) for row in (await tx.execute(text(query), values)).mappings()]


async def mails(portal: Portal, to: str) -> list[str]:
    """Subjects, oldest first."""
    found = await rows(portal, "SELECT subject FROM mails WHERE recipient = :to ORDER BY created_at", to=to)
    return [row["subject"] for row in found]


async def code_for(portal: Portal, to: str) -> str:
    query = "SELECT body FROM mails WHERE recipient = :to AND key LIKE 'email_code:%' ORDER BY created_at DESC LIMIT 1"
    (mail,) = await rows(portal, query, to=to)
    lines: list[str] = mail["body"].splitlines()
    return next(line for line in lines if line.isdigit() and len(line) == 6)


async def addresses(portal: Portal, person: Person) -> tuple[str, str, str]:
    """Of the portal user, the WHMCS client and its login."""
    customer = customer_of(person)
    client = await get_clients_details(portal.whmcs, customer.whmcs_client_id)
    (user,) = await rows(portal, "SELECT email FROM users WHERE id = :id", id=customer.user_id)
    return user["email"], client.email, client.owner_email


async def asked(house: House, person: Person = KEN, new: str = NEW) -> tuple[Browser, str]:
    """A browser whose person has been sent a code, and the code."""
    browser = await house.enter(person)
    answer = await browser.client.post(API, json={"email": new})
    assert answer.status_code == 202, answer.text
    return browser, await code_for(house.portal, new)


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_the_whole_way_by_the_pages(house: House, portal: Portal) -> None:
    browser = await house.enter(KEN)
    page = await browser.submit(await browser.visit(ASK), ASK, email=" Ken.New@mail.example ")
    assert f"We have sent a code to {NEW}" in page.text
    assert "A code is on its way" in (await browser.visit("/profile")).text
    assert await addresses(portal, KEN) == (KEN.email,) * 3
    assert await mails(portal, KEN.email) == []
    code = await code_for(portal, NEW)
    await profile_of(portal, customer_of(KEN))
    done = await browser.submit(page, CODE, code=f"{code[:3]} {code[3:]}")
    assert f"From now on your e-mail address is {NEW}." in done.text
    assert await addresses(portal, KEN) == (NEW,) * 3
    assert (await profile_of(portal, customer_of(KEN))).value.email == NEW
    assert await mails(portal, KEN.email) == ["Your e-mail address at Portico Telecom is being changed"]
    assert await mails(portal, NEW) == ["Your code for Portico Telecom"]
    assert (await browser.client.get("/api/v1/me")).json()["email"] == NEW
    answer = await browser.client.post("/api/v1/auth/sign-in", json={"email": NEW, "password": KEN.password})
    assert answer.status_code == 200
    assert (await rows(portal, "SELECT code_hash FROM email_changes"))[0]["code_hash"] == b""


async def test_the_whole_way_by_the_api(house: House, portal: Portal) -> None:
    browser, code = await asked(house)
    body = (await browser.client.get(API)).json()
    assert (body["email"], body["pending"]["new_email"], body["pending"]["state"]) == (KEN.email, NEW, "code_sent")
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    answer = await browser.client.post(API_CODE, json={"code": full_width})
    assert (answer.status_code, answer.json()) == (200, {"email": NEW, "pending": None})
    assert await addresses(portal, KEN) == (NEW,) * 3
    assert (await browser.client.post(API_CODE, json={"code": code})).json()["code"] == "email_code_expired"


async def test_five_wrong_codes_end_it_also_at_once(house: House) -> None:
    browser, code = await asked(house)
    wrong = other_than(code)
    answers = await asyncio.gather(*(browser.client.post(API_CODE, json={"code": wrong}) for _ in range(8)))
    assert sorted(answer.json()["code"] for answer in answers) == ["email_code_expired"] * 4 + ["input_wrong"] * 4
    late = await browser.client.post(API_CODE, json={"code": code})
    assert (late.status_code, late.json()["code"]) == (409, "email_code_expired")
    page = await browser.submit(await browser.visit(ASK), ASK, email=NEW)
    assert page.form(CODE)


async def test_a_wrong_code_is_said_at_its_field_and_the_right_one_still_works(house: House, portal: Portal) -> None:
    browser, code = await asked(house)
    page = await browser.submit(await browser.visit(CODE), CODE, expect=422, code=other_than(code))
    assert "This code is not right" in page.text
    again = await browser.submit(page, CODE, expect=422, code="12")
    assert "Enter the 6 digits" in again.text
    await browser.submit(again, CODE, code=code)
    assert await addresses(portal, KEN) == (NEW,) * 3


async def test_a_code_lives_a_quarter_of_an_hour_and_dies_with_the_next(house: House, portal: Portal) -> None:
    browser, first = await asked(house)
    _, second = await asked(house)
    answer = await browser.client.post(API_CODE, json={"code": first})
    assert answer.status_code == 422 or first == second
    house.portal.clock.move_to(15 * 60 + 1)
    answer = await browser.client.post(API_CODE, json={"code": second})
    assert answer.json()["code"] == "email_code_expired"
    page = await browser.visit(CODE)
    assert page.form(ASK)
    assert await addresses(portal, KEN) == (KEN.email,) * 3


async def test_codes_are_sent_five_times_an_hour(house: House, portal: Portal) -> None:
    browser = await house.enter(KEN)
    answers = [await browser.client.post(API, json={"email": f"ken{n}@mail.example"}) for n in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert "retry-after" in answers[-1].headers
    assert await mails(portal, "ken5@mail.example") == []


@pytest.mark.parametrize("typed", ["", "no address", "a@b", "x" * 200 + "@mail.example", KEN.email.upper()])
async def test_an_address_that_will_not_do_is_said_at_its_field(house: House, typed: str) -> None:
    browser = await house.enter(KEN)
    answer = await browser.client.post(API, json={"email": typed})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/email"]
    page = await browser.submit(await browser.visit(ASK), ASK, expect=422, email=typed)
    assert "f-email-fault" in page.ids


@pytest.mark.parametrize("taken", [SAKURA.email, "misaki.nakamura@mail.example"])
async def test_an_address_of_somebody_else_is_refused(house: House, portal: Portal, taken: str) -> None:
    """Of a portal user, and of somebody who is at WHMCS only."""
    await house.enter(SAKURA)
    browser = await house.enter(KEN)
    answer = await browser.client.post(API, json={"email": taken})
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert await mails(portal, taken) == []


async def test_whmcs_away_at_the_asking_sends_nothing(house: House, portal: Portal, sandbox: SandboxControl) -> None:
    browser = await house.enter(KEN)
    form = await browser.visit(ASK)
    await sandbox.dial("whmcs", "down")
    page = await browser.submit(form, ASK, expect=503, email=NEW)
    assert "Nothing was changed" in page.text
    assert page.form(ASK).values["email"] == NEW
    assert await mails(portal, NEW) == []


async def test_the_login_refused_sets_the_client_back(house: House, portal: Portal, sandbox: SandboxControl) -> None:
    browser, code = await asked(house)
    await sandbox.dial("whmcs", "refuse", call="UpdateUser", code="A user already exists with that email address")
    page = await browser.submit(await browser.visit(CODE), CODE, expect=409, code=code)
    assert "already an account with this e-mail address" in page.text
    assert await addresses(portal, KEN) == (KEN.email,) * 3
    assert await mails(portal, KEN.email) == [
        "Your e-mail address at Portico Telecom is being changed",
        "Your e-mail address was not changed",
    ]
    changes = [line["facts"]["email"] for line in await sandbox.ledger("whmcs", "UpdateClient")]
    assert changes == [NEW, KEN.email]
    assert await open_change(portal, customer_of(KEN)) is None


async def test_a_portal_user_who_was_faster_sets_both_back(house: House, portal: Portal) -> None:
    browser, code = await asked(house)
    await house.enter(ALICE)
    async with portal.db.begin() as tx:
        values = {"email": NEW, "id": customer_of(ALICE).user_id}
        await tx.execute(text("UPDATE users SET email = :email WHERE id = :id"), values)
    answer = await browser.client.post(API_CODE, json={"code": code})
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert await addresses(portal, KEN) == (KEN.email,) * 3


async def test_two_with_the_same_address_at_once_get_it_once(house: House, portal: Portal) -> None:
    ken, ken_code = await asked(house)
    alice = await house.enter(ALICE)
    answer = await alice.client.post(API, json={"email": NEW})
    assert answer.status_code == 202
    alice_code = await code_for(portal, NEW)
    answers = await asyncio.gather(
        ken.client.post(API_CODE, json={"code": ken_code}), alice.client.post(API_CODE, json={"code": alice_code})
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    owners = await rows(portal, "SELECT id FROM users WHERE email = :email", email=NEW)
    assert len(owners) == 1
    for person in (KEN, ALICE):
        assert len(set(await addresses(portal, person))) == 1


@pytest.mark.parametrize("call", ["UpdateClient", "UpdateUser", "GetClientsDetails"])
async def test_whmcs_away_in_between_is_finished_later(
    house: House, portal: Portal, sandbox: SandboxControl, call: str
) -> None:
    browser, code = await asked(house)
    form = await browser.visit(CODE)
    await sandbox.dial("whmcs", "down", call=call)
    page = await browser.submit(form, CODE, expect=202, code=code)
    assert "We are finishing this" in page.text
    body = (await browser.client.get(API)).json()
    assert (body["email"], body["pending"]["state"]) == (KEN.email, "running")
    assert (await browser.client.post(API, json={"email": "x@mail.example"})).json()["code"] == "email_change_running"
    await sandbox.undial()
    await finish(house)
    assert await addresses(portal, KEN) == (NEW,) * 3
    assert await mails(portal, NEW) == ["Your code for Portico Telecom", "Your new e-mail address"]
    assert (await browser.client.get(API)).json() == {"email": NEW, "pending": None}


@pytest.mark.parametrize("call", ["UpdateClient", "UpdateUser"])
async def test_an_answer_that_was_lost_is_no_second_thing(
    house: House, portal: Portal, sandbox: SandboxControl, call: str
) -> None:
    browser, code = await asked(house)
    await sandbox.dial("whmcs", "commit_then_hang", call=call, times=1)
    assert (await browser.client.post(API_CODE, json={"code": code})).status_code == 200
    assert await addresses(portal, KEN) == (NEW,) * 3


class Killed(BaseException):
    """The end of a process, as far as one in this process can be played."""


@pytest.mark.parametrize("step", ["proven", "client", "login", "undo_login", "undo_client"])
@pytest.mark.parametrize("done_before", [False, True])
async def test_a_process_that_dies_at_any_step_leaves_nothing_half_done(
    house: House, portal: Portal, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, step: Any, done_before: bool
) -> None:
    """Killed before a step, or after what it did and before it was written down."""
    await asked(house)
    is_undone = step.startswith("undo")
    if is_undone:
        await house.enter(ALICE)
        async with portal.db.begin() as tx:
            values = {"email": NEW, "id": customer_of(ALICE).user_id}
            await tx.execute(text("UPDATE users SET email = :email WHERE id = :id"), values)
    whole = email_saga._STEPS[step]

    async def dies(*args: Any) -> Any:
        if done_before:
            async with Forgotten(portal):
                await whole(*args)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setitem(email_saga._STEPS, step, dies)
        with pytest.raises(Killed):
            async with portal.db.begin() as tx:
                (change_id,) = (await tx.execute(text("SELECT id FROM email_changes"))).scalars()
                await tx.execute(text("UPDATE email_changes SET state = 'proven'"))
            await carry_on(house.portal, change_id)
    await finish(house)
    expected = (KEN.email,) * 3 if is_undone else (NEW,) * 3
    assert await addresses(portal, KEN) == expected


class Forgotten:
    """What is done inside leaves its effect at WHMCS, and the row of the change as it was."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def __aenter__(self) -> None:
        self._before = await rows(self._portal, "SELECT * FROM email_changes")
        self._users = await rows(self._portal, "SELECT id, email FROM users")

    async def __aexit__(self, *_: object) -> None:
        async with self._portal.db.begin() as tx:
            for row in self._before:
                await tx.execute(text("UPDATE email_changes SET state = :state WHERE id = :id"), row)
            for user in self._users:
                await tx.execute(text("UPDATE users SET email = :email WHERE id = :id"), user)


async def test_an_overtaken_run_writes_nothing(house: House, portal: Portal, sandbox: SandboxControl) -> None:
    browser, code = await asked(house)
    await sandbox.dial("whmcs", "slow", call="UpdateUser", seconds=0.8, times=1)
    proving = asyncio.create_task(browser.client.post(API_CODE, json={"code": code}))

    overtake = "UPDATE email_changes SET claim = claim + 1 WHERE state = 'client' RETURNING id"
    await until(lambda: rows(portal, overtake))
    assert (await proving).status_code == 202
    assert (await rows(portal, "SELECT state FROM email_changes"))[0]["state"] == "client"
    await finish(house)
    assert await addresses(portal, KEN) == (NEW,) * 3


async def test_a_login_of_somebody_elses_making_stays(house: House, portal: Portal) -> None:
    """The login has another address than the account: it belongs to more than this account."""
    customer = customer_of(KEN)
    client = await get_clients_details(portal.whmcs, customer.whmcs_client_id)
    assert client.owner_user_id
    await update_user(portal.whmcs, client.owner_user_id, email="boss@mail.example")
    browser, code = await asked(house)
    assert (await browser.client.post(API_CODE, json={"code": code})).status_code == 200
    assert await addresses(portal, KEN) == (NEW, NEW, "boss@mail.example")


async def test_an_old_address_that_is_gone_waits_for_staff(
    house: House, portal: Portal, sandbox: SandboxControl
) -> None:
    browser, code = await asked(house)
    await sandbox.dial("whmcs", "refuse", call="UpdateUser", code="A user already exists with that email address")
    customer = customer_of(ALICE)
    proving = browser.client.post(API_CODE, json={"code": code})
    original = email_saga._STEPS["undo_client"]

    async def taken_meanwhile(*args: Any) -> Any:
        await update_client(portal.whmcs, customer.whmcs_client_id, ClientChange(email=KEN.email))
        return await original(*args)

    email_saga._STEPS["undo_client"] = taken_meanwhile
    try:
        assert (await proving).status_code == 202
    finally:
        email_saga._STEPS["undo_client"] = original
    assert [row["state"] for row in await rows(portal, "SELECT state FROM email_changes")] == ["parked"]
    assert len(await get_users(portal.whmcs, KEN.email)) == 1


async def finish(house: House) -> None:
    """What sweep and jobs do, once the lease of a dead process has run out, without the wait for it."""
    work.use_portal(house.portal)
    house.portal.clock.move_to(600)
    assert await sweep(house.portal) == 1
    for row in await rows(house.portal, "SELECT id FROM email_changes WHERE state NOT IN ('done', 'refused')"):
        await carry_on(house.portal, row["id"])
    work.use_portal(None)
