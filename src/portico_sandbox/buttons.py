"""What the foreign staff can do in a system, described so that the control panel can offer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portico_sandbox.sandbox import Sandbox

Press = Callable[["Sandbox", dict[str, str]], Awaitable[dict[str, Any]]]


class ButtonRefused(Exception):
    """A press that makes no sense as things stand; its text is a sentence for the person who pressed."""


@dataclass(frozen=True)
class Field:
    name: str
    label: str
    required: bool = True
    default: str = ""
    choices: tuple[str, ...] = ()
    """Offered as a list where given; a press with another value is refused by the panel."""


@dataclass(frozen=True)
class Button:
    """`press` gets every field by name (trimmed text, "" where left out) and answers JSON-able facts of what it did."""

    name: str  # URL segment, kebab-case
    label: str
    system: str  # URL segment: whmcs, salesforce, freebit
    fields: tuple[Field, ...]
    press: Press
    explains: str = ""  # one sentence below the label
