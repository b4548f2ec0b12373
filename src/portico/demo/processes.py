"""Child processes that never outlive us: sessions of their own, a death signal, and a guard for everything else."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

GUARD = """
while read -r line; do groups=$line; done
for one in $groups; do kill -s "${one%%:*}" -- "-${one#*:}"; done
for tick in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
  alive=
  for one in $groups; do kill -s 0 -- "-${one#*:}" && alive=yes; done
  [ -z "$alive" ] && exit 0
  sleep 0.1
done
for one in $groups; do kill -s KILL -- "-${one#*:}"; done
"""
"""Reads a pipe that only the supervisor holds: its end means that the supervisor is gone, however it went.
The last line it read names the process groups still alive, each with the signal that ends it decently."""


@dataclass(frozen=True)
class User:
    """Whom a server runs as when we are root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """What to start. `log` takes its output (appended); `ends_with` is the signal that it stops decently on."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    ends_with: signal.Signals = signal.SIGTERM
    user: User | None = None
    folder: Path | None = None


class Child:
    """A running command, leader of a session and process group of its own (Ctrl-C in the terminal spares it)."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.started = time.monotonic()
        with command.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own commands
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(command.env),
                cwd=command.folder,
                start_new_session=True,
                preexec_fn=_dies_with_us(command.ends_with),  # noqa: PLW1509 one thread here
                user=command.user.uid if command.user else None,
                group=command.user.gid if command.user else None,
                extra_groups=[] if command.user else None,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        return self._process.poll()

    async def ended(self) -> int:
        while (code := self._process.poll()) is None:  # noqa: ASYNC110 portable, and few run at a time
            await asyncio.sleep(0.02)
        return code

    async def stop(self, seconds: float = 8) -> None:
        """Asks the leader, waits, then ends whatever of its group is left."""
        with contextlib.suppress(ProcessLookupError):
            if self._process.poll() is None:
                self._process.send_signal(self.command.ends_with)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.ended(), seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self.ended()

    def last_lines(self, count: int = 15) -> str:
        lines = self.command.log.read_text(errors="replace").splitlines()[-count:]
        return "\n".join(f"    {line}" for line in lines)


class Guard:
    """A small shell that ends our children when we can no longer do so ourselves (SIGKILL, also without Linux)."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._shell = subprocess.Popen(  # noqa: S603 the text above
            ["/bin/sh", "-c", GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def watch(self, *children: Child) -> None:
        """From now on these (and only these) end with us."""
        self._children = list(children)
        line = " ".join(f"{child.command.ends_with.name[3:]}:{child.pid}" for child in self._children)
        assert self._shell.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._shell.stdin.write(f"{line}\n".encode())
            self._shell.stdin.flush()

    def dismiss(self) -> None:
        self.watch()
        assert self._shell.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._shell.stdin.close()
        self._shell.wait()


def _dies_with_us(signal_: signal.Signals) -> Callable[[], None] | None:
    """Linux only: the kernel sends this signal when our thread ends. Set after the change of user, which clears it."""
    if LIBC is None:
        return None
    parent = os.getpid()

    def in_child() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, int(signal_))
        if os.getppid() != parent:  # we were killed before the line above
            os._exit(1)

    return in_child
