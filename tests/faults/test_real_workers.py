"""`python -m portico worker` and `listen` as they are run, killed and frozen in the middle of their work."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from portico.demo.processes import Child, Command, Guard
from portico.settings import Settings
from tests.fixtures.portal import ReadSettings
from tests.fixtures.until import until
from tests.orders.shop import ESIM, QUICK, Shop

Start = Callable[[str], Child]


@pytest.fixture
def settings(environment: dict[str, str], read: ReadSettings) -> Settings:
    """A worker that waits long enough for an answer to be killed meanwhile."""
    more = {"WHMCS_WRITE_SECONDS": "6", "CREATION_LEASE_SECONDS": "2", "FULFILLMENT_RETRY_SECONDS": "0.5"}
    return read({**environment, **QUICK, **more})


@pytest_asyncio.fixture(loop_scope="session")
async def start(settings: Settings, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts `worker` or `listen` with the settings of this test."""
    assert settings.portal.demo
    guard, children = Guard(), list[Child]()

    def start_one(command: str) -> Child:
        argv = [sys.executable, "-m", "portico", command]
        children.append(Child(Command(command, argv, dict(os.environ), tmp_path / f"{command}.log")))
        guard.watch(*children)
        return children[-1]

    yield start_one
    for child in children:
        os.kill(child.pid, signal.SIGCONT) if child.exit_code() is None else None
        await child.stop(3)
    guard.dismiss()


async def test_killed_while_billing_makes_the_order(shop: Shop, start: Start) -> None:
    """Heard of by the listener, begun by one worker, finished by the next."""
    await shop.sandbox.press("salesforce", "turn-knob", name="keepalive_seconds", value="0.2")
    victim, _ = start("worker"), start("listen")
    await until(lambda: shop.rows("SELECT 1 FROM change_position WHERE heard_at IS NOT NULL"), 40)
    await shop.sandbox.dial("whmcs", "commit_then_hang", call="AddOrder", times=1)
    order_id = await shop.approved(ESIM)
    await until(lambda: shop.sandbox.ledger("whmcs", "AddOrder"), 30)
    os.kill(victim.pid, signal.SIGKILL)
    start("worker")
    await until(lambda: _is_done(shop, order_id), 45)
    await _made_once(shop)


@pytest.mark.proof
@pytest.mark.timeout(300)
async def test_frozen_past_its_lease_and_thawed(shop: Shop, start: Start) -> None:
    """Its successor adopts what it sent; when it wakes up it finds its claims lost, and writes nothing."""
    frozen = start("worker")
    await shop.sandbox.dial("whmcs", "commit_then_hang", call="AddOrder", times=1)
    order_id = await shop.approved(ESIM)
    await shop.heard(order_id)
    await until(lambda: shop.sandbox.ledger("whmcs", "AddOrder"), 40)
    os.kill(frozen.pid, signal.SIGSTOP)
    start("worker")
    await until(lambda: _is_done(shop, order_id), 60)
    before = await shop.rows("SELECT * FROM journal ORDER BY id")
    os.kill(frozen.pid, signal.SIGCONT)
    later = await shop.approved(ESIM)  # both of them are alive and well
    await shop.heard(later)
    await until(lambda: _is_done(shop, later), 60)
    assert await shop.rows("SELECT * FROM journal WHERE order_id = :id ORDER BY id", id=order_id) == before
    assert (await shop.made())["AddOrder"] == 2


async def _is_done(shop: Shop, order_id: str) -> bool:
    if (await shop.journal(order_id)).state == "waiting_freebit":
        await shop.finish_activations(order_id)
    return await shop.told(order_id) == ("Completed", None)


async def _made_once(shop: Shop) -> None:
    made = await shop.made()
    assert (made["AddOrder"], made["AcceptOrder"], made["PA05-41 addAcnt"]) == (1, 1, 1)
