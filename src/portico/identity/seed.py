"""The demo's people: portal users, mappings and staff out of the sandbox's world.json. Twice does no harm."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import text

from portico.customer import Customer, SfAccountId, UserId, WhmcsClientId
from portico.identity.mapping import add_mapping, customer_of
from portico.identity.passwords import hashed
from portico.portal import Portal

KNOWN = text("SELECT id FROM users WHERE lower(email) = lower(:email)")
ADD = text("""
    INSERT INTO users (id, email, display_name, password_hash, role, language, created_at)
    VALUES (:id, :email, :name, :password_hash, :role, 'en', :now) ON CONFLICT DO NOTHING
""")


async def seed_people(portal: Portal, world: dict[str, Any]) -> None:
    """Creates the users of `customers.ready` with their mappings, and `staff`; leaves who is there already."""
    for customer in world["customers"]["ready"]:
        await _add(portal, customer, "customer")
    for member in world["staff"]:
        await _add(portal, member, "staff")


async def _add(portal: Portal, person: dict[str, Any], role: str) -> None:
    async with portal.db.begin() as tx:
        if (await tx.execute(KNOWN, {"email": person["email"]})).first():
            return
    password_hash = await hashed(person["password"])
    now, user_id = portal.clock.now(), uuid5(NAMESPACE_URL, f"mailto:{person['email'].lower()}")
    user = {
        "id": user_id,
        "email": person["email"],
        "name": person.get("name") or _name_in(person["email"]),
        "password_hash": password_hash,
        "role": role,
        "now": now,
    }
    async with portal.db.begin() as tx:
        await tx.execute(ADD, user)
        if role == "customer" and await customer_of(tx, user_id) is None:
            await add_mapping(tx, now, _customer(user_id, person))


def _customer(user_id: UUID, person: dict[str, Any]) -> Customer:
    client_id = WhmcsClientId(int(person["whmcs_client_id"]))
    return Customer(UserId(user_id), client_id, SfAccountId(person["sf_account_id"]))


def _name_in(email: str) -> str:
    """`hina.sato@…` → `Hina Sato`."""
    return email.partition("@")[0].replace(".", " ").replace("_", " ").title()
