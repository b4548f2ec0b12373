"""What a cart or an order comes to, without tax and with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from portico.catalog.products import BillingCycle
from portico.money import Money
from portico.portal import Portal
from portico.systems.salesforce.orders import Order


@dataclass(frozen=True)
class Totals:
    """Catalog prices are net; tax is what WHMCS will add, line by line rounded down."""

    net: Money
    tax: Money

    @property
    def gross(self) -> Money:
        return self.net + self.tax


@dataclass(frozen=True)
class Sums:
    monthly: Totals
    one_time: Totals
    tax_percent: str


def sums_of_order(portal: Portal, order: Order) -> Sums:
    """At today's rate: Salesforce keeps net prices."""
    return sums_of(portal, [(item.billing_cycle, item.unit_price * item.quantity) for item in order.items])


def sums_of(portal: Portal, lines: Iterable[tuple[BillingCycle | None, Money]]) -> Sums:
    found = list(lines)
    monthly, one_time = (
        _totals(portal, [net for cycle, net in found if cycle == wanted]) for wanted in ("Monthly", "One time")
    )
    return Sums(monthly, one_time, f"{portal.settings.portal.tax_rate * 100:f}".rstrip("0").rstrip(".") + " %")


def _totals(portal: Portal, amounts: Iterable[Money]) -> Totals:
    net = tax = Money(Decimal(0), portal.settings.portal.currency).rounded()
    for amount in amounts:
        net += amount
        tax += amount.tax(portal.settings.portal.tax_rate)
    return Totals(net, tax)
