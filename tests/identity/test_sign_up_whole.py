"""Sign-up through the whole app with a worker beside it: nobody carries anything on by hand."""

from __future__ import annotations

import httpx2
import pytest
from sqlalchemy import text

from portico.portal import Portal
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.sandbox import SandboxControl
from tests.fixtures.until import until
from tests.identity.applying import HINA, api_body


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    return read({**environment, "WHMCS_WRITE_SECONDS": "1.5"})


async def test_salesforce_is_told_and_the_welcome_arrives(
    http: httpx2.AsyncClient, sandbox: SandboxControl, portal: Portal, worker: None
) -> None:
    assert (await http.post("/api/v1/auth/sign-up", json=api_body())).status_code == 201
    (told,) = await until(lambda: sandbox.ledger("salesforce"))
    assert told["reference"] == HINA.sf_account_id
    (mail,) = await until(lambda: sandbox.mails(HINA.email))
    assert "Welcome" in mail["subject"]
    assert any(link.endswith("/sign-in") for link in mail["links"])


async def test_a_lost_answer_is_found_by_the_jobs_alone(
    http: httpx2.AsyncClient, sandbox: SandboxControl, portal: Portal, worker: None
) -> None:
    await sandbox.dial("whmcs", "commit_then_hang", call="AddClient", times=1)
    assert (await http.post("/api/v1/auth/sign-up", json=api_body())).status_code == 202

    async def is_done() -> bool:
        async with portal.db.begin() as tx:
            return bool((await tx.execute(text("SELECT state FROM sign_ups"))).scalar() == "done")

    await until(is_done, 30)
    assert len(await sandbox.ledger("whmcs", "AddClient")) == 1
    assert len(await until(lambda: sandbox.mails(HINA.email))) == 1
