"""A customer who orders, the foreign staff who approve it, and what has really come of it."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import text

from portico.customer import Customer, SfAccountId, UserId, WhmcsClientId
from portico.fulfillment import triggers
from portico.fulfillment.runs import run_order
from portico.identity.passwords import hashed
from portico.orders import timeline
from portico.orders.cart import CartItem, put_cart
from portico.orders.checkout import place_order
from portico.orders.placements import resume
from portico.orders.timeline import Journal
from portico.portal import Portal
from portico.systems.salesforce import orders as salesforce_orders
from portico.systems.salesforce.orders import Order
from portico_sandbox.world_customers import READY
from portico_sandbox.world_types import Person
from tests.fixtures.sandbox import SandboxControl

KEN, ALICE, SAKURA, COMPANY = READY[:4]
"""Line and fiber; a card and nothing yet; no card at all; a company."""

QUICK = {
    "WHMCS_WRITE_SECONDS": "1.5",
    "SALESFORCE_WRITE_SECONDS": "1.5",
    "FREEBIT_WRITE_SECONDS": "1.5",
    "CREATION_LEASE_SECONDS": "3",
    "CREATION_QUIET_SECONDS": "1",
    "FREEBIT_POLL_SECONDS": "0.3",
    "FULFILLMENT_RETRY_SECONDS": "5",
}
"""Settings of an impatient portal: a lost answer is soon noticed, a dead process's claim soon free."""

ESIM, SIM_CARD, SUPPORT, VPN = "MOB-ESIM-3GB", "MOB-SIM-10GB", "OTH-SUPPORT", "VPN-HOME"

REST = ("waiting_customer", "waiting_staff", "parked", "done")

INSERT_USER = text("""
    INSERT INTO users (id, email, display_name, password_hash, role, language, created_at)
    VALUES (:id, :email, :name, :password_hash, 'customer', 'en', :now) ON CONFLICT DO NOTHING
""")
INSERT_MAPPING = text("""
    INSERT INTO mappings (user_id, whmcs_client_id, sf_account_id, created_at) VALUES (:id, :client, :account, :now)
    ON CONFLICT DO NOTHING
""")


_hashes: dict[str, str] = {}


async def known(portal: Portal, person: Person) -> Customer:
    """The person as a customer of the portal."""
    if person.email not in _hashes:
        _hashes[person.email] = await hashed(person.password)
    assert person.whmcs_client_id is not None
    user_id = uuid5(NAMESPACE_URL, f"mailto:{person.email.lower()}")
    customer = Customer(UserId(user_id), WhmcsClientId(person.whmcs_client_id), SfAccountId(person.sf_account_id))
    values = {"id": user_id, "email": person.email, "name": person.first_name, "now": portal.clock.now()}
    values["password_hash"] = _hashes[person.email]
    async with portal.db.begin() as tx:
        await tx.execute(INSERT_USER, values)
        await tx.execute(INSERT_MAPPING, {**values, "client": person.whmcs_client_id, "account": person.sf_account_id})
    return customer


@dataclass
class Shop:
    portal: Portal
    sandbox: SandboxControl
    customer: Customer
    person: Person
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def rows(self, query: str, **values: object) -> list[dict[str, Any]]:
        async with self.portal.db.begin() as tx:
            return [dict(row) for row in (await tx.execute(text(query), values)).mappings()]

    def eid(self, ending: str = "") -> str:
        """A new EID; `ending` makes it one of Freebit's magic ones."""
        number = f"8903302342{next(self._numbers):022d}"
        return number[: 32 - len(ending)] + ending

    async def fill(self, *skus: str, eid_ends: str = "") -> None:
        """These in the cart, with what they require; a SKU twice is a quantity, but for eSIM plans."""
        items = [CartItem(sku, 1, self.eid(eid_ends)) for sku in skus if sku.startswith("MOB-ESIM")]
        counted = Counter(sku for sku in skus if not sku.startswith("MOB-ESIM"))
        await put_cart(self.portal, self.customer, [*items, *(CartItem(sku, n) for sku, n in counted.items())])

    async def place(self, *skus: str, eid_ends: str = "") -> str:
        """Fills the cart and places the order; answers its Salesforce id."""
        await self.fill(*skus, eid_ends=eid_ends)
        placed = await place_order(self.portal, self.customer)
        return str(placed.order_id)

    async def approved(self, *skus: str, eid_ends: str = "", numbered: bool = True) -> str:
        """Placed, given its phone numbers, approved by staff; the portal has not heard of it yet."""
        order_id = await self.place(*skus, eid_ends=eid_ends)
        if numbered and any(sku.startswith("MOB-ESIM") for sku in skus):
            await self.give_number(order_id)
        await self.sandbox.press("salesforce", "approve-order", order=order_id)
        return order_id

    async def give_number(self, order_id: str) -> str:
        number = f"0702000{next(self._numbers):04d}"
        await self.sandbox.press("salesforce", "set-line-number", item=order_id, number=number)
        return number

    async def correct(self, entity: str, record_id: str, name: str, value: str = "") -> None:
        """Staff write a field in Salesforce."""
        await self.sandbox.press("salesforce", "change-field", type=entity, id=record_id, field=name, value=value)

    async def heard(self, order_id: str) -> None:
        """What the drain does when Salesforce has told of a change."""
        await triggers.consider(self.portal, order_id)

    async def run_until(self, order_id: str, *states: str, runs: int = 40) -> dict[str, Any]:
        """What worker and sweep do, with the clock moved to when they would; Freebit's staff are quick."""
        for _ in range(runs):
            await run_order(self.portal, order_id)
            (row,) = await self.rows("SELECT * FROM fulfillments WHERE order_id = :id", id=order_id)
            if row["state"] in (states or REST):
                return row
            if row["state"] == "waiting_freebit":
                await self.finish_activations(order_id)
            if row["wake_at"]:
                self.move_to(row["wake_at"])
        raise AssertionError(f"still {row['state']} {row['reason_code']} {row['detail']} after {runs} runs")

    async def fulfilled(self, *skus: str, eid_ends: str = "") -> str:
        order_id = await self.approved(*skus, eid_ends=eid_ends)
        await self.heard(order_id)
        await self.run_until(order_id, "done")
        return order_id

    async def finish_placement(self) -> list[dict[str, Any]]:
        """What the job does for placements under way; answers how they stand."""
        for row in await self.rows("SELECT id, user_id FROM placements WHERE order_id IS NULL"):
            await resume(self.portal, row["id"], row["user_id"])
        return await self.rows("SELECT * FROM placements")

    async def no_dial_is_left(self) -> bool:
        """Every dial that was turned for a number of times has been met so often."""
        return not (await self.sandbox._client.get("/control/dials")).json()

    def move_to(self, moment: Any) -> None:
        """The portal lives at that moment, unless it is past."""
        clock = self.portal.clock
        clock.offset += max(moment - clock.now(), timedelta(0))

    def later(self, seconds: float) -> None:
        self.portal.clock.offset += timedelta(seconds=seconds)

    async def finish_activations(self, order_id: str) -> None:
        for item in (await self.order(order_id)).items:
            if item.eid:
                with contextlib.suppress(AssertionError):  # nothing waits for this one
                    await self.sandbox.press("freebit", "finish-activation", line=item.eid)

    async def order(self, order_id: str) -> Order:
        """As Salesforce holds it."""
        return await salesforce_orders.get_order_to_fulfill(self.portal.salesforce, order_id)

    async def journal(self, order_id: str) -> Journal:
        async with self.portal.db.begin() as tx:
            return await timeline.journal_of(tx, order_id)

    async def made(self) -> Counter[str]:
        """How often each thing was really made, in all three systems; status reports to Salesforce left out."""
        lines = await self.sandbox.ledger()
        told = {"update Order", "update OrderItem"}
        return Counter(line["effect"] for line in lines if line["effect"] not in told)

    async def told(self, order_id: str) -> tuple[str | None, str | None]:
        """Status and error code, as staff read them in Salesforce."""
        order = await self.order(order_id)
        return order.fulfillment_status, order.error_code
