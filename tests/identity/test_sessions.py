"""Sessions: how long they last, that they end everywhere at once, and what their cookie looks like."""

from __future__ import annotations

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text

from portico.identity.seed import seed_people
from portico.identity.sessions import end_sessions_of, hash_of, person_changed, session_cookie
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.until import until
from tests.identity.conftest import Process, Start
from tests.identity.test_sign_in import ADA, WORLD

ME = "/api/v1/me"
LISTENERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def people(process: Process) -> None:
    await seed_people(process.portal, WORLD)


async def test_the_cookie_on_loopback(process: Process) -> None:
    async with process.client() as client:
        cookie = (await _sign_in(client)).headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    assert name == "portico" and len(rest.partition(";")[0]) >= 43
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Secure" not in cookie


def test_the_cookie_on_https(environment: dict[str, str], read: ReadSettings) -> None:
    settings = read({**environment, "PORTAL_URL": "https://portal.example", "PORTAL_DEMO": "false"})
    cookie = session_cookie(settings, "token")
    assert (cookie.key, cookie.secure, cookie.path, cookie.domain) == ("__Host-portico", True, "/", None)


async def test_only_the_hash_is_stored(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        token = client.cookies["portico"]
    (row,) = await process.rows("SELECT * FROM sessions")
    assert bytes(row["token_hash"]) == hash_of(token) and token not in str(row)


async def test_idle_for_half_an_hour_ends_it(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        for minutes in (29, 58, 87):
            process.portal.clock.move_to(minutes * 60)
            assert (await client.get(ME)).status_code == 200
        process.portal.clock.move_to(117.5 * 60)
        assert (await client.get(ME)).status_code == 401


async def test_twelve_hours_end_it_however_busy(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        for minutes in range(0, 12 * 60, 25):
            process.portal.clock.move_to(minutes * 60)
            assert (await client.get(ME)).status_code == 200
        process.portal.clock.move_to(12 * 3600)
        assert (await client.get(ME)).status_code == 401


async def test_seen_is_written_once_a_minute_at_most(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        (before,) = await process.rows("SELECT seen_at FROM sessions")
        process.portal.clock.move_to(59)
        await client.get(ME)
        assert await process.rows("SELECT seen_at FROM sessions") == [before]
        process.portal.clock.move_to(61)
        await client.get(ME)
        assert await process.rows("SELECT seen_at FROM sessions") != [before]


async def test_signing_in_again_rotates(process: Process) -> None:
    async with process.client() as client, process.client() as thief:
        await _sign_in(client)
        old = client.cookies["portico"]
        await _sign_in(client)
        assert client.cookies["portico"] != old
        thief.cookies.set("portico", old)
        assert (await thief.get(ME)).status_code == 401
        assert (await client.get(ME)).status_code == 200


async def test_signing_out_ends_it_in_every_process(process: Process, start: Start, settings: Settings) -> None:
    async with start(settings) as other, process.client() as here, other.client() as there:
        await _sign_in(here)
        there.cookies.set("portico", here.cookies["portico"])
        assert (await there.get(ME)).status_code == 200
        assert other.sessions._copies
        token = here.cookies["portico"]
        assert (await here.post("/api/v1/auth/sign-out")).status_code == 204
        here.cookies.set("portico", token)
        assert (await here.get(ME)).status_code == 401
        await until(lambda: not other.sessions._copies, 4)
        assert (await there.get(ME)).status_code == 401


async def test_a_revoked_session_can_change_nothing_even_while_a_copy_lives(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        assert (await client.get(ME)).status_code == 200
        await process.rows("DELETE FROM sessions RETURNING id")  # no notice: the copy stays for its five seconds
        assert (await client.get(ME)).status_code == 200
        token = client.cookies["portico"]
        assert await process.sessions.person(token, must_read=True) is None


async def test_without_notices_there_are_no_copies(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        assert (await client.get(ME)).status_code == 200
        await process.rows(LISTENERS)
        await until(lambda: not process.notices.healthy)
        await process.rows("DELETE FROM sessions RETURNING id")
        assert (await client.get(ME)).status_code == 401


async def test_all_sessions_of_a_person_end_together(process: Process) -> None:
    async with process.client() as one, process.client() as two:
        await _sign_in(one)
        await _sign_in(two)
        assert {(await client.get(ME)).status_code for client in (one, two)} == {200}
        (user,) = await process.rows("SELECT id FROM users WHERE email = :email", email=ADA["email"])
        async with process.portal.db.begin() as tx:
            await end_sessions_of(tx, user["id"])
        await until(lambda: not process.sessions._copies, 4)
        assert {(await client.get(ME)).status_code for client in (one, two)} == {401}


async def test_the_next_request_uses_the_new_mapping(process: Process) -> None:
    async with process.client() as client:
        await _sign_in(client)
        assert (await client.get(ME)).json()["whmcs_client_id"] == "3001"
        async with process.portal.db.begin() as tx:
            user_id = (
                await tx.execute(text("UPDATE mappings SET whmcs_client_id = 4711 RETURNING user_id"))
            ).scalar_one()
            await person_changed(tx, user_id)
        await until(lambda: not process.sessions._copies, 4)
        assert (await client.get(ME)).json()["whmcs_client_id"] == "4711"


@pytest.mark.parametrize("token", ["", "x", "'; DROP TABLE sessions --", "é" * 500])
async def test_made_up_tokens_are_nobody(process: Process, token: str) -> None:
    assert await process.sessions.person(token, must_read=False) is None


async def _sign_in(client: httpx2.AsyncClient) -> httpx2.Response:
    body = {"email": ADA["email"], "password": ADA["password"]}
    answer = await client.post("/api/v1/auth/sign-in", json=body)
    assert answer.status_code == 200, answer.text
    return answer
