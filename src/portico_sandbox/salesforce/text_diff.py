"""Long texts in change events: what differs, as a unified diff with a fingerprint of the new value on top."""

from __future__ import annotations

import difflib
import hashlib

from portico_sandbox.store import Row


def diffed(before: Row, values: Row, shortest: int) -> dict[str, str]:
    """By field name, diffs of the texts of at least so many characters. 0: none; nor where the diff is the longer."""
    found = {}
    for name, new in values.items() if shortest else ():
        old = before.get(name)
        if isinstance(old, str) and isinstance(new, str) and len(new) >= shortest:
            diff = unified(old, new)
            if len(diff) < len(new):
                found[name] = diff
    return found


def unified(old: str, new: str) -> str:
    body = difflib.unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm="")
    hunks = list(body)[2:]
    return "\n".join(["--- ", f"+++ {hashlib.sha256(new.encode()).hexdigest()}", *hunks])
