"""A burst upon listeners that are killed, frozen, cut off and lied to: every event comes through, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.events.office import SKU, Office
from tests.events.storm import Listeners
from tests.fixtures.servers import Servers
from tests.fixtures.until import until

KILLS = 3
ODDITIES = 5
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Size:
    events: int
    cuts: int

    @property
    def cut_every(self) -> int:
        return self.events // self.cuts


@pytest_asyncio.fixture(loop_scope="session")
async def listeners(office: Office, environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Listeners]:
    running = Listeners({**os.environ, **environment}, tmp_path, office.rows)
    running.start(KILLS + 2)
    try:
        await until(running.are_up, 60)
        yield running
    finally:
        await running.stop()


@pytest.mark.timeout(300)
async def test_nothing_is_lost(office: Office, listeners: Listeners, servers: Servers, world: dict[str, Any]) -> None:
    await _storm(office, listeners, servers, world, Size(3_000, 10))


@pytest.mark.proof
@pytest.mark.timeout(900)
async def test_nothing_is_lost_of_a_hundred_thousand(
    office: Office, listeners: Listeners, servers: Servers, world: dict[str, Any]
) -> None:
    """And in bounded memory, fast enough on one core, with each takeover within ten seconds."""
    seconds = await _storm(office, listeners, servers, world, Size(100_000, 50))
    delivered = await _delivered(office)
    rate = delivered / listeners.cpu_seconds
    figures = {
        "delivered": delivered,
        "seconds": round(seconds, 1),
        "events per processor second of the listeners": round(rate),
        "largest growth in MB": round(listeners.growth / MEGABYTE, 1),
        "takeovers after a kill": [round(each, 1) for each in listeners.takeovers],
        "takeover from a frozen one": round(listeners.frozen, 1),
        "load": os.getloadavg(),
    }
    print(figures)
    assert rate >= 2_000, figures
    assert listeners.growth <= 50 * MEGABYTE, figures
    assert max(*listeners.takeovers, listeners.frozen) <= 10, figures


async def _storm(office: Office, listeners: Listeners, servers: Servers, world: dict[str, Any], size: Size) -> float:
    """Answers how long it took from the burst to the last event in the inbox."""
    await until(office.is_heard, 60)
    await office.sandbox.press("salesforce", "break-streams", every=str(size.cut_every))
    began = asyncio.get_running_loop().time()
    emitted = await _emit(servers, size.events)
    sampling = asyncio.create_task(_sample(listeners))
    try:
        for part in range(1, KILLS + 1):
            await _reached(office, size.events * part // (KILLS + 3))
            await listeners.kill_leader()
        await office.sandbox.press("salesforce", "repeat-events", count="100")
        await office.sandbox.press("salesforce", "expire-replay", now="yes")
        async with listeners.frozen_leader() as frozen:
            await _oddities(office, world)
            await until(lambda: _all_in(office, emitted), 300)
            epoch = await listeners.epoch()
        await until(lambda: listeners.has_stepped_back(frozen), 60)
        assert await listeners.epoch() == epoch, "the thawed one leads no more"
        took = asyncio.get_running_loop().time() - began
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
    await _stays_so(office, emitted)
    return took


async def _emit(servers: Servers, events: int) -> set[str]:
    """Changes of prices, and of a field of orders that matters; answers the ids of all events in Salesforce's log."""
    address = f"http://127.0.0.1:{servers.ports['control panel and mailbox']}/control/salesforce"
    ids: set[str] = set()
    async with httpx2.AsyncClient(timeout=300, trust_env=False) as client:
        for entity, field in (("PricebookEntry", "UnitPrice"), ("Order", "Fulfillment_Error_Code__c")):
            asked = {"count": str(events // 2), "entity": entity, "field": field, "records": "500"}
            burst = (await client.post(f"{address}/burst-events", json=asked)).raise_for_status().json()
            listed = await client.post(f"{address}/emitted-events", json={"burst": burst["burst"]})
            ids.update(listed.raise_for_status().json()["ids"])
    assert len(ids) == events // 2 * 2
    return ids


async def _oddities(office: Office, world: dict[str, Any]) -> None:
    """Gaps, an overflow, events that can't be read: each must leave its trace in the inbox."""
    account = world["customers"]["ready"][0]["sf_account_id"]
    await office.sandbox.press("salesforce", "gap", id=account)
    await office.sandbox.press("salesforce", "overflow", entity="Order")
    await office.sandbox.press("salesforce", "wildcard", entity="Product2")
    await office.sandbox.dial("pubsub", "malformed", call="PricebookEntry", times=1)
    await office.sandbox.dial("pubsub", "malformed", call="PricebookEntry", times=1, code="schema")
    for net in ("500", "501"):
        await office.sandbox.press("salesforce", "change-price", sku=SKU, net=net)


async def _stays_so(office: Office, emitted: set[str]) -> None:
    """The thawed leader has written nothing; each oddity stands there; nothing came twice."""
    rows = await office.rows("SELECT kind, body, external_id FROM inbox WHERE body ->> 'change' NOT IN ('UPDATE')")
    assert {row["kind"] for row in rows if row["body"]["change"] == "GAP_UPDATE"} == {"Account"}
    assert {row["kind"] for row in rows if row["body"]["change"] == "GAP_OVERFLOW"} == {"Order"}
    problems = {row["body"]["problem"] for row in rows if "problem" in row["body"]}
    assert len(problems) == 2 and "unknown schema" in problems
    assert len(await office.rows("SELECT 1 FROM dead_letters")) == 2
    assert await office.rows("SELECT 1 FROM inbox WHERE kind = 'Product2' AND body -> 'record_ids' = '[]'")
    assert await _all_in(office, emitted)
    [row] = await office.rows("SELECT count(*) AS all, count(DISTINCT external_id) AS once FROM inbox")
    assert row["all"] == row["once"]


async def _reached(office: Office, count: int) -> None:
    async def is_reached() -> bool:
        [row] = await office.rows("SELECT count(*) AS stored FROM inbox")
        return bool(row["stored"] >= count)

    await until(is_reached, 300)


async def _all_in(office: Office, emitted: set[str]) -> bool:
    [row] = await office.rows("SELECT count(*) AS stored FROM inbox")
    if row["stored"] < len(emitted) + ODDITIES:
        return False
    stored = {row["external_id"] for row in await office.rows("SELECT external_id FROM inbox")}
    return emitted <= stored


async def _delivered(office: Office) -> int:
    [row] = await office.rows("SELECT sum(delivered) AS delivered FROM change_deliveries")
    return int(row["delivered"])


async def _sample(listeners: Listeners) -> None:
    while True:
        with contextlib.suppress(OSError):
            await listeners.sample_leader()
        await asyncio.sleep(0.1)
