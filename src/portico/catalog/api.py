"""`/api/v1/catalog`, `/api/v1/eligibility`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get

from portico.catalog.products import Offer, eligibility_of, offers_for
from portico.portal import Portal
from portico.web.shapes import Listing, MoneyShape, money_shape, whole


class ProductShape(msgspec.Struct, frozen=True):
    sku: str
    name: str
    description: str
    category: str
    item_class: str
    billing_cycle: str
    price: MoneyShape
    """Net."""
    price_with_tax: MoneyShape
    orderable: bool
    promotion: str | None
    sim_kind: str | None
    requires_sku: str | None


class EligibilityShape(msgspec.Struct, frozen=True):
    eligibility: list[str]
    internet: str
    as_of: str


@get("/api/v1/catalog", access="customer")
async def catalog(request: Request[Any, Any, Any], category: str | None = None) -> Listing[ProductShape]:
    """What this account may order; `category` is Internet, Mobile, VPN or Other."""
    portal: Portal = request.app.state.portal
    offers = await offers_for(portal, request.user.customer)
    chosen = [offer for offer in offers.items if category in (None, offer.product.category)]
    return whole([_shape(portal, offer) for offer in chosen], offers.as_of)


@get("/api/v1/eligibility", access="customer")
async def eligibility(request: Request[Any, Any, Any]) -> EligibilityShape:
    copy = await eligibility_of(request.app.state.portal, request.user.customer)
    return EligibilityShape(sorted(copy.value.names), copy.value.internet, copy.as_of.isoformat())


def _shape(portal: Portal, offer: Offer) -> ProductShape:
    product = offer.product
    return ProductShape(
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
