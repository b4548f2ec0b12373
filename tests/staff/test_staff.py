"""The staff's page: what is stuck, and why; nobody else sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest_asyncio
from sqlalchemy import text

from portico.fulfillment import outcomes
from portico.identity.seed import seed_people
from portico.orders import timeline
from portico.portal import Portal
from tests.fixtures.browser import Browser

HEARD = "INSERT INTO change_position (topic, heard_at, problem) VALUES ('/t', :at, :problem)"
ORDER, ACCOUNT = "8015g1000000009AAA", "0015g00000KnTa1AAF"


@pytest_asyncio.fixture(loop_scope="session")
async def portal(app: Any, world: dict[str, Any]) -> Portal:
    the_portal: Portal = app.state.portal
    await seed_people(the_portal, world)
    return the_portal


async def test_a_parked_order_is_shown_with_its_reason(portal: Portal, client: Browser, world: dict[str, Any]) -> None:
    who = world["staff"][0]
    await client.sign_in(who["email"], who["password"])
    assert "All approved orders are complete." in (await client.visit("/staff")).response.text
    now = portal.clock.now()
    async with portal.db.begin() as tx:
        await timeline.begin(tx, ORDER, ACCOUNT, now)
        mine = await timeline.claim(tx, ORDER, now)
        assert mine is not None
        code = outcomes.PRICE_MISMATCH.code
        await timeline.rest(tx, mine, "parked", now, reason_code=code, detail="SKU: 980 and 990.")
    page = (await client.visit("/staff")).response.text
    assert ORDER in page and code in page
    assert outcomes.PRICE_MISMATCH.for_staff in page and "SKU: 980 and 990." in page


async def test_how_the_stream_of_changes_fares(portal: Portal, client: Browser, world: dict[str, Any]) -> None:
    who = world["staff"][0]
    await client.sign_in(who["email"], who["password"])
    async with portal.db.begin() as tx:
        await tx.execute(text("TRUNCATE change_position"))
    assert "The listener has never run" in (await client.visit("/staff")).response.text
    values = {"at": portal.clock.now() - timedelta(hours=49), "problem": "not allowed to subscribe"}
    async with portal.db.begin() as tx:
        await tx.execute(
            text("INSERT INTO change_position (topic, heard_at, problem) VALUES ('/t', :at, :problem)"), values
        )
    page = (await client.visit("/staff")).response.text
    assert "Nearly lost" in page and "/t" in page and "not allowed to subscribe" in page


async def test_no_customer_sees_it(portal: Portal, client: Browser, world: dict[str, Any]) -> None:
    who = world["customers"]["ready"][0]
    await client.sign_in(who["email"], who["password"])
    assert (await client.visit("/staff", expect=403)).response.status_code == 403
