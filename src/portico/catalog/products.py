"""The catalog: one Salesforce pricebook, filtered by what the account is eligible for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from portico.cache import Copy, cached
from portico.customer import Customer
from portico.errors import NotFound
from portico.freshness import AVAILABILITY, CATALOG, ELIGIBILITY
from portico.money import Money
from portico.portal import Portal
from portico.systems.salesforce import accounts, catalog
from portico.systems.salesforce.catalog import Availability, BillingCycle, Category, ItemClass, Product, SimKind

__all__ = [
    "CATEGORIES", "BillingCycle", "Category", "Eligibility", "ItemClass", "Offer", "Offers", "Product", "SimKind",
    "availability", "eligibility_of", "is_eligible", "offers_for", "products",
]  # fmt: skip

CATEGORIES = ("Mobile", "Internet", "VPN", "Other")


@dataclass(frozen=True)
class Eligibility:
    """What an account may order, in Salesforce's words."""

    names: frozenset[str]
    internet: str


@dataclass(frozen=True)
class Offer:
    """A product as this customer sees it."""

    product: Product
    is_available: bool
    promotion: str
    required: Product | None
    """Ordered along with it, such as the activation fee."""

    @property
    def can_be_ordered(self) -> bool:
        return self.is_available and self.product.orderable

    def gross(self, portal: Portal) -> Money:
        return self.product.price + self.product.price.tax(portal.settings.portal.tax_rate)


@dataclass(frozen=True)
class Offers:
    items: list[Offer]
    as_of: datetime

    def of(self, sku: str) -> Offer:
        """Raises NotFound: unknown, or not for this customer, which is the same to them."""
        for offer in self.items:
            if offer.product.sku == sku:
                return offer
        raise NotFound(f"product {sku}")


@cached(CATALOG)
async def products(portal: Portal) -> list[Product]:
    return await catalog.get_pricebook_products(portal.salesforce, portal.settings.portal.currency)


@cached(AVAILABILITY)
async def availability(portal: Portal) -> dict[str, Availability]:
    return await catalog.get_availability(portal.salesforce)


@cached(ELIGIBILITY)
async def eligibility_of(portal: Portal, customer: Customer) -> Eligibility:
    account = await accounts.get_account(portal.salesforce, customer.sf_account_id)
    return Eligibility(account.eligibility, account.internet_eligibility)


async def offers_for(portal: Portal, customer: Customer) -> Offers:
    """What this customer may order, in the catalog's order."""
    all_products, available, eligibility = await asyncio.gather(
        products(portal), availability(portal), eligibility_of(portal, customer)
    )
    by_sku = {product.sku: product for product in all_products.value}
    offers = [
        _offer(product, available.value.get(product.sku), by_sku)
        for product in sorted(all_products.value, key=lambda p: (p.display_order, p.sku))
        if is_eligible(product, eligibility.value)
    ]
    return Offers(offers, _oldest(all_products, available, eligibility))


def is_eligible(product: Product, eligibility: Eligibility) -> bool:
    """A product names who may have it; one that names nobody is for all."""
    return not product.eligibility or bool(product.eligibility & eligibility.names)


def _offer(product: Product, now: Availability | None, by_sku: dict[str, Product]) -> Offer:
    return Offer(
        product,
        is_available=now.available if now else True,
        promotion=now.promotion if now else "",
        required=by_sku.get(product.requires_sku),
    )


def _oldest(*copies: Copy[list[Product]] | Copy[dict[str, Availability]] | Copy[Eligibility]) -> datetime:
    return min(copy.as_of for copy in copies)
