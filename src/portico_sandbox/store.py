"""The sandbox's own state: rows in memory, written through to one SQLite file at every commit."""

from __future__ import annotations

import copy
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

Row = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (tbl TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tbl, key));
CREATE TABLE IF NOT EXISTS sequences (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, replay INTEGER NOT NULL, at INTEGER NOT NULL, entity TEXT NOT NULL, id TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_replay ON events (replay);
CREATE TABLE IF NOT EXISTS event_marks (replay INTEGER PRIMARY KEY, number INTEGER NOT NULL, at INTEGER NOT NULL);
"""
# Keeps a row's place: tables are in the order in which rows were first put.
_PUT = "INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT (tbl, key) DO UPDATE SET body = excluded.body"
_BATCH = 2000


class Store:
    """Tables of JSON-able rows, keyed by string. Reads are plain look-ups; writes happen in `begin()`."""

    def __init__(self, path: Path | None) -> None:
        # One process, one event loop: no statement of ours runs beside another.
        self._sql = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _SCHEMA)
        self._tables: dict[str, dict[str, Row]] = {}
        self._sequences: dict[str, int] = dict(self._sql.execute("SELECT name, last FROM sequences"))
        self._load()

    def table(self, name: str) -> Mapping[str, Row]:
        """All rows of a table in the order they were first put. Treat them as read-only: write with `put`."""
        return MappingProxyType(self._tables.setdefault(name, {}))

    def get(self, table: str, key: str) -> Row | None:
        return self._tables.get(table, {}).get(key)

    def select(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the tables that are not kept in memory: what `Transaction.later` wrote."""
        return self._sql.execute(statement, values).fetchall()

    @property
    def is_empty(self) -> bool:
        return not any(self._tables.values())

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """All or nothing: an exception inside leaves every row and sequence as it was.

        The body must not await: that is what makes a transaction of one event loop serializable.
        """
        transaction = Transaction(self._tables, self._sequences)
        try:
            yield transaction
        except BaseException:
            transaction.undo()
            raise
        self._write(transaction)

    def clear(self) -> None:
        """Forgets everything, sequences included."""
        self._tables.clear()
        self._sequences.clear()
        script = "DELETE FROM rows; DELETE FROM sequences; DELETE FROM events; DELETE FROM event_marks;"
        self._sql.executescript(script)

    def close(self) -> None:
        self._sql.close()

    def _load(self) -> None:
        """Many rows in one text: within a text the reader keeps each name once, which is most of what rows weigh."""
        rows = self._sql.execute("SELECT tbl, key, body FROM rows ORDER BY rowid")
        while batch := rows.fetchmany(_BATCH):
            bodies = json.loads(f"[{','.join(body for _, _, body in batch)}]")
            for (table, key, _), body in zip(batch, bodies, strict=True):
                self._tables.setdefault(table, {})[key] = body

    def _write(self, transaction: Transaction) -> None:
        self._sql.execute("BEGIN")
        for table, key in transaction.touched:
            row = self._tables[table].get(key)
            if row is None:
                self._sql.execute("DELETE FROM rows WHERE tbl = ? AND key = ?", (table, key))
            else:
                body = json.dumps(row, ensure_ascii=False)
                self._sql.execute(_PUT, (table, key, body))
        for name in transaction.drawn:
            self._sql.execute("INSERT OR REPLACE INTO sequences VALUES (?, ?)", (name, self._sequences[name]))
        for statement, values in transaction.statements:
            self._sql.executemany(statement, values)
        self._sql.execute("COMMIT")


class Transaction:
    """The writes of one `Store.begin()` block."""

    def __init__(self, tables: dict[str, dict[str, Row]], sequences: dict[str, int]) -> None:
        self._tables = tables
        self._sequences = sequences
        self._before: dict[tuple[str, str], Row | None] = {}
        self._sequences_before = dict(sequences)
        self.drawn: set[str] = set()
        self.statements: list[tuple[str, Sequence[tuple[Any, ...]]]] = []

    @property
    def touched(self) -> list[tuple[str, str]]:
        return list(self._before)

    def put(self, table: str, key: str, row: Row) -> None:
        """Creates or replaces a row."""
        rows = self._tables.setdefault(table, {})
        self._before.setdefault((table, key), rows.get(key))
        rows[key] = copy.deepcopy(row)

    def change(self, table: str, key: str, **values: Any) -> Row:
        """Replaces some values of an existing row and answers the new row. Raises KeyError where there is none."""
        row = {**self._tables[table][key], **values}
        self.put(table, key, row)
        return row

    def delete(self, table: str, key: str) -> None:
        rows = self._tables.setdefault(table, {})
        self._before.setdefault((table, key), rows.get(key))
        rows.pop(key, None)

    def later(self, statement: str, *values: tuple[Any, ...]) -> None:
        """SQL for each of these values, run with the commit: for what is too much to be kept in memory."""
        self.statements.append((statement, values))

    def next(self, sequence: str, start: int = 1) -> int:
        """The next number of a sequence; the first is `start`."""
        value = self._sequences.get(sequence, start - 1) + 1
        self._sequences[sequence] = value
        self.drawn.add(sequence)
        return value

    def undo(self) -> None:
        for (table, key), row in self._before.items():
            if row is None:
                self._tables[table].pop(key, None)
            else:
                self._tables[table][key] = row
        self._sequences.clear()
        self._sequences.update(self._sequences_before)
