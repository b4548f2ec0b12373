"""What an order costs of the org's API calls: the figures of docs/systems/salesforce.md."""

from __future__ import annotations

from collections import Counter

from prometheus_client import REGISTRY

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


async def test_an_order_costs_a_known_number_of_calls(shop: Shop) -> None:
    await shop.fill(ESIM)  # the catalog is copied now, for everybody
    before = calls()
    order_id = await shop.approved(ESIM)
    placed = calls() - before
    await shop.heard(order_id)
    await shop.run_until(order_id, "done")
    fulfilled = calls() - before - placed
    assert placed == Counter({"create Order": 1})
    assert fulfilled.total() <= 9, fulfilled
