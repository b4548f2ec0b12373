"""What an order costs of the org's API calls: the figures of docs/systems/salesforce.md."""

from __future__ import annotations

from collections import Counter

import pytest
from prometheus_client import REGISTRY

from portico.fulfillment import steps
from tests.orders.shop import ESIM, Shop


def calls() -> Counter[str]:
    """Calls of this process to Salesforce until now, by name; tokens are not counted there."""
    [metric] = [each for each in REGISTRY.collect() if each.name == "portico_upstream_seconds"]
    samples = (
        each for each in metric.samples if each.name.endswith("_count") and each.labels["system"] == "salesforce"
    )
    counted: Counter[str] = Counter()
    for sample in samples:
        if sample.labels["call"] != "token":
            counted[sample.labels["call"]] += int(sample.value)
    return counted


@pytest.mark.parametrize(("fresh_seconds", "most"), [(3600.0, 9), (0.0, 11)])
async def test_an_order_costs_a_known_number_of_calls(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, fresh_seconds: float, most: int
) -> None:
    """Two more where the other systems take their time: the order is read again before billing and activation."""
    monkeypatch.setattr(steps, "FRESH_SECONDS", fresh_seconds)
    await shop.fill(ESIM)  # the catalog is copied now, for everybody
    before = calls()
    order_id = await shop.approved(ESIM)
    placed = calls() - before
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    fulfilled = calls() - before - placed
    assert placed == Counter({"create Order": 1})
    assert fulfilled.total() == most, fulfilled
