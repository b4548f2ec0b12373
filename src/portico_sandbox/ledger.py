"""Every effect that a stand-in really made, independent of what it answered: what tests count."""

from __future__ import annotations

from typing import Any

from portico_sandbox.clock import Clock
from portico_sandbox.store import Row, Store


class Ledger:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def record(self, system: str, effect: str, reference: str, **facts: Any) -> None:
        """One line: system (`whmcs`), effect (`AddOrder`), the id of what was made, and facts worth counting by.

        Call it once for every write that was committed, never for a read or a refusal.
        """
        with self._store.begin() as tx:
            number = tx.next("ledger")
            line = {"n": number, "system": system, "effect": effect, "reference": reference}
            tx.put("ledger", str(number), {**line, "at": self._clock.now().isoformat(), "facts": facts})

    def lines(self, system: str | None = None, effect: str | None = None) -> list[Row]:
        rows = self._store.table("ledger").values()
        return [r for r in rows if system in (None, r["system"]) and effect in (None, r["effect"])]
