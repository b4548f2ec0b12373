"""One life of the demo, from nothing to SIGKILL and over again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest

from portico.demo import environment
from portico.demo.ports import answers, has_ipv6, is_free
from portico.settings import read_settings
from portico.settings_text import in_use
from tests.fixtures.stack import Stack, alive, demo_stack
from tests.fixtures.until import until_sync


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with demo_stack(tmp_path_factory.mktemp("life") / "demo") as stack:
        stack.start()
        yield stack


def process_of(stack: Stack, *words: str) -> int | None:
    """The process whose command line has all these words."""
    for pid in sorted(stack.descendants()):
        command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if set(words) <= set(command):
            return pid
    return None


def test_says_where_it_is(stack: Stack) -> None:
    world = stack.world
    assert world["portal"] == stack.url
    for words in (stack.url, world["customers"]["ready"][0]["email"], world["staff"][0]["password"]):
        assert words in stack.output


def test_listens_on_loopback_only(stack: Stack) -> None:
    for hexadecimal in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        address, state = hexadecimal.split()[1], hexadecimal.split()[3]
        if state == "0A" and int(address[9:], 16) in stack.ports.all().values():
            assert socket.inet_ntoa(bytes.fromhex(address[:8])[::-1]) == "127.0.0.1"


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_the_portal_answers_on_both_addresses(stack: Stack) -> None:
    for host in ("127.0.0.1", "[::1]"):
        url = f"http://{host}:{stack.ports['portal']}/livez"
        assert httpx2.get(url, headers={"host": f"localhost:{stack.ports['portal']}"}).status_code == 200


def test_env_holds_every_setting(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    written = environment.parse((stack.folder / "env").read_text())
    for name, value in written.items():
        monkeypatch.setenv(name, value)
    assert in_use(read_settings()) == written
    assert written["PORTAL_DEMO"] == "true"
    assert Path(written["SALESFORCE_PRIVATE_KEY_PATH"]).is_file()


def test_a_second_one_from_the_same_folder_is_refused(stack: Stack) -> None:
    argv = [sys.executable, "-m", "portico", "demo", "--folder", str(stack.folder)]
    second = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "A demo is already running from" in second.stderr


def test_what_dies_is_started_again(stack: Stack) -> None:
    before = process_of(stack, "portico", "web")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until_sync(lambda: "web is started again" in stack.output)
    until_sync(lambda: answers(stack.ports["portal"], "/readyz"))
    assert "web ended unexpectedly (exit -9)" in stack.output


def test_killed_then_started_over_then_stopped(stack: Stack) -> None:
    world = (stack.folder / "world.json").read_bytes()
    keys = {file.name: file.read_bytes() for file in (stack.folder / "sandbox").glob("*.key")}
    with psycopg.connect(environment.parse((stack.folder / "env").read_text())["DATABASE_URL"]) as connection:
        connection.execute("UPDATE users SET display_name = 'Somebody Else'")

    assert is_gone_after(stack, signal.SIGKILL)
    stack.start("--reset")
    assert (stack.folder / "world.json").read_bytes() == world
    assert {file.name: file.read_bytes() for file in (stack.folder / "sandbox").glob("*.key")} == keys
    with psycopg.connect(environment.parse((stack.folder / "env").read_text())["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM users WHERE display_name = 'Somebody Else'").fetchone() == (0,)
    assert is_gone_after(stack, signal.SIGTERM)


def is_gone_after(stack: Stack, number: signal.Signals) -> bool:
    children = stack.descendants()
    assert len(children) >= 7
    stack.end(number)
    until_sync(lambda: not alive() & children)
    return all(is_free(port) for port in stack.ports.all().values())
