"""The one world that all three systems tell: its people and products, with their ids in each system.

Pure data, no dates: where a date is needed it is given in days from the day of the reset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from portico_sandbox.world_people import PEOPLE
from portico_sandbox.world_products import PRODUCTS
from portico_sandbox.world_types import Person, Product

PORTAL_PRICEBOOK_ID = "01s5g00000PORTLAA5"


@dataclass(frozen=True)
class World:
    people: tuple[Person, ...] = field(default=PEOPLE)
    products: tuple[Product, ...] = field(default=PRODUCTS)

    @cached_property
    def product_by_sku(self) -> dict[str, Product]:
        return {product.sku: product for product in self.products}
