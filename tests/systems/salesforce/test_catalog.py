"""The catalog, over a real socket."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portico.errors import SetupWrong, SystemRefused
from portico.money import Money
from portico.settings import SalesforceFields
from portico.systems.salesforce.catalog import (
    BillingCycle,
    Category,
    ItemClass,
    SimKind,
    get_availability,
    get_pricebook_products,
)
from portico.systems.salesforce.client import Salesforce
from tests.systems.salesforce.stand_in import StandIn


async def test_products_in_display_order(org: StandIn, sf: Salesforce) -> None:
    products = await get_pricebook_products(sf, "JPY")
    sold = [each for each in org.sandbox.world.products if each.is_active]
    assert {each.sku for each in products} <= {each.sku for each in sold}
    assert [each.display_order for each in products] == sorted(each.display_order for each in products)
    esim = next(each for each in products if each.sku == "MOB-ESIM-10GB")
    assert esim.price == Money(Decimal(1980), "JPY")
    assert (esim.category, esim.item_class, esim.billing_cycle) == (
        Category.MOBILE,
        ItemClass.SERVICE,
        BillingCycle.MONTHLY,
    )
    assert (esim.sim_kind, esim.freebit_plan_code, esim.whmcs_product_id) == (SimKind.ESIM, "PTC_V_10G", 32)
    assert (esim.requires_sku, esim.excludes_sku) == ("MOB-ACT-ESIM", "")
    assert esim.eligibility == {"Mobile"}
    assert esim.orderable
    assert next(each for each in products if each.sku == "VPN-HOME").eligibility == frozenset()
    assert not next(each for each in products if each.sku == "NET-FIXED-IP").orderable


async def test_what_is_no_longer_sold_is_not_there(sf: Salesforce) -> None:
    assert "NET-ADSL" not in {each.sku for each in await get_pricebook_products(sf, "JPY")}


async def test_a_new_price_is_read(org: StandIn, sf: Salesforce) -> None:
    await org.press("change-price", sku="VPN-HOME", net="550.5")
    products = {each.sku: each for each in await get_pricebook_products(sf, "JPY")}
    assert products["VPN-HOME"].price.amount == Decimal("550.5")


async def test_availability_by_sku(org: StandIn, sf: Salesforce) -> None:
    await org.press("set-availability", sku="VPN-HOME", available="false")
    found = await get_availability(sf)
    assert not found["VPN-HOME"].available
    assert found["MOB-ESIM-30GB"].available
    assert found["MOB-ESIM-30GB"].promotion
    assert found["VPN-HOME"].promotion == ""


async def test_all_pages_are_read(sf: Salesforce) -> None:
    whole = await get_pricebook_products(sf, "JPY")
    sf.batch_size = 3
    assert await get_pricebook_products(sf, "JPY") == whole


async def test_a_product_that_makes_no_sense_hides_no_other(org: StandIn, sf: Salesforce) -> None:
    whole = await get_pricebook_products(sf, "JPY")
    product = org.sandbox.world.product_by_sku["VPN-HOME"]
    await org.press("change-field", type="Product2", id=product.sf_product_id, field="Category__c")
    assert {each.sku for each in await get_pricebook_products(sf, "JPY")} == {each.sku for each in whole} - {"VPN-HOME"}


async def test_a_field_that_the_org_does_not_have_is_named(org: StandIn) -> None:
    async with org.connection(fields=SalesforceFields(product_category="Kategorie__c")) as sf:
        with pytest.raises(SystemRefused, match="Kategorie__c") as caught:
            await get_pricebook_products(sf, "JPY")
    assert caught.value.vendor_code == "INVALID_FIELD"


async def test_a_pricebook_that_is_not_set_is_our_fault(org: StandIn) -> None:
    async with org.connection(pricebook_id="") as sf:
        with pytest.raises(SetupWrong, match="PRICEBOOK"):
            await get_pricebook_products(sf, "JPY")
