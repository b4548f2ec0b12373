"""Ports, locks, children: what the demo promises about what it starts."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.demo.ports import Ports, PortTaken, wait_until_free
from portico.demo.processes import Child, Command, Guard
from tests.fixtures.servers import free_ports
from tests.fixtures.stack import alive
from tests.fixtures.until import until, until_sync

HANGS = ["/bin/sh", "-c", "trap '' INT; echo deaf; sleep 60"]
SUPERVISOR = """
import os, signal, sys
from pathlib import Path
from portico.demo import processes
if "without kernel" in sys.argv: processes.LIBC = None
sleep = [sys.executable, "-c", "import os, time; os.fork(); time.sleep(60)"]
child = processes.Child(processes.Command("sleeper", sleep, os.environ, Path(sys.argv[1]) / "log"))
guard = processes.Guard()
guard.watch(child)
print(child.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def taken() -> Iterator[tuple[Ports, int]]:
    ports = free_ports()
    with socket.create_server(("127.0.0.1", ports["WHMCS"])):
        yield ports, ports["WHMCS"]


async def test_a_taken_port_is_named(taken: tuple[Ports, int]) -> None:
    ports, number = taken
    with pytest.raises(PortTaken, match=rf"Port {number} \(WHMCS\) is taken .*PORT_BASE="):
        await wait_until_free(ports, seconds=0.1)


async def test_a_port_that_becomes_free_is_waited_for() -> None:
    ports = free_ports()
    other = socket.create_server(("127.0.0.1", ports["WHMCS"]))
    asyncio.get_running_loop().call_later(0.15, other.close)
    await wait_until_free(ports, seconds=5)
    assert other.fileno() == -1


def test_the_command_says_so_and_exits_2(taken: tuple[Ports, int], tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "portico", "demo", "--port-base", str(taken[0].base), "--folder", str(tmp_path)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"Port {taken[1]} (WHMCS) is taken by another program." in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    argv = [sys.executable, "-m", "portico", "demo", "--folder", str(tmp_path / "demo")]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "can't write" in ended.stderr


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = Child(Command("deaf", HANGS, os.environ, tmp_path / "log", ends_with=signal.SIGINT))
    await until(lambda: "deaf" in child.last_lines())
    await child.stop(seconds=0.1)
    assert child.exit_code() == -signal.SIGKILL


@pytest.mark.parametrize("how", ["with kernel", "without kernel"])
def test_killing_the_supervisor_leaves_nothing(tmp_path: Path, how: str) -> None:
    """The guard alone must do it too: other systems have no death signal."""
    argv = [sys.executable, "-c", SUPERVISOR, str(tmp_path), how]
    supervisor = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    group = {int(supervisor.stdout.readline())}
    until_sync(lambda: alive() & group)
    supervisor.kill()
    supervisor.wait()
    until_sync(lambda: not members_of(group))


def test_a_dismissed_guard_ends_nobody(tmp_path: Path) -> None:
    child = Child(Command("sleeper", HANGS, os.environ, tmp_path / "log"))
    guard = Guard()
    guard.watch(child)
    guard.dismiss()
    assert child.exit_code() is None
    os.killpg(child.pid, signal.SIGKILL)


def members_of(groups: set[int]) -> set[int]:
    """Living processes of these groups."""
    return {pid for pid in alive() if group_of(pid) in groups}


def group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
