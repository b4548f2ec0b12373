"""Stored cards and bank accounts, and whether there is one to charge."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from portico.cache import cached, drop_for
from portico.customer import Customer
from portico.errors import PaymentMethodMissing, Trouble
from portico.freshness import GATEWAYS, PAYMENT_METHODS
from portico.portal import Portal
from portico.systems.whmcs import pay_methods
from portico.systems.whmcs.pay_methods import Gateway, PayMethod

__all__ = ["Gateway", "PayMethod", "came_back", "gateway_names", "gateways", "must_have_payment_method",
           "payment_methods_of", "today"]  # fmt: skip


@cached(PAYMENT_METHODS)
async def payment_methods_of(portal: Portal, customer: Customer) -> list[PayMethod]:
    return await pay_methods.get_pay_methods(portal.whmcs, customer.whmcs_client_id)


@cached(GATEWAYS)
async def gateways(portal: Portal) -> list[Gateway]:
    return await pay_methods.get_payment_methods(portal.whmcs)


async def gateway_names(portal: Portal) -> dict[str, str]:
    """System name → what customers call it. Empty while WHMCS is away: names are an extra, no page fails for them."""
    try:
        return {gateway.name: gateway.label for gateway in (await gateways(portal)).value}
    except Trouble:
        return {}


async def must_have_payment_method(portal: Portal, customer: Customer) -> list[PayMethod]:
    """Those that are good today. Raises PaymentMethodMissing. Read live: a copy never decides about an order."""
    day = today(portal)
    methods = await pay_methods.get_pay_methods(portal.whmcs, customer.whmcs_client_id)
    usable = [method for method in methods if method.is_usable(day)]
    if not usable:
        raise PaymentMethodMissing()
    return usable


async def came_back(portal: Portal, customer: Customer) -> None:
    """The customer returns from WHMCS: a card may have been added, an invoice paid; no hook tells of every change."""
    await drop_for(portal, customer, "own:sso_return")


def today(portal: Portal) -> date:
    """The provider's day."""
    return portal.clock.now().astimezone(ZoneInfo(portal.settings.portal.timezone)).date()
