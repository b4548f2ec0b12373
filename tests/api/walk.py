"""Plays a page of documentation: its curl commands are carried out, its answers are what really comes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.api.contract import Contract
from tests.fixtures.until import until

FENCE = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"\$([A-Z_]+)")
SETS = re.compile(r"^([A-Z_]+)=(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A command, and the answer that stands below it ("" where none does)."""

    command: str
    answer: str = ""

    @property
    def is_stream(self) -> bool:
        return bool(self.answer) and not self.answer.lstrip().startswith("{")


@dataclass
class Call:
    """What a curl command line says. Unknown options fail."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    jar: str = ""

    @classmethod
    def read(cls, words: list[str]) -> Call:
        assert words[0] == "curl", words
        call, rest = cls(), iter(words[1:])
        for word in rest:
            call._take(word, rest)
        call.method = call.method or ("GET" if call.body is None else "POST")
        return call

    def _take(self, word: str, rest: Iterator[str]) -> None:
        if word in ("-s", "-sN"):
            return
        if word in ("-b", "-c"):
            self.jar = next(rest)
        elif word == "-X":
            self.method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            self.headers[name] = value
        elif word == "-d":
            self.body = next(rest)
        else:
            assert "://" in word, f"{word} is no option that is known here"
            self.url = word


def steps_of(page: str) -> list[Step]:
    """In the order of the page."""
    steps: list[Step] = []
    for kind, text in FENCE.findall(page):
        if kind == "sh":
            quoted = re.findall(r"'[^']*'", text)
            assert not any("$" in part for part in quoted), f"a shell puts nothing in for $… here: {text}"
            steps.append(Step(text))
        else:
            assert not steps[-1].answer, "two answers to one command"
            steps[-1] = Step(steps[-1].command, text)
    return steps


class Walk:
    """`variables` are put into commands, and taken out of answers."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = dict(variables)
        self.contract: Contract | None = None
        """If given, each answer of the API is checked against it."""
        self.called: set[str] = set()
        self._fixed = frozenset(variables)
        self._stack = AsyncExitStack()
        self._jars: dict[str, httpx2.AsyncClient] = {}

    async def __aenter__(self) -> Walk:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def play(self, page: str) -> None:
        for step in steps_of(page):
            if set_here := SETS.findall(step.command):
                assert {name for name, _ in set_here} <= self._fixed
                continue
            await self._play(step)

    async def _play(self, step: Step) -> None:
        call = Call.read(shlex.split(self._filled(step.command)))
        if step.is_stream:
            await self._listen(call, step)
        elif call.method == "GET":  # what has happened elsewhere is seen a moment later
            await until(lambda: self._answered(call, step), 60)
        else:
            await self._answered(call, step)

    async def _answered(self, call: Call, step: Step) -> bool:
        client = await self._client(call.jar)
        answer = await client.request(call.method, call.url, headers=call.headers, content=call.body)
        self._check(answer)
        if not step.answer:
            assert answer.status_code < 300, f"{step.command}: {answer.text}"
            return True
        found = dict(self.variables)
        fault = _difference(json.loads(step.answer), answer.json(), found, "")
        assert fault is None, f"{step.command}: {fault}\n{answer.text}"
        self.variables = found
        return True

    async def _listen(self, call: Call, step: Step) -> None:
        """Until the events that are shown have come, in their order."""
        wanted = [json.loads(line.removeprefix("data: ")) for line in step.answer.splitlines() if "data: " in line]
        client = await self._client(call.jar)
        async with client.stream("GET", call.url, headers=call.headers, timeout=60) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream"), answer.headers
            async for event in _events(answer):
                if wanted and _difference(wanted[0], event, self.variables, "") is None:
                    wanted.pop(0)
                if not wanted:
                    return
        raise AssertionError(f"{step.command}: {wanted} did not come")

    def _check(self, answer: httpx2.Response) -> None:
        if self.contract and answer.request.url.path.startswith("/api/"):
            self.contract.check(answer)
            self.called.add(self.contract.operation(answer.request.method, answer.request.url.path).id)

    async def _client(self, jar: str) -> httpx2.AsyncClient:
        if jar not in self._jars:
            self._jars[jar] = await self._stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30))
        return self._jars[jar]

    def _filled(self, command: str) -> str:
        return VARIABLE.sub(lambda found: self.variables[found[1]], command.replace("\\\n", " "))


async def _events(answer: httpx2.Response) -> AsyncIterator[Any]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def _difference(shown: Any, real: Any, variables: dict[str, str], place: str) -> str | None:
    """Why the answer is not what is shown of it; variables that are new are set."""
    if isinstance(shown, str) and VARIABLE.fullmatch(shown):
        shown = variables.setdefault(shown[1:], str(real))
    if isinstance(shown, dict) and isinstance(real, dict):
        parts: Iterator[tuple[Any, Any]] = ((name, real.get(name, "(missing)")) for name in shown)
        return next(filter(None, (_difference(shown[n], value, variables, f"{place}/{n}") for n, value in parts)), None)
    if isinstance(shown, list) and isinstance(real, list):
        if len(shown) > len(real) or (real and not shown):
            return f"{place}: {len(real)} instead of {len(shown)}"
        pairs = enumerate(zip(shown, real, strict=False))
        return next(filter(None, (_difference(one, two, variables, f"{place}/{n}") for n, (one, two) in pairs)), None)
    return None if shown in ("...", real) else f"{place}: {real!r} instead of {shown!r}"
