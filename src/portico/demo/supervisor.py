"""The demo: starts everything side by side, keeps it up, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portico.demo import environment
from portico.demo.binaries import Binaries, ServersMissing, find_binaries
from portico.demo.keeping import Family
from portico.demo.ports import Ports, PortTaken, answers, is_open, wait_until_free
from portico.demo.processes import Child, Command
from portico.demo.second_address import also_on_ipv6
from portico.demo.servers import Postgres, Redis, ServerFailed, until_up
from portico.demo.welcome import welcome
from portico.settings import SettingsWrong, read_settings
from portico.settings_text import in_use

DATABASE = "portico"
PARENT_LOOK_SECONDS = 0.3


class DemoRefused(Exception):
    """The demo can't start as things stand; the text says what to do."""


@dataclass(frozen=True)
class Options:
    ports: Ports
    folder: Path
    reset: bool = False
    with_parent: bool = False
    """Ends when its parent does (make): also when that is killed."""


def run(options: Options) -> int:
    """Runs the demo until Ctrl-C, SIGTERM or SIGHUP. Answers the exit code: 0 stopped, 1 broke, 2 could not start."""
    try:
        with _locked(options.folder):
            return asyncio.run(_run(options))
    except (DemoRefused, PortTaken, ServersMissing) as refused:
        print(refused, file=sys.stderr)
        return 2


async def _run(options: Options) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    demo = Demo(options)
    work = asyncio.create_task(demo.live(), name="demo")
    watches: list[asyncio.Task[Any]] = [asyncio.create_task(stopping.wait(), name="stop")]
    if options.with_parent:
        watches.append(asyncio.create_task(_parent_ended(), name="parent"))
    try:
        await asyncio.wait([work, *watches], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            say("stopping")
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    except ServerFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    finally:
        for watch in watches:
            watch.cancel()
        await demo.family.end()
    return 0


async def _parent_ended() -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 nothing tells us
        await asyncio.sleep(PARENT_LOOK_SECONDS)


class Demo:
    def __init__(self, options: Options) -> None:
        self.ports = options.ports
        self.folder = options.folder
        self.reset = options.reset
        self.logs = options.folder / "log"
        self.family = Family(say)

    async def live(self) -> None:
        """Starts everything, tells where it is, and restarts what ends."""
        await wait_until_free(self.ports)
        self._clear()
        binaries = await asyncio.to_thread(find_binaries, self.folder / "servers")
        postgres = Postgres(binaries, "postgres", self.ports["Postgres"], self.logs / "postgres.log")
        database_url = postgres.url(DATABASE)
        sandbox = self._base_env() | environment.of_sandbox(self.ports, self.folder / "sandbox", database_url)
        # The world first, alone: the first time it makes the keys that the sandbox works with.
        redis_url, portal, _ = await asyncio.gather(
            self._redis(binaries), self._of_world(sandbox), self._postgres(postgres)
        )
        env = sandbox | portal | environment.of_portal(self.ports, database_url, redis_url)
        self._write_env(env)
        await asyncio.gather(self._sandbox(sandbox), self._portal(env, postgres.note))
        say("up")
        print(welcome(json.loads((self.folder / "world.json").read_text()), self.folder), flush=True)
        await self.family.keep()

    def _clear(self) -> None:
        """Fresh logs; with RESET also the sandbox's state, but never its keys."""
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir()
        if self.reset:
            for file in (self.folder / "sandbox").glob("*.sqlite*"):
                file.unlink()

    def _base_env(self) -> dict[str, str]:
        env = environment.inherited() | {"PYTHONUNBUFFERED": "1"}
        # Compiling everything at each start would double it: who wants no bytecode beside the sources gets it here.
        if env.pop("PYTHONDONTWRITEBYTECODE", ""):
            env["PYTHONPYCACHEPREFIX"] = str(self.folder / "bytecode")
        return env

    async def _postgres(self, postgres: Postgres) -> None:
        await postgres.prepare(forget=self.reset)
        child = self.family.add(postgres.start)
        await postgres.ready(child, DATABASE)
        say("Postgres is up")

    async def _redis(self, binaries: Binaries) -> str:
        if binaries.redis is None:
            say("no Redis: neither the embedded one nor a redis-server or valkey-server; reads go live instead")
            return ""
        redis = Redis(binaries, self.ports["Redis"], self.logs / "redis.log")
        await redis.ready(self.family.add(redis.start))
        return redis.url

    async def _of_world(self, env: dict[str, str]) -> dict[str, str]:
        """Writes world.json; answers the portal's settings for this sandbox."""
        world = json.loads(await self._output("world", env))
        world["staff"] = environment.STAFF
        (self.folder / "world.json").write_text(json.dumps(world, indent=2, ensure_ascii=False) + "\n")
        return environment.parse(await self._output("env", env))

    async def _output(self, what: str, env: dict[str, str]) -> str:
        argv = [sys.executable, "-m", "portico_sandbox", what]
        with (self.logs / f"{what}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(*argv, env=env, stdout=asyncio.subprocess.PIPE, stderr=log)
            output, _ = await process.communicate()
        if process.returncode != 0:
            raise ServerFailed(f"The sandbox can't tell its {what}; see {self.logs / f'{what}.log'}")
        return output.decode()

    async def _sandbox(self, env: dict[str, str]) -> None:
        control = self.ports["control panel and mailbox"]
        child = self._start("sandbox", [sys.executable, "-m", "portico_sandbox"], env)
        await until_up(child, lambda: answers(control, "/control/health") and all(map(is_open, self.ports.sandbox)))
        say("the sandbox is up: WHMCS, Salesforce, Freebit, mailbox")

    def _write_env(self, env: dict[str, str]) -> None:
        os.environ.update(env)
        try:
            (self.folder / "env").write_text(environment.lines(in_use(read_settings())))
        except SettingsWrong as wrong:
            raise DemoRefused(f"Settings are wrong:\n{wrong}") from wrong

    async def _seed(self, env: dict[str, str], note: Path) -> None:
        """Schema and people; left out where this database has had just these."""
        wanted = environment.fingerprint(self.folder / "world.json")
        if environment.noted(note) == wanted:
            return
        argv = [sys.executable, "-m", "portico.demo.seed", str(self.folder / "world.json")]
        child = Child(Command("seed", argv, env, self.logs / "seed.log"))
        if (code := await self.family.once(child)) != 0:
            raise ServerFailed(f"The database could not be prepared (exit {code}):\n{child.last_lines(40)}")
        environment.make_note(note, wanted)
        say("the database is ready")

    async def _portal(self, env: dict[str, str], note: Path) -> None:
        await self._seed(env, note)

        def metrics(name: str) -> dict[str, str]:
            return {"PORTAL_METRICS_PORT": str(self.ports[f"metrics of {name}"])}

        for command, name in (("worker", "worker"), ("listen", "listener")):
            self._start(name, [sys.executable, "-m", "portico", command], env | metrics(name))
        web = self._start("web", [sys.executable, "-m", "portico", "web"], env)
        await until_up(web, lambda: answers(self.ports["portal"], "/readyz"))
        self.family.attach(await also_on_ipv6(self.ports["portal"]))

    def _start(self, name: str, argv: list[str], env: dict[str, str]) -> Child:
        command = Command(name, argv, env, self.logs / f"{name}.log")
        return self.family.add(lambda: Child(command))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One demo per folder. The lock is on the folder itself, so that none can be left behind."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "writable").touch()
        (folder / "writable").unlink()
    except OSError as error:
        raise DemoRefused(f"The demo keeps its things in {folder}, where it can't write: {error.strerror}.") from error
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise DemoRefused(
            f"A demo is already running from {folder}. Stop it first (Ctrl-C in its terminal)."
        ) from error
    finally:
        os.close(handle)


STARTED = time.monotonic()


def say(text: str) -> None:
    print(f"demo: {time.monotonic() - STARTED:4.1f} s  {text}", flush=True)
