"""The sandbox as one process: it answers on every port, starts over, and leaves nothing running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest

from portico_sandbox.settings import Settings
from portico_sandbox.start import running_sandbox

OFFSETS = (100, 101, 102, 103, 104, 105, 111, 112)
PATIENCE = 20


def free_base() -> int:
    """A port base whose ports are all free at this moment."""
    for base in range(21000 + os.getpid() % 400 * 20, 60000, 137):
        try:
            for offset in OFFSETS:
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


def environment(folder: Path, base: int, **more: str) -> dict[str, str]:
    return {**os.environ, "SANDBOX_PORT_BASE": str(base), "SANDBOX_FOLDER": str(folder), **more}


async def printed(folder: Path, base: int, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "portico_sandbox",
        *arguments,
        env=environment(folder, base),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


@asynccontextmanager
async def started(folder: Path, base: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "portico_sandbox",
        env=environment(folder, base),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        first = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert first.decode() == f"sandbox ready: http://localhost:{base + 100}\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_every_port_answers_on_both_loopbacks_and_it_stops_at_once(tmp_path: Path) -> None:
    base = free_base()
    async with started(tmp_path, base) as process:
        for offset in OFFSETS:
            for host in ("127.0.0.1", "::1"):
                if host == "::1" and not socket.has_ipv6:
                    continue
                _, writer = await asyncio.open_connection(host, base + offset)
                writer.close()
        async with httpx2.AsyncClient(base_url=f"http://localhost:{base + 100}", trust_env=False) as panel:
            assert (await panel.get("/control/health")).json()["ready"]
            assert "pay-invoice" in (await panel.get("/buttons")).text
            assert (await panel.post("/control/dials", json={"system": "whmcs", "mode": "commit_then_hang"})).is_success
        _, hanging = await asyncio.open_connection("127.0.0.1", base + 103)
        hanging.write(b"POST /includes/api.php HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await hanging.drain()

        asked = monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
        assert monotonic() - asked < 15
        assert process.stderr
        assert "Traceback" not in (await process.stderr.read()).decode()
        hanging.close()


async def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 104))
        taken.listen()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "portico_sandbox", env=environment(tmp_path, base), stderr=asyncio.subprocess.PIPE
        )
        _, err = await process.communicate()
    assert process.returncode == 3
    assert f"Port {base + 104} (Freebit) can't be had on 127.0.0.1" in err.decode()
    assert "Traceback" not in err.decode()


async def test_state_outlives_a_restart_and_a_reset_brings_the_first_day_back(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path, port_base=free_base())
    world = await printed(tmp_path, settings.port_base, "world")
    async with running_sandbox(settings) as sandbox:
        first_day = {name: dict(sandbox.store.table(name)) for name in ("whmcs_clients", "freebit_lines")}
        sandbox.ledger.record("whmcs", "Greet", "1")
    async with (
        running_sandbox(settings) as sandbox,
        httpx2.AsyncClient(base_url=f"http://localhost:{settings.control_port}", trust_env=False) as panel,
    ):
        assert [line["effect"] for line in (await panel.get("/control/ledger")).json()] == ["Greet"]
        with sandbox.store.begin() as tx:
            tx.delete("whmcs_clients", "4011")
        assert (await panel.post("/control/reset")).is_success
        assert (await panel.get("/control/ledger")).json() == []
        assert set(sandbox.store.table("whmcs_clients")) == set(first_day["whmcs_clients"])
        assert set(sandbox.store.table("freebit_lines")) == set(first_day["freebit_lines"])
    assert await printed(tmp_path, settings.port_base, "world") == world


async def test_the_world_document_keeps_the_demo_contract(tmp_path: Path) -> None:
    world: dict[str, Any] = json.loads(await printed(tmp_path, 23000, "world"))
    assert world["control_panel"] == "http://localhost:23100"
    assert world["mailbox"] == "http://localhost:23100/mailbox"
    assert world["whmcs"]["url"] == "http://localhost:23103"
    assert world["freebit"]["url"] == "http://localhost:23104/emptool/api"
    assert world["salesforce"]["instance_url_tls"] == "https://localhost:23111"
    assert world["salesforce"]["pubsub_tls"] == "localhost:23112"
    files = {world["salesforce"]["private_key_path"], world["salesforce"]["ca_path"]}
    assert files == {str(tmp_path / "salesforce.key"), str(tmp_path / "ca.pem")}
    assert all(os.path.isfile(file) for file in files)  # noqa: ASYNC240, PTH113
    customers = world["customers"]
    assert set(customers["ready"][0]) == {"email", "password", "whmcs_client_id", "sf_account_id", "invoices"}
    assert set(customers["free_numbers"][0]) == {"customer_number", "postal_code"}
    assert set(customers["whmcs_users"][0]) == {"email", "password", "whmcs_client_id", "customer_number"}
    assert len(customers["free_numbers"]) >= 8
    assert len(customers["whmcs_users"]) >= 3
    assert "MOB-ESIM-3GB" in world["catalog"]
    assert "OTH-STAFF-LINE" not in world["catalog"]


async def test_the_environment_is_the_portals(tmp_path: Path) -> None:
    lines = (await printed(tmp_path, 23000, "env")).splitlines()
    env = dict(line.split("=", 1) for line in lines)
    assert env["SALESFORCE_PUBSUB_ADDRESS"] == "localhost:23102"
    assert env["MAIL_PORT"] == "23105"
    assert json.loads(env["WHMCS_FIELD_EID"])["31"] == 313


@pytest.mark.parametrize("arguments", [("fly",), ("world", "twice")])
async def test_unknown_commands(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "portico_sandbox",
        *arguments,
        env=environment(tmp_path, 23000),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 2
    assert err.startswith(b"usage:")
