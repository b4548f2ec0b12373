"""The security page: where one is signed in, ending it there, and changing the password."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from portico.identity.devices import device_words
from portico.identity.seed import seed_people
from tests.fixtures.until import until
from tests.identity.conftest import Process
from tests.identity.test_sign_in import ADA, WORLD

BEN: dict[str, Any] = {"email": "ben@mail.example", "password": "demo-ben-franklin", "whmcs_client_id": 3002}
PAGE = "/profile/security"
ME = "/api/v1/me"
SESSIONS = "/api/v1/sessions"
CHANGE = "/api/v1/me/password"
NEW = "another long password"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.1 Mobile/15E148 Safari/604.1"
)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def people(process: Process) -> None:
    ready = [*WORLD["customers"]["ready"], {**BEN, "sf_account_id": "0015g00000READY2AA"}]  # type: ignore[index]
    await seed_people(process.portal, {**WORLD, "customers": {"ready": ready}})


async def test_the_list_knows_this_device_and_the_others(process: Process) -> None:
    async with process.client("198.51.100.7", **{"user-agent": IPHONE}) as phone:
        await _sign_in(phone)
        process.portal.clock.move_to(600)
        browser = process.browser()
        browser.client.headers["user-agent"] = CHROME
        await _sign_in(browser.client)
        page = await browser.visit(PAGE)
        assert "Chrome on Windows" in page.text and "Safari on iPhone" in page.text and "198.51.100.7" in page.text
        assert page.text.index("Chrome on Windows") < page.text.index("This device")
        assert page.text.index("This device") < page.text.index("Safari on iPhone")
        found = (await browser.client.get(SESSIONS)).json()
        assert (found["total"], [item["is_current"] for item in found["items"]]) == (2, [True, False])
        assert set(found["items"][0]) == {"id", "is_current", "device", "source", "created_at", "last_seen_at"}
        process.portal.clock.move_to(31 * 60)  # the phone was last seen 31 minutes ago
        assert (await browser.client.get(SESSIONS)).json()["total"] == 1


async def test_ending_one_by_the_page(process: Process) -> None:
    browser = process.browser()
    async with process.client(**{"user-agent": IPHONE}) as phone:
        await _sign_in(phone)
        await _sign_in(browser.client)
        page = await browser.visit(PAGE)
        (end,) = [form.action for form in page.forms if form.action.endswith("/end")]
        page = await browser.submit(page, end.removeprefix(process.portal.settings.portal.url))
        assert "That device is signed out." in page.text and "Safari on iPhone" not in page.text
        await _signed_out(phone)
        assert (await browser.client.get(ME)).status_code == 200


async def test_ending_this_one_leads_out(process: Process) -> None:
    browser = process.browser()
    await _sign_in(browser.client)
    (item,) = (await browser.client.get(SESSIONS)).json()["items"]
    answer = await browser.post(f"{PAGE}/sessions/{item['id']}/end")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await browser.client.get(ME)).status_code == 401


async def test_ending_all_others(process: Process) -> None:
    async with process.client() as one, process.client() as two, process.client() as here, process.client() as ben:
        for client in (one, two, here):
            await _sign_in(client)
        await _sign_in(ben, BEN)
        answer = await here.post(f"{SESSIONS}/end-others")
        assert (answer.status_code, answer.json()) == (200, {"ended": 2})
        for client in (one, two):
            await _signed_out(client)
        assert (await here.get(ME)).status_code == (await ben.get(ME)).status_code == 200
        browser = process.browser()
        await _sign_in(browser.client)
        page = await browser.submit(await browser.visit(PAGE), f"{PAGE}/sessions/end-others")
        assert "All other devices are signed out." in page.text
        assert f"{PAGE}/sessions/end-others" not in page.response.text
        await _signed_out(here)


async def test_somebody_elses_session_is_no_session(process: Process) -> None:
    async with process.client() as ada, process.client() as ben:
        await _sign_in(ada)
        await _sign_in(ben, BEN)
        (of_ben,) = (await ben.get(SESSIONS)).json()["items"]
        answers = [
            await ada.post(f"{SESSIONS}/{session_id}/end")
            for session_id in (of_ben["id"], "00000000-0000-0000-0000-000000000000", "1")
        ]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert len({(answer.json()["code"], answer.json()["detail"]) for answer in answers}) == 1
        assert (await ben.get(ME)).status_code == 200


async def test_nobody_comes_here_without_a_session(process: Process) -> None:
    async with process.client() as client:
        assert (await client.get(SESSIONS)).status_code == 401
        assert (await client.post(CHANGE, json={})).status_code == 401
        page = await client.get(PAGE, headers={"accept": "text/html"})
        assert page.headers["location"] == f"/sign-in?next={PAGE}"


async def test_changing_the_password_by_the_page(process: Process) -> None:
    browser = process.browser()
    await _sign_in(browser.client)
    page = await browser.visit(PAGE)
    action = f"{PAGE}/password"
    wrong = await browser.submit(page, action, expect=422, current_password="nonsense", new_password=NEW)
    assert "This is not your current password." in wrong.text
    weak = await browser.submit(page, action, expect=422, current_password=str(ADA["password"]), new_password="kurz")
    assert "at least 10" in weak.text
    token = browser.client.cookies["portico"]
    done = await browser.submit(page, action, current_password=str(ADA["password"]), new_password=NEW)
    assert "Your new password is set." in done.text and browser.client.cookies["portico"] != token


async def test_changing_the_password_ends_all_other_sessions_and_links(process: Process) -> None:
    async with process.client() as here, process.client() as there, process.client() as thief:
        await _sign_in(here)
        await _sign_in(there)
        await here.post("/api/v1/auth/password/forgotten", json={"email": ADA["email"]})
        await process.send_password_mails()
        thief.cookies.set("portico", here.cookies["portico"])
        body = {"current_password": ADA["password"], "new_password": NEW}
        assert (await here.post(CHANGE, json=body)).status_code == 204
        assert (await here.get(ME)).status_code == 200
        await _signed_out(there)
        await _signed_out(thief)
        await _sign_in(there, {**ADA, "password": NEW})
    assert await process.rows("SELECT * FROM password_links") == []
    (mail,) = await process.rows("SELECT * FROM mails")
    assert mail["recipient"] == ADA["email"] and "changed" in mail["subject"]


async def test_two_changes_at_once_are_one(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        bodies = [{"current_password": ADA["password"], "new_password": f"{NEW} {n}"} for n in range(6)]
        answers = await asyncio.gather(*(client.post(CHANGE, json=body) for body in bodies))
    assert Counter(answer.status_code for answer in answers)[204] == 1
    assert len(await process.rows("SELECT * FROM sessions")) == 1


async def test_a_stolen_session_can_not_guess_for_ever(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        bodies = [{"current_password": f"guess {n}", "new_password": NEW} for n in range(12)]
        answers = await asyncio.gather(*(client.post(CHANGE, json=body) for body in bodies))
        assert Counter(answer.status_code for answer in answers) == {422: 10, 429: 2}
        right = await client.post(CHANGE, json={"current_password": ADA["password"], "new_password": NEW})
        assert right.status_code == 429


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (CHROME, "Chrome on Windows"),
        (IPHONE, "Safari on iPhone"),
        (f"{CHROME} Edg/131.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0"
            " Chrome/122.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
            " Safari/605.1.15",
            "Safari on Mac",
        ),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_words_for_devices(agent: str, words: str) -> None:
    assert str(device_words(agent)) == words


async def _sign_in(client: httpx2.AsyncClient, person: dict[str, Any] = ADA) -> None:
    answer = await client.post("/api/v1/auth/sign-in", json={"email": person["email"], "password": person["password"]})
    assert answer.status_code == 200, answer.text


async def _signed_out(client: httpx2.AsyncClient) -> None:
    """As soon as the notice has come to this process."""

    async def is_out() -> bool:
        return (await client.get(ME)).status_code == 401

    await until(is_out, 4)
