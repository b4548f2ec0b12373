"""What a question is about: an invoice, service, order or earlier case of the customer's own, or an error page."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from portico.billing.invoices import invoice_for
from portico.customer import Customer
from portico.errors import NotFound
from portico.i18n import Message, _m
from portico.orders.orders import order_for
from portico.portal import Portal
from portico.subscriptions.services import service_for
from portico.support.cases import case_for

INVOICE = _m("Invoice %(number)s")
SERVICE = _m("Service %(number)s")
ORDER = _m("Order %(number)s")
CASE = _m("Case %(number)s")
ERROR = _m("Error number %(number)s")
REQUEST_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class About:
    """A thing that was found to be the customer's own, in words and with its page (empty where it has none)."""

    kind: str
    id: str
    words: Message
    address: str


async def about_for(portal: Portal, customer: Customer, kind: str, thing_id: str) -> About:
    """Raises NotFound: no such kind or thing, or somebody else's; Trouble where it can't be looked at."""
    find = KINDS.get(kind)
    if find is None:
        raise NotFound("nothing that a case can be about")
    return await find(portal, customer, thing_id)


async def _invoice(portal: Portal, customer: Customer, thing_id: str) -> About:
    invoice = (await invoice_for(portal, customer, _whole(thing_id))).value
    return About("invoice", str(invoice.id), INVOICE(number=invoice.number), f"/billing/invoices/{invoice.id}")


async def _service(portal: Portal, customer: Customer, thing_id: str) -> About:
    service = (await service_for(portal, customer, _whole(thing_id))).value
    number = " ".join(part for part in (str(service.id), service.name, service.line_number or "") if part)
    return About("service", str(service.id), SERVICE(number=number), f"/services/{service.id}")


async def _order(portal: Portal, customer: Customer, thing_id: str) -> About:
    order = (await order_for(portal, customer, thing_id)).value
    return About("order", order.id, ORDER(number=order.number), f"/orders/{order.id}")


async def _case(portal: Portal, customer: Customer, thing_id: str) -> About:
    case = (await case_for(portal, customer, thing_id)).case
    return About("case", case.id, CASE(number=case.number), f"/support/{case.id}")


async def _error(portal: Portal, customer: Customer, thing_id: str) -> About:
    """The number that an error page shows; with it staff find the lines in our log."""
    if not REQUEST_ID.fullmatch(thing_id):
        raise NotFound("malformed id")
    return About("error", thing_id, ERROR(number=thing_id), "")


def _whole(thing_id: str) -> int:
    if not (thing_id.isascii() and thing_id.isdigit() and len(thing_id) < 16):
        raise NotFound("malformed id")
    return int(thing_id)


KINDS: Mapping[str, Callable[[Portal, Customer, str], Awaitable[About]]] = {
    "invoice": _invoice,
    "service": _service,
    "order": _order,
    "case": _case,
    "error": _error,
}
