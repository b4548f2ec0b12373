"""Forgotten passwords and the links that set new ones: used once, in time, and telling nobody anything."""

from __future__ import annotations

import asyncio
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import pytest_asyncio
import structlog

from portico.identity import forgotten
from portico.identity.seed import seed_people
from portico.identity.sessions import hash_of
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.identity.conftest import Process, Start
from tests.identity.test_sign_in import ADA, STAFF, WORLD

FORGOTTEN = "/api/v1/auth/password/forgotten"
SET = "/api/v1/auth/password"
SIGN_IN = "/api/v1/auth/sign-in"
NEW = "another long password"


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def people(process: Process) -> None:
    await seed_people(process.portal, WORLD)


async def test_by_the_pages(process: Process, sandbox: SandboxControl) -> None:
    browser = process.browser()
    page = await browser.visit("/password/forgotten")
    sent = await browser.submit(page, "/password/forgotten", email=" ADA.Sato@mail.example ")
    assert sent.headings == ["Look into your mail"] and "30 minutes" in sent.text
    token = await _token(process, sandbox)
    choose = await browser.visit(f"/password/new?token={token}")
    assert choose.response.headers["referrer-policy"] == "no-referrer"
    assert choose.response.headers["cache-control"] == "no-store"
    done = await browser.post("/password/new", **{**choose.form("/password/new").values, "new_password": NEW})
    assert (done.status_code, done.headers["location"]) == (303, "/home")
    assert (await browser.client.get("/api/v1/me")).json()["email"] == ADA["email"]
    used = await browser.visit(f"/password/new?token={token}", expect=410)
    assert "used already or is too old" in used.text and used.response.headers["referrer-policy"] == "no-referrer"
    assert any(link.endswith("/password/forgotten") for link in used.links)


async def test_all_sessions_end_and_only_the_new_password_is_right(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as here, process.client() as there, process.client() as client:
        for session in (here, there):
            await _sign_in(session, str(ADA["password"]))
        token = await _asked(process, sandbox, client)
        answer = await client.post(SET, json={"token": token, "new_password": NEW})
        assert answer.status_code == 200, answer.text
        assert (await client.get("/api/v1/me")).status_code == 200
        await until(lambda: not process.sessions._copies or _none_but_new(process, client), 4)
        for session in (here, there):
            assert (await session.get("/api/v1/me")).status_code == 401
        old = await client.post(SIGN_IN, json={"email": ADA["email"], "password": ADA["password"]})
        assert old.status_code == 401
        await _sign_in(client, NEW)
    (mail,) = await process.rows("SELECT * FROM mails")
    assert mail["subject"] == "Your password was changed"
    actions = [row["action"] for row in await process.rows("SELECT action FROM audit ORDER BY id")]
    assert actions[-3:] == ["password.link_sent", "password.set", "sign_in.succeeded"]


async def test_known_and_unknown_addresses_get_the_same(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        answers = [await client.post(FORGOTTEN, json={"email": email}) for email in (ADA["email"], "no@mail.example")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
    pages = []
    for email in (str(ADA["email"]), "no@mail.example"):
        page = await process.browser().post("/password/forgotten", email=email)
        pages.append((page.status_code, page.text.replace(email, "…")))
    assert pages[0] == pages[1]
    rows = await process.rows("SELECT email FROM password_mails")
    assert Counter(row["email"] for row in rows) == {ADA["email"]: 2, "no@mail.example": 2}
    assert await process.rows("SELECT * FROM password_links") == []
    await process.send_password_mails()
    assert await process.rows("SELECT * FROM password_mails") == []
    assert len(await sandbox.mails(str(ADA["email"]))) == 2 and await sandbox.mails("no@mail.example") == []


async def test_nobody_without_mapping_gets_a_link(process: Process, sandbox: SandboxControl) -> None:
    await process.rows("DELETE FROM mappings RETURNING user_id")
    async with process.client() as client:
        await client.post(FORGOTTEN, json={"email": ADA["email"]})
    await process.send_password_mails()
    assert await sandbox.mails(str(ADA["email"])) == []


async def test_the_mail_speaks_the_language_of_the_person(process: Process, sandbox: SandboxControl) -> None:
    await process.rows("UPDATE users SET language = 'ja' RETURNING id")
    async with process.client(**{"accept-language": "en"}) as client:
        await _asked(process, sandbox, client)
    (mail,) = await sandbox.mails(str(ADA["email"]))
    assert "パスワード" in mail["subject"] and "30分" in mail["text"]


async def test_a_link_is_good_for_half_an_hour_after_it_was_sent(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        token = await _asked(process, sandbox, client)
        process.portal.clock.move_to(29.9 * 60)
        weak = await client.post(SET, json={"token": token, "new_password": "short"})
        assert [fault["pointer"] for fault in weak.json()["errors"]] == ["/new_password"]
        own = await client.post(SET, json={"token": token, "new_password": ADA["email"]})
        assert own.status_code == 422  # and the link still works
        process.portal.clock.move_to(30 * 60)
        late = await client.post(SET, json={"token": token, "new_password": NEW})
        assert (late.status_code, late.json()["code"]) == (410, "password_link_wrong")
        await process.browser().visit(f"/password/new?token={token}", expect=410)


async def test_looking_uses_nothing_up_and_setting_everything(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        one, two = await _asked(process, sandbox, client), await _asked(process, sandbox, client)
        for _ in range(3):
            await process.browser().visit(f"/password/new?token={one}")
        assert (await client.post(SET, json={"token": one, "new_password": NEW})).status_code == 200
        for token in (one, two):
            assert (await client.post(SET, json={"token": token, "new_password": NEW})).status_code == 410


async def test_sixteen_at_once_use_it_once(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client:
        token = await _asked(process, sandbox, client)
        bodies = [{"token": token, "new_password": f"{NEW} {n}"} for n in range(16)]
        answers = await asyncio.gather(*(client.post(SET, json=body) for body in bodies))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 410: 15}
    assert len(await process.rows("SELECT * FROM sessions")) == 1


@pytest.mark.parametrize("token", ["", "x", "é" * 300, "'; DROP TABLE users --", "\u0000"])
async def test_made_up_tokens(process: Process, token: str) -> None:
    async with process.client() as client:
        answer = await client.post(SET, json={"token": token, "new_password": NEW})
        refused = (422, "input_wrong") if "\0" in token else (410, "password_link_wrong")  # no field takes a NUL
        assert (answer.status_code, answer.json()["code"]) == refused


@pytest.mark.parametrize("email", ["", "nobody", "a\u0000b", "a@b", "x" * 300 + "@mail.example"])
async def test_what_is_no_address_is_said(process: Process, email: str) -> None:
    async with process.client() as client:
        answer = await client.post(FORGOTTEN, json={"email": email})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/email"]
    assert await process.rows("SELECT * FROM password_mails") == []


async def test_the_token_is_stored_and_logged_nowhere(process: Process, sandbox: SandboxControl) -> None:
    with structlog.testing.capture_logs() as lines:
        async with process.client() as client:
            token = await _asked(process, sandbox, client)
            await process.browser().visit(f"/password/new?token={token}")
            (row,) = await process.rows("SELECT * FROM password_links")
            assert bytes(row["token_hash"]) == hash_of(token)
            stored = str(await process.rows("SELECT * FROM mails"))
            stored += str(await process.rows("SELECT * FROM procrastinate_jobs"))
            assert (await client.post(SET, json={"token": token, "new_password": NEW})).status_code == 200
    assert lines and token not in str(lines) and token not in stored and NEW not in str(lines)


async def test_five_mails_an_hour_and_address(process: Process, sandbox: SandboxControl) -> None:
    async with process.client() as client, process.client("192.0.2.9") as elsewhere:
        for email in (ADA["email"], "no@mail.example"):
            answers = await asyncio.gather(*(client.post(FORGOTTEN, json={"email": email}) for _ in range(7)))
            assert sorted(answer.status_code for answer in answers) == [204] * 5 + [429] * 2
        answer = await elsewhere.post(FORGOTTEN, json={"email": ADA["email"]})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_tries")
        process.portal.clock.move_to(3601)
        assert (await elsewhere.post(FORGOTTEN, json={"email": ADA["email"]})).status_code == 204


async def test_the_mail_goes_out_once_the_mail_server_is_back(
    process: Process, sandbox: SandboxControl, start: Start, environment: dict[str, str], read: ReadSettings
) -> None:
    async with start(_without_mail(environment, read)) as deaf:
        async with deaf.client() as client:
            assert (await client.post(FORGOTTEN, json={"email": ADA["email"]})).status_code == 204
        await deaf.send_password_mails()
    (row,) = await process.rows("SELECT * FROM password_mails")
    assert row["tries"] == 1
    assert await forgotten.sweep(process.portal) == 0
    process.portal.clock.move_to(60)
    assert await forgotten.sweep(process.portal) == 1
    await process.send_password_mails()
    (mail,) = await sandbox.mails(str(ADA["email"]))
    async with process.client() as client:
        answer = await client.post(SET, json={"token": _token_in(mail["links"]), "new_password": NEW})
        assert answer.status_code == 200


async def test_staff_have_passwords_too(process: Process, sandbox: SandboxControl) -> None:
    browser = process.browser()
    await browser.post("/password/forgotten", email=STAFF["email"])
    token = await _token(process, sandbox, STAFF["email"])
    done = await browser.post("/password/new", token=token, new_password=NEW)
    assert (done.status_code, done.headers["location"]) == (303, "/staff")


def _without_mail(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, "MAIL_PORT": "1"})


async def _asked(process: Process, sandbox: SandboxControl, client: httpx2.AsyncClient) -> str:
    assert (await client.post(FORGOTTEN, json={"email": ADA["email"]})).status_code == 204
    return await _token(process, sandbox)


async def _token(process: Process, sandbox: SandboxControl, email: str = str(ADA["email"])) -> str:
    """Out of the newest mail."""
    before = len(await sandbox.mails(email))
    await process.send_password_mails()
    mails = await sandbox.mails(email)
    assert len(mails) == before + 1
    return _token_in(max(mails, key=lambda mail: str(mail["at"]))["links"])


def _token_in(links: list[str]) -> str:
    (link,) = {link for link in links if urlsplit(link).path == "/password/new"}
    return parse_qs(urlsplit(link).query)["token"][0]


def _none_but_new(process: Process, client: httpx2.AsyncClient) -> bool:
    return set(process.sessions._copies) <= {hash_of(client.cookies["portico"])}


async def _sign_in(client: httpx2.AsyncClient, password: str) -> None:
    answer = await client.post(SIGN_IN, json={"email": ADA["email"], "password": password})
    assert answer.status_code == 200, answer.text
