"""A customer who asks, by page and by API, and what has really come of it in Salesforce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
from sqlalchemy import text

from portico.customer import Customer
from portico.identity.mapping import customer_by_account
from portico.portal import Portal
from portico_sandbox.world_customers import READY
from portico_sandbox.world_types import Person
from tests.fixtures.browser import Browser, Page
from tests.fixtures.sandbox import SandboxControl

KEN, ALICE, _, COMPANY = READY[:4]
QUESTION: dict[str, Any] = {"subject": "No signal", "description": "Since noon.\nIn Shibuya.", "priority": "high"}


@dataclass
class Asker:
    person: Person
    api: httpx2.AsyncClient
    browser: Browser
    portal: Portal

    async def customer(self) -> Customer:
        async with self.portal.db.begin() as tx:
            found = await customer_by_account(tx, self.person.sf_account_id)
        assert found
        return found

    async def asks(self, **other: Any) -> str:
        """Opens a case by the API; answers its id."""
        answer = await self.api.post("/api/v1/cases", json={**QUESTION, **other})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def sends(self, path: str = "/support/new", *, expect: int = 200, **other: str) -> Page:
        """Fills in the form for a new case and sends it."""
        return await self.browser.submit(
            await self.browser.visit(path), "/support/new", expect=expect, **{**QUESTION, **other}
        )

    async def creations(self) -> list[dict[str, Any]]:
        async with self.portal.db.begin() as tx:
            rows = await tx.execute(text("SELECT * FROM creations WHERE kind LIKE 'sf_case%' ORDER BY created_at"))
            return [dict(row) for row in rows.mappings()]


async def opened(sandbox: SandboxControl) -> list[dict[str, Any]]:
    """The cases that were really created."""
    return await sandbox.ledger("salesforce", "create Case")


async def said(sandbox: SandboxControl) -> list[dict[str, Any]]:
    return await sandbox.ledger("salesforce", "create CaseComment")


def case_of(page: Page) -> str:
    """The id in the address of a case's page."""
    assert "/support/500" in page.url, page.url
    return page.url.rpartition("/")[2]
