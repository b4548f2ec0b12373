"""The JWT bearer flow of the Salesforce stand-in, and what a token opens."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from portico_sandbox.salesforce.control import expire_tokens
from portico_sandbox.salesforce.keys import ensure_keys
from tests.sandbox.salesforce_calling import GRANT, Salesforce, salesforce_at


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path) as caller:
        yield caller


async def test_a_signed_assertion_buys_a_token(org: Salesforce) -> None:
    answer = await org.mint()
    body = answer.json()
    assert answer.status_code == 200
    assert body["token_type"] == "Bearer"
    assert body["instance_url"] == str(org.http.base_url).rstrip("/")
    host, organization, user = body["id"].rsplit("/", 2)
    assert host.endswith("/id")
    assert (len(organization), organization[:3], len(user), user[:3]) == (18, "00D", 18, "005")
    assert body["access_token"].startswith(organization[:15] + "!")
    assert "refresh_token" not in body
    assert "expires_in" not in body


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"iss": "somebody"}, "invalid_client_id", "client identifier invalid"),
        ({"sub": "nobody@demo.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant", "audience is invalid"),
        ({"exp": int(time.time()) - 60}, "invalid_grant", "expired authorization code"),
        ({"exp": int(time.time() * 1000)}, "invalid_grant", "expired authorization code"),
        ({"exp": "soon"}, "invalid_grant", "invalid assertion"),
    ],
)
async def test_each_wrong_claim_has_its_answer(
    org: Salesforce, claims: dict[str, Any], error: str, description: str
) -> None:
    answer = await org.mint(**claims)
    assert answer.status_code == 400
    assert answer.json() == {"error": error, "error_description": description}


async def test_what_clients_do_differently_is_accepted(org: Salesforce) -> None:
    assert (await org.mint(exp=str(int(time.time()) + 120))).status_code == 200
    assert (await org.mint(aud="https://test.salesforce.com")).status_code == 200
    assert (await org.mint(aud=str(org.http.base_url))).status_code == 200


async def test_another_key_or_another_flow_is_refused(org: Salesforce) -> None:
    forged = jwt.encode({"iss": "x"}, rsa.generate_private_key(65537, 2048), algorithm="RS256")
    for form, error in (
        ({"grant_type": GRANT, "assertion": forged}, "invalid_grant"),
        ({"grant_type": GRANT, "assertion": "rubbish"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ):
        answer = await org.http.post("/services/oauth2/token", data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_chunked_form_bodies_are_read(org: Salesforce) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"grant_type=pass"
        yield b"word"

    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await org.http.post("/services/oauth2/token", content=pieces(), headers=kind)
    assert answer.json()["error"] == "unsupported_grant_type"


async def test_the_token_opens_and_is_counted(org: Salesforce) -> None:
    first = await org.call("GET", "/limits")
    second = await org.call("GET", "/limits/")
    used = [int(each.headers["Sforce-Limit-Info"].split("=")[1].split("/")[0]) for each in (first, second)]
    assert used[1] == used[0] + 1
    assert second.json()["DailyApiRequests"] == {"Max": 100000, "Remaining": 100000 - used[1]}
    versions = await org.http.get("/services/data/")
    assert versions.json()[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    assert "Sforce-Limit-Info" not in versions.headers


async def test_userinfo_names_user_and_organization(org: Salesforce) -> None:
    headers = {"Authorization": f"Bearer {org.token}"}
    info = (await org.http.get("/services/oauth2/userinfo", headers=headers)).json()
    assert info["preferred_username"] == org.sandbox.settings.salesforce_username
    assert info["organization_id"].startswith("00D")
    assert (await org.http.get("/services/oauth2/userinfo")).status_code == 403


async def test_a_dead_token_is_401(org: Salesforce) -> None:
    def is_dead(answer: httpx2.Response) -> bool:
        expected = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
        return answer.status_code == 401 and answer.json() == expected

    await expire_tokens(org.sandbox)
    assert is_dead(await org.call("GET", "/limits"))
    await org.sign_in()
    assert (await org.call("GET", "/limits")).status_code == 200
    revoked = await org.http.post("/services/oauth2/revoke", data={"token": org.token})
    assert revoked.status_code == 200
    assert is_dead(await org.call("GET", "/limits"))
    await org.sign_in()
    org.sandbox.clock.move(timedelta(hours=3))
    assert is_dead(await org.call("GET", "/limits"))
    assert (await org.sign_in()).token  # an assertion of the real clock is good while the sandbox's runs ahead


def test_keys_are_made_once(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    files = (keys.salesforce_key, keys.authority, keys.server_certificate, keys.server_key)
    before = [each.read_bytes() for each in files]
    ensure_keys(tmp_path)
    assert [each.read_bytes() for each in files] == before
    assert keys.salesforce_key.stat().st_mode & 0o077 == 0


async def test_client_credentials(org: Salesforce) -> None:
    settings = org.sandbox.settings
    form = {"grant_type": "client_credentials", "client_id": settings.salesforce_client_id}
    secret = {"client_secret": settings.salesforce_client_secret}
    answer = await org.http.post("/services/oauth2/token", data={**form, **secret})
    assert answer.status_code == 200
    assert {"access_token", "instance_url", "id", "issued_at", "signature"} <= set(answer.json())
    pair = (settings.salesforce_client_id, settings.salesforce_client_secret)
    by_header = await org.http.post("/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=pair)
    org.token = by_header.json()["access_token"]
    assert (await org.call("GET", "/limits")).status_code == 200
    for changes, error in (({"client_secret": "guessed"}, "invalid_client"), ({"client_id": "x"}, "invalid_client_id")):
        refused = await org.http.post("/services/oauth2/token", data={**form, **secret, **changes})
        assert (refused.status_code, refused.json()["error"]) == (400, error)


async def test_the_identity_page_is_its_users_alone(org: Salesforce) -> None:
    address = (await org.mint()).json()["id"]
    path = address.removeprefix(str(org.http.base_url).rstrip("/"))
    headers = {"Authorization": f"Bearer {org.token}"}
    page = (await org.http.get(path, headers=headers)).json()
    assert (page["id"], page["username"]) == (address, org.sandbox.settings.salesforce_username)
    assert (await org.http.get(path, params={"oauth_token": org.token})).status_code == 200
    assert (await org.http.get(path)).status_code == 403
    assert (await org.http.get(f"{path[:-18]}0055g00000STAFFAA1", headers=headers)).status_code == 403


def envelope(inner: str) -> bytes:
    return (
        '<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:u="urn:partner.soap.sforce.com"><e:Body>{inner}</e:Body></e:Envelope>'
    ).encode()


async def test_soap_login_and_logout(org: Salesforce) -> None:
    settings = org.sandbox.settings
    login = f"<u:login><u:username>{settings.salesforce_username}</u:username><u:password>{{}}</u:password></u:login>"
    right = envelope(login.format(settings.salesforce_password + "TOKEN"))
    kind = {"Content-Type": "text/xml", "SOAPAction": "login"}
    answer = await org.http.post("/services/Soap/u/59.0", content=right, headers=kind)
    assert answer.status_code == 200
    org.token = answer.text.split("<sessionId>")[1].split("<")[0]
    assert (await org.call("GET", "/limits")).status_code == 200
    session = f"<u:SessionHeader><u:sessionId>{org.token}</u:sessionId></u:SessionHeader>"
    logout = envelope("<u:logout/>").replace(b"<e:Body>", f"<e:Header>{session}</e:Header><e:Body>".encode())
    assert (await org.http.post("/services/Soap/u/59.0", content=logout, headers=kind)).status_code == 200
    assert (await org.call("GET", "/limits")).status_code == 401
    for path, body, code in (
        ("59.0", envelope(login.format("guessed")), "INVALID_LOGIN"),
        ("65.0", right, "UNSUPPORTED_API_VERSION"),
        ("59.0", logout, "INVALID_SESSION_ID"),
        ("59.0", envelope("<u:query/>"), "UNKNOWN_EXCEPTION"),
        ("59.0", b"<broken", "soapenv:Client"),
    ):
        refused = await org.http.post(f"/services/Soap/u/{path}", content=body, headers=kind)
        assert refused.status_code == 500
        assert f"<sf:exceptionCode>{code}</sf:exceptionCode>" in refused.text
