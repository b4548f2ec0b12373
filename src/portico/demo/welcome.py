"""What a person who has just started the demo wants to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def welcome(world: dict[str, Any], folder: Path) -> str:
    """Addresses and sign-ins, one a line."""
    customers = world["customers"]
    rows = [
        ("Portal", world["portal"]),
        ("Staff console", f"{world['portal']}/staff"),
        ("Control panel", world["control_panel"]),
        ("Mailbox", world["mailbox"]),
        *(("Customer", _sign_in(one)) for one in customers["ready"][:2]),
        *(("Staff", f"{_sign_in(one)}   ({one['role']})") for one in world["staff"]),
        *(("Sign up with", _number(one)) for one in customers["free_numbers"][:1]),
        *(("Link (WHMCS)", _sign_in(one)) for one in customers["whmcs_users"][:1]),
        ("Everything else", f"{folder / 'world.json'}, {folder / 'env'}, logs in {folder / 'log'}"),
    ]
    return "\n".join(["", *(f"  {name:<16} {value}" for name, value in rows), "", "  Stop with Ctrl-C.", ""])


def _sign_in(person: dict[str, Any]) -> str:
    return f"{person['email']}  /  {person['password']}"


def _number(free: dict[str, Any]) -> str:
    return f"customer number {free['customer_number']}, postal code {free['postal_code']}"
