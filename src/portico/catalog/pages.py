"""`/catalog` and `/catalog/{sku}`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from portico.catalog.products import CATEGORIES, offers_for
from portico.errors import Trouble
from portico.portal import Portal
from portico.web import Form, render


@get("/catalog", access="customer", include_in_schema=False)
async def catalog_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    chosen = request.query_params.get("category", "")
    try:
        offers = await offers_for(portal, request.user.customer)
    except Trouble:
        return render(request, "catalog/catalog.html", offers=None, groups=[], chosen="", categories=[])
    shown = [offer for offer in offers.items if offer.product.item_class in ("Service", "Add-on")]
    present = [name for name in CATEGORIES if any(offer.product.category == name for offer in shown)]
    chosen = chosen if chosen in present else ""
    groups = [(name, [o for o in shown if o.product.category == name]) for name in present if chosen in ("", name)]
    return render(request, "catalog/catalog.html", offers=offers, groups=groups, chosen=chosen, categories=present)


@get("/catalog/{sku:str}", access="customer", ids={"sku": "product"}, include_in_schema=False)
async def product_page(request: Request[Any, Any, Any], sku: str) -> Response[bytes]:
    return await show_product(request, sku, Form())


async def show_product(request: Request[Any, Any, Any], sku: str, form: Form) -> Response[bytes]:
    """Also the answer to a refused "add to cart"."""
    portal: Portal = request.app.state.portal
    offers = await offers_for(portal, request.user.customer)
    offer = offers.of(sku)
    rate = portal.settings.portal.tax_rate
    return render(
        request,
        "catalog/product.html",
        offer=offer,
        as_of_time=offers.as_of,
        form=form,
        tax=offer.product.price.tax(rate),
    )
