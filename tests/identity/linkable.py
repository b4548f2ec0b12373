"""The customers of WHMCS who are not here yet, and how they come in."""

from __future__ import annotations

from typing import Any

from portico.customer import WhmcsClientId, WhmcsUserId
from portico.portal import Portal
from portico.systems.whmcs.clients import Address, ClientChange, NewClient, add_client, update_client
from portico_sandbox.world_newcomers import OTHERS, WHMCS_USERS
from portico_sandbox.world_types import Person

MISAKI, NOAH, TAKUMI, AOI, CHLOE, SOTA = WHMCS_USERS[:6]
RIN, _, _, SOFIA = OTHERS[:4]
PASSWORD = "correct horse battery"
LINK = "/api/v1/auth/link"
SIGN_IN = "/api/v1/auth/sign-in"
TRACES = """
    SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM mappings) + (SELECT count(*) FROM links)
        + (SELECT count(*) FROM password_links) + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM mails) AS n
"""


def login(person: Person = MISAKI, **other: Any) -> dict[str, Any]:
    """A body of `POST /api/v1/auth/link`."""
    return {"email": person.email, "password": person.password, **other}


async def number_at_whmcs(portal: Portal, person: Person, number: str) -> None:
    """What staff there can type into the custom field of a client."""
    client_id = WhmcsClientId(person.whmcs_client_id or 0)
    fields = {portal.settings.whmcs.field_customer_number: number}
    await update_client(portal.whmcs, client_id, ClientChange(), custom_fields=fields)


async def another_client(portal: Portal, person: Person, number: str) -> WhmcsClientId:
    """A second billing account of the same login."""
    new = NewClient(
        first_name="Second",
        last_name="Account",
        email=f"second.{person.email}",
        phone="0900000000",
        address=Address("100-0001", "Tokyo", "Chiyoda-ku", "1-1"),
        customer_number=number,
        marker=f"test-{number}",
    )
    return await add_client(portal.whmcs, new, owner_user_id=WhmcsUserId(person.whmcs_user_id or 0))
