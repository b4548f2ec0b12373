"""Store, clock, ledger and dials."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portico_sandbox.clock import Clock
from portico_sandbox.dials import Dial, Dials
from portico_sandbox.ledger import Ledger
from portico_sandbox.store import Store


class Stop(Exception):
    pass


def test_a_transaction_is_all_or_nothing() -> None:
    store = Store(None)
    with store.begin() as tx:
        tx.put("lines", "1", {"state": "waiting"})
        tx.put("lines", "2", {"state": "waiting"})
        assert tx.next("number", start=10) == 10
    with pytest.raises(Stop), store.begin() as tx:
        tx.change("lines", "1", state="active")
        tx.delete("lines", "2")
        tx.put("lines", "3", {})
        assert tx.next("number") == 11
        raise Stop
    assert dict(store.table("lines")) == {"1": {"state": "waiting"}, "2": {"state": "waiting"}}
    with store.begin() as tx:
        assert tx.next("number") == 11


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "sandbox.sqlite")
    with store.begin() as tx:
        tx.put("lines", "1", {"名前": "田中"})
        tx.put("lines", "2", {})
        tx.next("number")
    with store.begin() as tx:
        tx.delete("lines", "2")
    Clock(store).move(timedelta(hours=12))
    store.close()

    again = Store(tmp_path / "sandbox.sqlite")
    assert dict(again.table("lines")) == {"1": {"名前": "田中"}}
    assert Clock(again).offset == timedelta(hours=12)
    with again.begin() as tx:
        assert tx.next("number") == 2
    again.clear()
    assert again.is_empty
    assert Store(tmp_path / "sandbox.sqlite").is_empty


def test_rows_are_copies_of_what_was_put() -> None:
    store, row = Store(None), {"list": [1]}
    with store.begin() as tx:
        tx.put("lines", "1", row)
    row["list"].append(2)
    assert store.get("lines", "1") == {"list": [1]}


def test_the_clock_moves_and_the_ledger_follows() -> None:
    store = Store(None)
    clock = Clock(store)
    clock.move(timedelta(days=30))
    assert timedelta(days=29) < clock.now() - datetime.now(UTC) < timedelta(days=31)
    ledger = Ledger(store, clock)
    ledger.record("whmcs", "AddOrder", "71001", amount=1980)
    ledger.record("freebit", "PA05-41 addAcnt", "07000009001")
    assert [line["n"] for line in ledger.lines()] == [1, 2]
    [line] = ledger.lines("whmcs", "AddOrder")
    assert line["facts"] == {"amount": 1980}
    assert datetime.fromisoformat(line["at"]) > datetime.now(UTC) + timedelta(days=29)


def test_dials_apply_to_their_calls_and_wear_out() -> None:
    dials = Dials()
    dials.turn(Dial("whmcs", "down", "AddOrder", times=2))
    dials.turn(Dial("whmcs", "drop_events"))
    assert dials.take("freebit", "AddOrder", "down") is None
    assert dials.take("whmcs", "GetInvoices", "down", "slow") is None
    assert dials.take("whmcs", "addorder", "down", "slow") is not None
    assert dials.take("whmcs", "AddOrder", "down") is not None
    assert dials.take("whmcs", "AddOrder", "down") is None
    assert dials.take("whmcs", "InvoicePaid", "drop_events") is not None
    dials.clear("freebit")
    assert [dial.mode for dial in dials.active()] == ["drop_events"]
