"""Logins of WHMCS: whether a password there is right, and which billing accounts its user owns."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr

from portico.errors import BillingAccountMissing, SecondFactorElsewhere, SignInWrong, SystemSurprised
from portico.i18n import _m
from portico.identity import throttle
from portico.identity.visitors import Visitor
from portico.portal import Portal
from portico.systems.whmcs.clients import Client, get_clients_details
from portico.systems.whmcs.users import Login, User, get_users, validate_login

LINK_WRONG = _m("This is not the e-mail address and password of a billing account. Check both and try again.")


async def owned_clients(portal: Portal, email: str, password: SecretStr, visitor: Visitor) -> list[Client]:
    """The billing accounts whose owner has just proved to be at the door; `email` as fields.normal_email makes it.

    Raises TooManyTries, SignInWrong, SecondFactorElsewhere, BillingAccountMissing, Trouble.
    """
    await _count(portal, email, visitor)
    login = await _proved(portal, email, password)
    if login.needs_second_factor:
        raise SecondFactorElsewhere()
    user = await _user_of(portal, email, login)
    owned = [each.client_id for each in user.clients if each.is_owner]
    clients = await asyncio.gather(*(get_clients_details(portal.whmcs, client_id) for client_id in owned))
    confirmed = [client for client in clients if client.owner_user_id in (None, user.id)]
    if not confirmed:
        raise BillingAccountMissing()
    return confirmed


async def _count(portal: Portal, email: str, visitor: Visitor) -> None:
    """Before WHMCS counts: its lock-out would hit our address, and with it everybody."""
    tries = throttle.link_tries(portal.settings.identity, email, visitor.source)
    async with portal.db.begin() as tx:
        refusal = await throttle.count_before(tx, portal.clock.now(), tries)
    if refusal:
        raise refusal


async def _proved(portal: Portal, email: str, password: SecretStr) -> Login:
    began = _time()
    try:
        return await validate_login(portal.whmcs, email, password.get_secret_value())
    except SignInWrong as wrong:
        await _even_out(began, portal.settings.identity.link_wrong_seconds)
        wrong.for_customer = LINK_WRONG
        raise


async def _even_out(began: float, step: float) -> None:
    """Waits until a multiple of `step` has passed: WHMCS may take longer for an address that it knows."""
    if step > 0:
        await asyncio.sleep(step - (_time() - began) % step)


async def _user_of(portal: Portal, email: str, login: Login) -> User:
    for user in await get_users(portal.whmcs, email):
        if user.id == login.user_id:
            return user
    raise SystemSurprised("whmcs", "GetUsers does not know who has just signed in")


def _time() -> float:
    return asyncio.get_running_loop().time()
