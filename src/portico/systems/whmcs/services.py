"""Services of a client: what the portal calls subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from portico.customer import WhmcsClientId
from portico.errors import NotFound, SystemSurprised
from portico.money import Money
from portico.settings import WhmcsSettings
from portico.systems.whmcs.client import Whmcs, call, call_for_all
from portico.systems.whmcs.ownership import all_must_be_of
from portico.systems.whmcs.php_form import FormValue
from portico.systems.whmcs.php_serialize import serialized_map
from portico.systems.whmcs.shapes import (
    Row,
    as_date,
    as_id,
    as_int,
    as_money,
    as_money_or_zero,
    as_raw,
    as_text,
    as_word,
    rows,
)

ServiceStatus = Literal[
    "pending", "active", "suspended", "terminated", "cancelled", "fraud", "completed", "other"
]  # fmt: skip
BillingCycle = Literal[
    "monthly", "quarterly", "semiannually", "annually", "biennially", "triennially", "one_time", "free", "other"
]  # fmt: skip

STATUS_WORDS: dict[ServiceStatus, str] = {
    "pending": "Pending",
    "active": "Active",
    "suspended": "Suspended",
    "terminated": "Terminated",
    "cancelled": "Cancelled",
    "fraud": "Fraud",
    "completed": "Completed",
}
_STATUSES: dict[str, ServiceStatus] = {word.lower(): status for status, word in STATUS_WORDS.items()}

CYCLE_WORDS: dict[BillingCycle, str] = {
    "monthly": "monthly",
    "quarterly": "quarterly",
    "semiannually": "semiannually",
    "annually": "annually",
    "biennially": "biennially",
    "triennially": "triennially",
    "one_time": "onetime",
    "free": "free",
}
"""As requests want them. Answers have labels (`Semi-Annually`, `Free Account`): see read_cycle."""
_CYCLES: dict[str, BillingCycle] = {word: cycle for cycle, word in CYCLE_WORDS.items()} | {"freeaccount": "free"}


@dataclass(frozen=True, slots=True)
class Service:
    id: int
    order_id: int | None
    product_id: int
    name: str
    group: str
    status: ServiceStatus
    billing_cycle: BillingCycle
    recurring: Money
    """A billing cycle's price, net."""
    first_payment: Money
    next_due: date | None
    """None for one-time and free services."""
    registered: date | None
    domain: str
    """A free label; for lines we keep the phone number there."""
    order_item: str
    """The Salesforce order item that it was made for: the marker of AddOrder."""
    line_number: str
    eid: str
    iccid: str
    gateway: str = ""
    suspension_reason: str = ""
    custom_fields: dict[int, str] = field(default_factory=dict)
    """Field id → value. To change one, send the whole map: what becomes of ids left out is not documented."""
    custom_fields_by_name: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cancellation:
    service_id: int
    at_once: bool
    """Else at the end of the billing period."""


async def get_clients_products(whmcs: Whmcs, client_id: WhmcsClientId) -> list[Service]:
    """All services of a client, of any status, newest first."""
    found = await _rows_of(whmcs, client_id, {})
    return sorted((_service(whmcs, row) for row in found), key=lambda service: service.id, reverse=True)


async def get_client_product(whmcs: Whmcs, client_id: WhmcsClientId, service_id: int) -> Service:
    """Raises NotFound: unknown, or somebody else's."""
    found = await _rows_of(whmcs, client_id, {"serviceid": service_id})
    for row in found:
        if as_int(row, "id") == service_id:
            return _service(whmcs, row)
    raise NotFound("service")


async def update_client_product(
    whmcs: Whmcs,
    service_id: int,
    *,
    status: ServiceStatus | None = None,
    domain: str | None = None,
    custom_fields: Mapping[int, str] | None = None,
) -> None:
    """Writes what is given, leaves the rest; runs no module, bills nothing, may be sent twice.

    Whose service it is must be known before: WHMCS doesn't check. `custom_fields` is the whole map (see
    Service.custom_fields). Raises SystemRefused `service_not_found`.
    """
    params: dict[str, FormValue] = {
        "serviceid": service_id,
        "status": STATUS_WORDS[status] if status else None,
        "domain": domain,
        "customfields": serialized_map(custom_fields) if custom_fields is not None else None,
    }
    answer = await call(whmcs, "UpdateClientProduct", params, repeatable=True)
    if as_id(answer, "serviceid") != service_id:
        raise SystemSurprised("whmcs", "UpdateClientProduct answered for another service")


async def add_cancel_request(whmcs: Whmcs, service_id: int, *, at_once: bool, reason: str = "") -> None:
    """Files a cancellation; WHMCS carries it out at the end of the billing period, or soon when `at_once`.

    Raises SystemRefused `cancellation_exists` where one is filed already, `service_not_found`. There is no way back.
    """
    params: dict[str, FormValue] = {
        "serviceid": service_id,
        "type": "Immediate" if at_once else "End of Billing Period",
        "reason": reason,
    }
    await call(whmcs, "AddCancelRequest", params, repeatable=False)


async def get_cancelled_packages(whmcs: Whmcs) -> list[Cancellation]:
    """Every cancellation ever filed, of all clients, carried out or not: the action has no filter.

    The caller looks up services that are known to be the customer's. Raises SystemSurprised past 3,000 of them.
    """
    found = await call_for_all(whmcs, "GetCancelledPackages", {}, "packages", "package")
    return [Cancellation(as_int(row, "relid"), as_word(row, "type") == "immediate") for row in found]


def with_line(
    whmcs: Whmcs, service: Service, *, line_number: str = "", eid: str = "", iccid: str = ""
) -> dict[int, str]:
    """The service's whole map of custom fields with these details in it, for update_client_product."""
    details = line_fields(whmcs.settings, service.product_id, line_number=line_number, eid=eid, iccid=iccid)
    return {**service.custom_fields, **details}


def line_fields(
    settings: WhmcsSettings, product_id: int, *, line_number: str = "", eid: str = "", iccid: str = ""
) -> dict[int, str]:
    """Field id → value for what is given and has a field on this product."""
    wanted = ((settings.field_line_number, line_number), (settings.field_eid, eid), (settings.field_iccid, iccid))
    found = ((product_field(field_ids, product_id), value) for field_ids, value in wanted if value)
    return {field_id: value for field_id, value in found if field_id is not None}


def product_field(field_ids: Mapping[str, int], product_id: int) -> int | None:
    """The id of a custom field on a product: products have fields of their own, `*` stands for all others."""
    return field_ids.get(str(product_id), field_ids.get("*"))


def read_cycle(row: Row, key: str) -> BillingCycle:
    return _CYCLES.get(as_word(row, key), "other")


def read_status(row: Row, key: str) -> ServiceStatus:
    return _STATUSES.get(as_word(row, key), "other")


async def _rows_of(whmcs: Whmcs, client_id: WhmcsClientId, params: Mapping[str, FormValue]) -> list[Row]:
    # Always with the client: so a foreign service gives an empty list already over there.
    query = {"clientid": client_id, **params}
    found = await call_for_all(whmcs, "GetClientsProducts", query, "products", "product")
    all_must_be_of(found, client_id, "clientid", "services")
    return found


def _service(whmcs: Whmcs, row: Row) -> Service:
    product_id, currency, settings = as_int(row, "pid"), whmcs.settings.currency, whmcs.settings
    fields = rows(row, "customfields", "customfield")
    by_id = {as_int(each, "id"): as_text(each, "value") for each in fields if as_id(each, "id")}

    def value_of(field_ids: Mapping[str, int]) -> str:
        field_id = product_field(field_ids, product_id)
        return by_id.get(field_id, "") if field_id is not None else ""

    return Service(
        id=as_int(row, "id"),
        order_id=as_id(row, "orderid"),
        product_id=product_id,
        name=as_text(row, "name"),
        group=as_text(row, "groupname"),
        status=read_status(row, "status"),
        billing_cycle=read_cycle(row, "billingcycle"),
        recurring=as_money(row, "recurringamount", currency),
        first_payment=as_money_or_zero(row, "firstpaymentamount", currency),
        next_due=as_date(row, "nextduedate"),
        registered=as_date(row, "regdate"),
        domain=as_text(row, "domain"),
        order_item=value_of(settings.field_order_item),
        line_number=value_of(settings.field_line_number),
        eid=value_of(settings.field_eid),
        iccid=value_of(settings.field_iccid),
        gateway=as_raw(row, "paymentmethod"),
        suspension_reason=as_text(row, "suspensionreason"),
        custom_fields=by_id,
        custom_fields_by_name={as_text(each, "name"): as_text(each, "value") for each in fields},
    )
