"""One transaction of the org: its rows, their indexes, and on commit its change events and ledger lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from portico_sandbox.salesforce import events
from portico_sandbox.salesforce.event_log import ring
from portico_sandbox.salesforce.knobs import knob
from portico_sandbox.salesforce.lookup import ids_by, index_key, index_table
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Transaction

Kind = Literal["CREATE", "UPDATE", "DELETE", "UNDELETE"]


@dataclass(frozen=True)
class Caller:
    """Who writes. `client` is what the caller named itself in Sforce-Call-Options."""

    user_id: str
    client: str = ""
    version: str = "68.0"
    through_api: bool = True

    @property
    def change_origin(self) -> str:
        """As change events carry it: empty for what people do in the vendor's own pages."""
        if not self.through_api:
            return ""
        origin = f"com/salesforce/api/rest/{self.version}"
        return f"{origin};client={self.client}" if self.client else origin


@dataclass
class Change:
    """All that happened to one record in a transaction, folded into one."""

    entity: Entity
    record_id: str
    before: Row | None
    after: Row | None
    was_deleted: bool = False
    """Whether it lay in the recycle bin before."""
    told_first: Kind | None = None
    """What it stays, whatever came later."""

    @property
    def kind(self) -> Kind | None:
        """None where the record came and went within the transaction."""
        if self.before is None:
            return ("UNDELETE" if self.was_deleted else "CREATE") if self.after else None
        return self.told_first or ("UPDATE" if self.after else "DELETE")


@dataclass
class Changes:
    """The open transaction. Rows are whole dictionaries: `put` replaces."""

    sandbox: Sandbox
    tx: Transaction
    caller: Caller
    at: datetime
    made: dict[tuple[str, str], Change] = field(default_factory=dict)

    @property
    def stamp(self) -> str:
        """Now, as Salesforce writes it: whole seconds."""
        return wire_time(self.at.replace(microsecond=0))

    def put(self, entity: Entity, row: Row, *, derived: bool = False) -> None:
        """Creates or replaces a row. `derived`: only values that follow from other rows; publishes nothing itself."""
        before = self.sandbox.store.get(entity.table, row["Id"])
        self._reindex(entity, row["Id"], before, row)
        self.tx.put(entity.table, row["Id"], row)
        if not derived or (entity.name, row["Id"]) in self.made:
            self._note(entity, before, row)

    def bury(self, entity: Entity, row: Row) -> None:
        """Soft delete: gone for everybody but queryAll."""
        self._reindex(entity, row["Id"], row, None)
        self.tx.put(entity.table, row["Id"], {**row, "IsDeleted": True, "SystemModstamp": self.stamp})
        self._note(entity, row, None)

    def unearth(self, entity: Entity, row: Row) -> None:
        """Takes a soft-deleted row back out of the recycle bin."""
        living = {**row, "IsDeleted": False, "SystemModstamp": self.stamp}
        self._reindex(entity, row["Id"], None, living)
        self.tx.put(entity.table, row["Id"], living)
        self.made[entity.name, row["Id"]] = Change(entity, row["Id"], None, living, was_deleted=True)

    def _note(self, entity: Entity, before: Row | None, after: Row | None) -> None:
        key = (entity.name, (after or before or {})["Id"])
        known = self.made.get(key)
        if known:
            if known.before and known.after and after is None and knob(self.sandbox, "update_then_delete") == "UPDATE":
                known.told_first = "UPDATE"
                return  # the values that it had last stay the final ones
            known.after = after
        else:
            self.made[key] = Change(entity, key[1], before, after)

    def _reindex(self, entity: Entity, record_id: str, before: Row | None, after: Row | None) -> None:
        for indexed in entity.indexed:
            old, new = (before or {}).get(indexed.name), (after or {}).get(indexed.name)
            if old == new and (before is None) == (after is None):
                continue
            table = index_table(entity, indexed)
            if old is not None:
                left = [each for each in ids_by(self.sandbox.store, entity, indexed, old) if each != record_id]
                self.tx.put(table, index_key(old), {"ids": left})
            if new is not None:
                known = ids_by(self.sandbox.store, entity, indexed, new)
                self.tx.put(table, index_key(new), {"ids": [*known, record_id]})


@contextmanager
def changing(sandbox: Sandbox, caller: Caller) -> Iterator[Changes]:
    """All or nothing. On the way out the change events are in the log and the ledger has a line per record."""
    with sandbox.store.begin() as tx:
        changes = Changes(sandbox, tx, caller, sandbox.clock.now())
        yield changes
        events.publish(changes)
    for change in changes.made.values():
        if change.kind:
            _tell_ledger(sandbox, change, caller)
    ring(sandbox)


@contextmanager
def seeding(sandbox: Sandbox, caller: Caller, at: datetime) -> Iterator[Changes]:
    """A transaction that nobody hears of."""
    with sandbox.store.begin() as tx:
        yield Changes(sandbox, tx, caller, at)


def wire_time(moment: datetime) -> str:
    """`2013-05-20T20:49:32.000+0000`"""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}+0000"


def _tell_ledger(sandbox: Sandbox, change: Change, caller: Caller) -> None:
    verb = (change.kind or "UPDATE").lower()
    facts: dict[str, Any] = {"client": caller.client, "through_api": caller.through_api}
    if change.kind == "UPDATE":
        facts["fields"] = sorted(events.changed_fields(change))
    if change.kind == "CREATE" and change.after:
        facts |= {each.name: change.after[each.name] for each in change.entity.fields if _marks(change, each.name)}
    sandbox.ledger.record("salesforce", f"{verb} {change.entity.name}", change.record_id, **facts)


def _marks(change: Change, name: str) -> bool:
    """Whether a new row's field is worth counting by: its external ids, parents and status."""
    entity_field = change.entity.field(name)
    wanted = entity_field and (entity_field.external_id or name in ("AccountId", "OrderId", "ParentId", "Status"))
    return bool(wanted and change.after and change.after.get(name) is not None)
