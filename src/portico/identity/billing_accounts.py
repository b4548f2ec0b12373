"""The WHMCS client of a sign-up: what is sent, how it is found again, and whether its e-mail address is free there."""

from __future__ import annotations

import asyncio

from portico.creation import Creation, Recipe
from portico.customer import WhmcsUserId
from portico.errors import EmailTaken
from portico.identity.fields import Application
from portico.portal import Portal
from portico.systems.whmcs.clients import Address, NewClient, add_client, find_client_by_email, find_clients_by_marker
from portico.systems.whmcs.users import get_users

KIND = "whmcs_client"
Details = dict[str, str]
"""What AddClient sends, as the sign-up's row keeps it."""


async def refuse_taken_email(portal: Portal, email: str) -> None:
    """Raises EmailTaken where a client or a login at WHMCS has this address."""
    client, users = await asyncio.gather(find_client_by_email(portal.whmcs, email), get_users(portal.whmcs, email))
    if client or users:
        raise EmailTaken("whmcs")


def details_of(application: Application, customer_number: str) -> Details:
    return {
        "first_name": application.first_name,
        "last_name": application.last_name,
        "phone": application.phone,
        "postal_code": application.postal_code,
        "state": application.state,
        "city": application.city,
        "street": application.street,
        "street2": application.street2,
        "customer_number": customer_number,
    }


def recipe_for(portal: Portal, creation: Creation, email: str, details: Details) -> Recipe:
    """How this client is made and found. The address was free before the first attempt (refuse_taken_email)."""

    async def look_up(marker: str) -> list[str]:
        return [str(client_id) for client_id in await find_clients_by_marker(portal.whmcs, email, marker)]

    async def create(marker: str) -> str:
        # A crash inside WHMCS leaves a login without client. On a repeat it can only be our own: take it over.
        owner = await _ownerless_user(portal, email) if creation.attempt > 0 else None
        try:
            new = _new_client(portal, email, details, marker)
            return str(await add_client(portal.whmcs, new, owner_user_id=owner))
        except EmailTaken:
            ours = await look_up(marker)
            if len(ours) != 1:
                raise
            return ours[0]

    return Recipe(create, look_up)


async def _ownerless_user(portal: Portal, email: str) -> WhmcsUserId | None:
    return next((user.id for user in await get_users(portal.whmcs, email) if not user.clients), None)


def _new_client(portal: Portal, email: str, details: Details, marker: str) -> NewClient:
    address = Address(
        postal_code=details["postal_code"],
        state=details["state"],
        city=details["city"],
        street=details["street"],
        street2=details["street2"],
        country=portal.settings.whmcs.country,
    )
    return NewClient(
        first_name=details["first_name"],
        last_name=details["last_name"],
        email=email,
        phone=details["phone"],
        address=address,
        customer_number=details["customer_number"],
        marker=marker,
    )
