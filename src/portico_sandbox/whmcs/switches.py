"""Behaviors of WHMCS that nobody could confirm: each is a switch, kept in the store until the next reset."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import get_type_hints

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.rows import SWITCHES


@dataclass(frozen=True)
class Switches:
    """The defaults are the behavior that the reference tags per action."""

    numbers: str = "tagged"  # tagged, strings, ints, mixed
    empty: str = "canonical"  # canonical, blank, missing, list
    single: str = "list"  # list, object
    numeric_keys: bool = False
    flatten: bool = False
    entities: bool = False
    toplevel_client: str = "also"  # also, never, only
    accept_activates: bool = True  # False: services stay Pending after AcceptOrder
    cancel_order_cancels_invoice: bool = True
    custom_fields_update: str = "merge"  # merge, replace
    required_client_fields: str = ""  # ids of client custom fields, comma-separated
    warning: str = ""  # action that answers success with a warning
    version: str = "8.13.1"
    hook_delay_seconds: float = 0.0
    hook_retry_seconds: float = 1.0  # the first pause of a hook that failed; the later ones are multiples


def switches_of(sandbox: Sandbox) -> Switches:
    row = sandbox.store.get(SWITCHES, "now")
    return Switches(**row) if row else Switches()


def turn(sandbox: Sandbox, name: str, value: str) -> Switches:
    """Sets one switch from text. Raises ValueError with a sentence where there is no such switch or value."""
    kinds = get_type_hints(Switches)
    if name not in {field.name for field in fields(Switches)}:
        raise ValueError(f"There is no switch {name}; there are: {', '.join(kinds)}.")
    new = {**asdict(switches_of(sandbox)), name: _read(kinds[name], value)}
    with sandbox.store.begin() as tx:
        tx.put(SWITCHES, "now", new)
    return Switches(**new)


def _read(kind: type, value: str) -> object:
    if kind is bool:
        return value.strip().lower() in ("1", "true", "yes", "on")
    return kind(value.strip())
