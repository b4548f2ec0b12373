"""What waits for the foreign staff right now, read from the stand-ins' stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portico_sandbox.buttons import Button, Field
from portico_sandbox.freebit.lines import LINES, state_of
from portico_sandbox.sandbox import Sandbox

AT_MOST = 12
"""Of each kind: a desk with more on it helps nobody."""


@dataclass(frozen=True)
class Action:
    """A button, with what is known filled in; the person is asked for the rest."""

    button: Button
    given: dict[str, str]
    is_main: bool = True

    @property
    def asked(self) -> list[Field]:
        return [field for field in self.button.fields if field.name not in self.given]


@dataclass(frozen=True)
class Task:
    system: str
    title: str
    since: str
    facts: tuple[tuple[str, str], ...]
    actions: tuple[Action, ...]


def desk_of(sandbox: Sandbox, buttons: Sequence[Button]) -> list[Task]:
    press = {(button.system, button.name): button for button in buttons}
    return [*_lines_waiting(sandbox, press)]


_Press = dict[tuple[str, str], Button]


def _lines_waiting(sandbox: Sandbox, press: _Press) -> Iterator[Task]:
    waiting = [line for line in sandbox.store.table(LINES).values() if state_of(sandbox, line) == "waiting"]
    for line in waiting[-AT_MOST:]:
        given = {"line": line["account"]}
        yield Task(
            "freebit",
            f"Line {line['account']} waits for its eSIM",
            line["accepted_at"],
            (("EID", line["eid"]), ("Plan", line["plan_code"])),
            (
                Action(press["freebit", "finish-activation"], given),
                Action(press["freebit", "fail-activation"], given, is_main=False),
            ),
        )
