"""One write of WHMCS: its rows and its hook events in one transaction, then its line in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Transaction
from portico_sandbox.whmcs import hooks
from portico_sandbox.whmcs.rows import FIRST_NEW_ID


class Change:
    """What the machines are handed: `tx` for rows, `announce` for hooks, `record` for the ledger."""

    def __init__(self, sandbox: Sandbox, tx: Transaction) -> None:
        self.sandbox = sandbox
        self.tx = tx
        self.reference = ""
        self.facts: dict[str, Any] = {}

    def new_id(self, table: str) -> int:
        return self.tx.next(table, FIRST_NEW_ID[table])

    def announce(self, event: str, client_id: int | None, **ids: int) -> None:
        hooks.spool(self.tx, self.sandbox, event, client_id, ids)

    def record(self, reference: object, **facts: Any) -> None:
        self.reference = str(reference)
        self.facts.update(facts)


@contextmanager
def change(sandbox: Sandbox, effect: str) -> Iterator[Change]:
    """All or nothing; `effect` is the vendor's action name. The body must not await."""
    with sandbox.store.begin() as tx:
        under_way = Change(sandbox, tx)
        yield under_way
    sandbox.ledger.record("whmcs", effect, under_way.reference, **under_way.facts)
    hooks.ring(sandbox.store)
