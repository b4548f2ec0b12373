"""THE TABLE: what is copied, whose, for how long, and what drops it. docs/freshness.md is generated from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["shared", "account", "user", "number"]


@dataclass(frozen=True)
class Rule:
    """One kind of copy. `seconds` None: it lives until something in `dropped_by` happens."""

    kind: str
    scope: Scope
    seconds: int | None
    dropped_by: tuple[str, ...]
    what: str
    keeps_not_found: bool = False
    schema: int = 1
    """Raise it when the shape of the copied type changes: older copies then count as missing."""


# Who drops, as words: `salesforce:<Entity>` a change event, `whmcs:<group>` a hook (events/whmcs.py has the groups),
# `own:<write>` a write of ours.
CATALOG = Rule("catalog", "shared", None, ("salesforce:Product2", "salesforce:PricebookEntry"), "products and prices")
AVAILABILITY = Rule(
    "availability", "shared", 60, ("salesforce:Product2", "salesforce:PricebookEntry"), "availability and promotions"
)
ELIGIBILITY = Rule("eligibility", "account", None, ("salesforce:Account",), "what an account may order")
ORDERS = Rule(
    "orders",
    "account",
    None,
    ("salesforce:Order", "salesforce:OrderItem", "own:order", "own:fulfillment"),
    "orders: list and detail",
)
INVOICES = Rule(
    "invoices", "user", 90, ("whmcs:invoice", "own:billing", "own:sso_return", "own:fulfillment"), "invoices: list"
)
INVOICE = Rule(
    "invoice", "user", 300, ("whmcs:invoice", "own:billing", "own:sso_return", "own:fulfillment"), "invoices: detail"
)
SUBSCRIPTIONS = Rule(
    "subscriptions", "user", 300, ("whmcs:service", "own:profile", "own:fulfillment"), "services: list"
)
SUBSCRIPTION = Rule("subscription", "user", 600, ("whmcs:service", "own:profile", "own:fulfillment"), "services: one")
PAYMENT_METHODS = Rule(
    "payment_methods",
    "user",
    900,
    ("whmcs:card", "own:sso_return"),
    "payment methods; never used for the checkout decision",
)
GATEWAYS = Rule("gateways", "shared", 3600, (), "payment gateways")
PROFILE = Rule("profile", "user", 1800, ("whmcs:client", "own:profile"), "billing profile and address")
CUSTOMER_NUMBER = Rule(
    "customer_number", "number", 30, ("own:sign_up",), "sign-up look-up of a customer number", keeps_not_found=True
)

RULES = (
    CATALOG,
    AVAILABILITY,
    ELIGIBILITY,
    ORDERS,
    INVOICES,
    INVOICE,
    SUBSCRIPTIONS,
    SUBSCRIPTION,
    PAYMENT_METHODS,
    GATEWAYS,
    PROFILE,
    CUSTOMER_NUMBER,
)
"""Support cases are not here: they are never copied."""


def dropped_by(happening: str) -> tuple[Rule, ...]:
    """The rules whose copies a happening makes stale."""
    return tuple(rule for rule in RULES if happening in rule.dropped_by)


def as_markdown() -> str:
    """The table as docs/freshness.md shows it."""
    lines = ["| what | kind | scope | fresh for | dropped by |", "| --- | --- | --- | --- | --- |"]
    for rule in RULES:
        fresh = f"{rule.seconds} s" if rule.seconds else "until an event"
        drops = ", ".join(f"`{name}`" for name in rule.dropped_by) or "–"
        lines.append(f"| {rule.what} | `{rule.kind}` | {rule.scope} | {fresh} | {drops} |")
    return "\n".join(lines) + "\n"


assert len({rule.kind for rule in RULES}) == len(RULES)
