"""The review of an order as one press: number its eSIM lines, then approve."""

from __future__ import annotations

from typing import Any

from portico_sandbox.buttons import Button, Field
from portico_sandbox.salesforce.control import approve_order, set_line_number
from portico_sandbox.sandbox import Sandbox


async def review_order(sandbox: Sandbox, given: dict[str, str]) -> dict[str, Any]:
    """Without a number the order is approved as it is."""
    numbered = await set_line_number(sandbox, given["order"], given["number"]) if given["number"] else {}
    return {**numbered, **await approve_order(sandbox, given["order"])}


def suggested_number(order_number: str) -> str:
    """A number that no other order's suggestion meets, with room for ten lines."""
    return f"0702{int(order_number) % 1_000_000:06d}0"


REVIEW_ORDER = Button(
    "review-order",
    "Approve",
    "salesforce",
    (
        Field("order", "Order (id, number or portal order id)"),
        Field("number", "Number of its first eSIM line, digits only", required=False),
    ),
    review_order,
    "Numbers the eSIM lines, counted up from the first, then approves.",
)
