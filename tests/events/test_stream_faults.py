"""What the service does to a stream: silence, wrong order, lower positions, ends without a word, a spent allocation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from portico.events import listener
from tests.events.office import SKU, Office
from tests.fixtures.until import until


async def test_a_silent_stream_is_given_up(office: Office) -> None:
    """It stays open, so that only the silence tells; what came meanwhile is delivered afterwards."""
    async with office.with_salesforce(pubsub_silence_seconds=0.5) as patient, patient.listening():
        await office.sandbox.press("salesforce", "silence")
        await office.change_prices(1)
        await until(lambda: patient.rows("SELECT 1 FROM change_position WHERE problem LIKE '%silent%'"))
        await office.sandbox.press("salesforce", "silence", on="no")
        await until(lambda: patient.has(1))


@pytest.mark.parametrize("status", ["OK", "RST"])
async def test_an_end_without_a_word_is_a_loss_like_any_other(office: Office, status: str) -> None:
    async with office.listening():
        await office.sandbox.press("salesforce", "disconnect", status=status)
        await office.change_prices(1)
        await until(lambda: office.has(1))


async def test_order_and_size_of_positions_mean_nothing(office: Office) -> None:
    """Events in reverse order, doubled, and with replay ids lower than all before: each comes once."""
    async with office.listening():
        await office.sandbox.press("salesforce", "reorder-events", count="3")
        await office.change_prices(3)
        await until(lambda: office.has(3))
        high = (await office.position())["replay_id"]
        await office.sandbox.press("salesforce", "lower-replay", count="2")
        await office.change_prices(2, first=600)
        await until(lambda: office.has(5))
        assert (await office.position())["replay_id"] < high
        await office.sandbox.press("salesforce", "repeat-events", count="5")
        await office.sandbox.press("salesforce", "disconnect")
        await office.change_prices(1, first=700)
        await until(lambda: office.has(6))
    [row] = await office.rows("SELECT sum(delivered) AS delivered FROM change_deliveries")
    assert row["delivered"] >= 11


async def test_a_gap_may_name_several_records(office: Office, world: dict[str, Any]) -> None:
    accounts = [customer["sf_account_id"] for customer in world["customers"]["ready"][:2]]
    async with office.listening():
        await office.sandbox.press("salesforce", "gap", id=",".join(accounts))
        await until(lambda: office.has(1, "Account"))
    [row] = await office.events("Account")
    assert sorted(row["body"]["account_ids"]) == sorted(accounts)


async def test_a_spent_allocation_is_waited_out_with_the_position_kept(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    goes_on = asyncio.Event()

    async def noted(_: int, seconds: float) -> None:
        asked.append(seconds)
        await goes_on.wait()

    monkeypatch.setattr(listener, "pause", noted)
    async with office.listening():
        await office.change_prices(1)
        await until(lambda: office.has(1))
        position = (await office.position())["replay_id"]
        await office.sandbox.press("salesforce", "turn-knob", name="deliveries_per_day", value="1")
        await office.change_prices(1, first=600)
        await until(lambda: asked)
        assert asked[0] >= 600, "tens of minutes"
        assert (await office.position())["replay_id"] == position
        await office.sandbox.press("salesforce", "turn-knob", name="deliveries_per_day", value="0")
        goes_on.set()
        await until(lambda: office.has(2))


async def test_an_event_of_any_field_is_stored_and_only_what_matters_is_handled(office: Office) -> None:
    async with office.listening():
        await office.change_prices(1, first=600)
        sku = await office.portal.salesforce.query(
            f"SELECT Id FROM Product2 WHERE StockKeepingUnit = '{SKU}'", name="query Product2"
        )
        change = {"type": "Product2", "id": sku[0].id(), "field": "ProductCode", "value": "X"}
        await office.sandbox.press("salesforce", "change-field", **change)
        await until(lambda: office.has(1, "Product2"))
        await until(lambda: office.has(1))
    [product], [price] = await office.events("Product2"), await office.events()
    assert (product["stage"], price["stage"]) == (3, 0)
