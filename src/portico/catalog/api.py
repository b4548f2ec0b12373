"""`/api/v1/catalog`, `/api/v1/eligibility`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import Request, get

from portico.catalog.products import BillingCycle, Category, ItemClass, Offer, SimKind, eligibility_of, offers_for
from portico.portal import Portal
from portico.web.openapi_problems import REMOTE
from portico.web.shapes import Listing, Moment, MoneyShape, money_shape, whole


class ProductOut(msgspec.Struct, frozen=True):
    """`price` is net; `requires_sku` comes into the cart by itself."""

    sku: str
    name: str
    description: str
    category: Category
    item_class: ItemClass
    billing_cycle: BillingCycle
    price: MoneyShape
    price_with_tax: MoneyShape
    orderable: bool
    promotion: str | None
    sim_kind: SimKind | None
    requires_sku: str | None


class EligibilityOut(msgspec.Struct, frozen=True):
    """Names of what the account may order, and how far the check of its address for internet is."""

    eligibility: list[str]
    internet: str
    as_of: Moment


@get(
    "/api/v1/catalog",
    access="customer",
    operation_id="list_products",
    summary="What this account may order",
    refusals=REMOTE,
)
async def catalog(
    request: Request[Any, Any, Any], category: Literal["all", "Internet", "Mobile", "VPN", "Other"] = "all"
) -> Listing[ProductOut]:
    """All in one page. Prices are net; `price_with_tax` has the tax of the provider's settings added."""
    portal: Portal = request.app.state.portal
    offers = await offers_for(portal, request.user.customer)
    chosen = [offer for offer in offers.items if category in ("all", offer.product.category)]
    return whole([_shape(portal, offer) for offer in chosen], offers.as_of)


@get(
    "/api/v1/eligibility",
    access="customer",
    operation_id="read_eligibility",
    summary="What the account is eligible for",
    refusals=REMOTE,
)
async def eligibility(request: Request[Any, Any, Any]) -> EligibilityOut:
    """As Salesforce holds it."""
    copy = await eligibility_of(request.app.state.portal, request.user.customer)
    return EligibilityOut(sorted(copy.value.names), copy.value.internet, copy.as_of)


def _shape(portal: Portal, offer: Offer) -> ProductOut:
    product = offer.product
    return ProductOut(
        sku=product.sku,
        name=product.name,
        description=product.description,
        category=product.category,
        item_class=product.item_class,
        billing_cycle=product.billing_cycle,
        price=money_shape(product.price),
        price_with_tax=money_shape(offer.gross(portal)),
        orderable=offer.can_be_ordered,
        promotion=offer.promotion or None,
        sim_kind=product.sim_kind,
        requires_sku=product.requires_sku or None,
    )
