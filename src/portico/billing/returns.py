"""Coming back from WHMCS: what was true when the customer left is compared with a live read, and said in a sentence."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from decimal import Decimal

import msgspec
import structlog

from portico.billing.hand_offs import HandOff
from portico.billing.invoices import Invoice, invoice_for
from portico.billing.payment_methods import came_back, payment_methods_of
from portico.customer import Customer
from portico.errors import NotFound, Trouble
from portico.i18n import Message, _m
from portico.portal import Portal

log = structlog.get_logger()

PAID = _m("Invoice %(number)s is paid. Thank you!")
PARTLY_PAID = _m("Your payment for invoice %(number)s has arrived; %(left)s is still to pay.")
ON_ITS_WAY = _m("Your payment for invoice %(number)s is on its way.")
CARD_ADDED = _m("A card was added.")
CARD_REMOVED = _m("A card was removed.")
NOTHING_YET = _m("Nothing has changed yet. If you have just paid, it can take a moment until it shows here.")
NO_NEW_CARD = _m("Nothing has changed yet: your cards are the same as before.")
WELCOME_BACK = _m("Welcome back. What you changed at our billing site shows here now.")
_GOOD = {sentence.text for sentence in (PAID, PARTLY_PAID, CARD_ADDED, CARD_REMOVED)}

_MOST_METHODS = 30


class Left(msgspec.Struct, frozen=True, array_like=True):
    """What was true when somebody left for WHMCS. Travels in a cookie: no secret, and believed by nobody else."""

    user_id: str
    back: str
    """The page that they came from."""
    invoice_id: int = 0
    status: str = ""
    balance: Decimal = Decimal(0)
    methods: list[int] | None = None
    """Ids of the cards."""

    def __post_init__(self) -> None:
        if not self.balance.is_finite():
            raise ValueError("no amount")


def left_by(customer: Customer, link: HandOff, back: str) -> Left:
    invoice, methods = link.invoice, link.methods
    return Left(
        str(customer.user_id),
        back,
        invoice.id if invoice else 0,
        invoice.status if invoice else "",
        invoice.balance.amount if invoice else Decimal(0),
        [method.id for method in methods] if methods is not None and len(methods) <= _MOST_METHODS else None,
    )


def packed(left: Left) -> str:
    return urlsafe_b64encode(msgspec.json.encode(left)).decode().rstrip("=")


def unpacked(cookie: str) -> Left | None:
    try:
        return msgspec.json.decode(urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)), type=Left)
    except (ValueError, msgspec.MsgspecError):
        return None


async def what_changed(portal: Portal, customer: Customer, left: Left | None) -> Message:
    """Drops what WHMCS may have changed, reads anew and says what is different. Raises nothing for a system away."""
    await came_back(portal, customer)
    if left is None or left.user_id != str(customer.user_id):
        return WELCOME_BACK
    try:
        if left.invoice_id:
            return _of_invoice((await invoice_for(portal, customer, left.invoice_id)).value, left)
        if left.methods is not None:
            return _of_methods([method.id for method in (await payment_methods_of(portal, customer)).value], left)
    except (Trouble, NotFound) as error:
        log.warning("billing.return.unread", code=error.code)
    return WELCOME_BACK


def is_good(sentence: Message) -> bool:
    """Whether it tells of something done."""
    return sentence.text in _GOOD


def _of_invoice(invoice: Invoice, left: Left) -> Message:
    if invoice.status == left.status and invoice.balance.amount == left.balance:
        return ON_ITS_WAY(number=invoice.number) if invoice.status == "payment_pending" else NOTHING_YET
    if invoice.status == "paid":
        return PAID(number=invoice.number)
    if invoice.status == "payment_pending":
        return ON_ITS_WAY(number=invoice.number)
    if invoice.balance.amount < left.balance:
        return PARTLY_PAID(number=invoice.number, left=invoice.balance)
    return WELCOME_BACK


def _of_methods(now: list[int], left: Left) -> Message:
    before = set(left.methods or ())
    if set(now) - before:
        return CARD_ADDED
    return CARD_REMOVED if before - set(now) else NO_NEW_CARD
