"""The catalog: active, visible entries of the portal pricebook."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import structlog
from prometheus_client import Gauge

from portico.errors import SetupWrong, SystemSurprised
from portico.money import Money
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.errors import SYSTEM
from portico.systems.salesforce.rows import Row
from portico.systems.salesforce.sf_id import normalized
from portico.systems.salesforce.soql import Names, names, soql

LEFT_OUT = Gauge("portico_catalog_products_left_out", "Products of the pricebook that we can't understand")

ENTRIES = """
SELECT {fields} FROM PricebookEntry
WHERE Pricebook2Id = {pricebook} AND IsActive = TRUE AND Product2.IsActive = TRUE AND {visible} = TRUE ORDER BY Id
""".strip()

_log = structlog.get_logger()


class Category(StrEnum):
    INTERNET = "Internet"
    MOBILE = "Mobile"
    VPN = "VPN"
    OTHER = "Other"


class ItemClass(StrEnum):
    SERVICE = "Service"
    ACTIVATION = "Activation"
    INSTALLATION = "Installation"
    ADD_ON = "Add-on"


class BillingCycle(StrEnum):
    MONTHLY = "Monthly"
    ONE_TIME = "One time"


class SimKind(StrEnum):
    PHYSICAL = "Physical"
    ESIM = "eSIM"


@dataclass(frozen=True)
class Product:
    sku: str
    name: str
    description: str
    category: Category
    item_class: ItemClass
    billing_cycle: BillingCycle
    price: Money
    """Net; of one unit, a month or once."""
    entry_id: str
    product_id: str
    whmcs_product_id: int | None
    display_order: int
    sim_kind: SimKind | None
    freebit_plan_code: str | None
    requires_sku: str
    """Ordered along with it; empty where nothing is. The same for `excludes_sku`."""
    excludes_sku: str
    eligibility: frozenset[str]
    """An account needs one of these; empty: everybody."""
    orderable: bool


@dataclass(frozen=True)
class Availability:
    """The volatile part of a product."""

    available: bool
    promotion: str
    """Empty where there is none."""


async def get_pricebook_products(sf: Salesforce, currency: str) -> list[Product]:
    """In display order. A product that we can't understand is left out and counted: it must not hide the others."""
    rows = await _entries(sf, _fields(sf), "query PricebookEntry")
    products = []
    for row in rows:
        try:
            products.append(_product(sf, row, currency))
        except SystemSurprised as problem:
            _log.warning("salesforce.product.left_out", entry_id=row.id(), reason=problem.note)
    LEFT_OUT.set(len(rows) - len(products))
    return sorted(products, key=lambda product: (product.display_order, product.sku))


async def get_availability(sf: Salesforce) -> dict[str, Availability]:
    """By SKU."""
    fields = sf.fields
    available, promotion = _of_product(fields.product_available), _of_product(fields.product_promotion)
    rows = await _entries(sf, names("Id", _SKU, available, promotion), "query availability")
    return {
        row.text(_SKU): Availability(row.flag(available), row.text_or_none(promotion) or "")
        for row in rows
        if row.text_or_none(_SKU)
    }


_SKU = "Product2.StockKeepingUnit"


async def _entries(sf: Salesforce, fields: Names, name: str) -> list[Row]:
    try:
        pricebook = normalized(sf.settings.pricebook_id)
    except ValueError:
        raise SetupWrong(SYSTEM, "SALESFORCE_PRICEBOOK_ID is no id") from None
    visible = names(_of_product(sf.fields.product_portal_visible))
    return await sf.query(soql(ENTRIES, fields=fields, pricebook=pricebook, visible=visible), name=name)


def _of_product(field: str) -> str:
    return f"Product2.{field}"


def _fields(sf: Salesforce) -> Names:
    fields = sf.fields
    ours = (
        fields.product_category,
        fields.product_item_class,
        fields.product_billing_cycle,
        fields.product_display_order,
        fields.product_whmcs_product_id,
        fields.product_sim_kind,
        fields.product_freebit_plan_code,
        fields.product_requires_sku,
        fields.product_excludes_sku,
        fields.product_eligibility,
        fields.product_orderable,
    )
    standard = ("Id", "UnitPrice", "Product2Id", "Product2.Name", "Product2.Description", _SKU)
    return names(*standard, *map(_of_product, ours))


def _product(sf: Salesforce, row: Row, currency: str) -> Product:
    fields = sf.fields
    return Product(
        sku=row.text(_SKU),
        name=row.text("Product2.Name"),
        description=row.text_or_none("Product2.Description") or "",
        category=row.as_type(_of_product(fields.product_category), Category),
        item_class=row.as_type(_of_product(fields.product_item_class), ItemClass),
        billing_cycle=row.as_type(_of_product(fields.product_billing_cycle), BillingCycle),
        price=Money(row.number("UnitPrice"), currency),
        entry_id=row.id(),
        product_id=row.id("Product2Id"),
        whmcs_product_id=row.whole_or_none(_of_product(fields.product_whmcs_product_id)),
        display_order=row.whole_or_none(_of_product(fields.product_display_order)) or 0,
        sim_kind=row.as_type_or_none(_of_product(fields.product_sim_kind), SimKind),
        freebit_plan_code=row.text_or_none(_of_product(fields.product_freebit_plan_code)),
        requires_sku=row.text_or_none(_of_product(fields.product_requires_sku)) or "",
        excludes_sku=row.text_or_none(_of_product(fields.product_excludes_sku)) or "",
        eligibility=row.choices(_of_product(fields.product_eligibility)),
        orderable=row.flag(_of_product(fields.product_orderable)),
    )
