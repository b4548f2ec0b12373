"""Stored cards and bank accounts of a client, and the gateways that the provider takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from portico.customer import WhmcsClientId
from portico.systems.whmcs.client import Whmcs, call
from portico.systems.whmcs.ownership import all_must_be_of
from portico.systems.whmcs.shapes import Row, as_int, as_month_end, as_raw, as_text, as_word, rows

PayMethodKind = Literal["card", "bank", "other"]

_KINDS: dict[str, PayMethodKind] = {
    "creditcard": "card",
    "remotecreditcard": "card",
    "bankaccount": "bank",
    "remotebankaccount": "bank",
}


@dataclass(frozen=True, slots=True)
class PayMethod:
    """Which one WHMCS will charge is not told by its API."""

    id: int
    kind: PayMethodKind
    label: str
    """The customer's own description, or the bank's name; may be empty."""
    last_four: str
    brand: str
    expires: date | None
    """The last day on which it is good."""
    gateway: str = ""

    def is_usable(self, today: date) -> bool:
        return self.expires is None or today <= self.expires


@dataclass(frozen=True, slots=True)
class Gateway:
    name: str
    """The system name, as orders and invoices carry it."""
    label: str


async def get_pay_methods(whmcs: Whmcs, client_id: WhmcsClientId) -> list[PayMethod]:
    """Empty when there is none. Tokens of the gateways are dropped here."""
    answer = await call(whmcs, "GetPayMethods", {"clientid": client_id}, repeatable=True)
    # The rows name no owner; the answer says for whom it is.
    all_must_be_of([answer], client_id, "clientid", "pay methods")
    return [_pay_method(row) for row in rows(answer, "paymethods", "paymethod")]


def has_usable(methods: Iterable[PayMethod], today: date) -> bool:
    return any(method.is_usable(today) for method in methods)


async def get_payment_methods(whmcs: Whmcs) -> list[Gateway]:
    """The active gateways, the same for every client."""
    answer = await call(whmcs, "GetPaymentMethods", {}, repeatable=True)
    found = rows(answer, "paymentmethods", "paymentmethod")
    return [Gateway(as_raw(row, "module"), as_text(row, "displayname")) for row in found]


def _pay_method(row: Row) -> PayMethod:
    return PayMethod(
        id=as_int(row, "id"),
        kind=_KINDS.get(as_word(row, "type"), "other"),
        label=as_text(row, "description") or as_text(row, "bank_name"),
        last_four=as_raw(row, "card_last_four"),
        brand=as_text(row, "card_type"),
        expires=as_month_end(row, "expiry_date"),
        gateway=as_raw(row, "gateway_name"),
    )
