"""What every stand-in is handed as its first argument."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from portico_sandbox.clock import Clock
from portico_sandbox.dials import Dials
from portico_sandbox.ledger import Ledger
from portico_sandbox.settings import Settings
from portico_sandbox.store import Store
from portico_sandbox.world import World


@dataclass(frozen=True)
class Sandbox:
    settings: Settings
    store: Store
    clock: Clock
    ledger: Ledger
    dials: Dials
    world: World
    on_reset: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """Run after a reset, once the store holds the fresh world (open streams are cut, tokens forgotten)."""
    on_events: list[Callable[[], None]] = field(default_factory=list)
    """Called whenever Salesforce's log of change events grew or its open streams have orders waiting."""
    managed_subscriptions: set[str] = field(default_factory=set)
    """Names of those that have a client at present: each bears one."""


def open_sandbox(settings: Settings) -> Sandbox:
    """Opens the state in `settings.folder`, or starts it empty: `start.py` seeds it."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    store = Store(settings.folder / "sandbox.sqlite")
    clock = Clock(store)
    return Sandbox(settings, store, clock, Ledger(store, clock), Dials(), World())
