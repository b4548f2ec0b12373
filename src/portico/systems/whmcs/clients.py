"""Clients: billing accounts with their names, addresses and custom fields. A login there is a user: see users.py."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, cast

from portico.customer import WhmcsClientId, WhmcsUserId
from portico.errors import SystemRefused, SystemSurprised
from portico.money import Money
from portico.systems.whmcs.client import Whmcs, call
from portico.systems.whmcs.php_form import FormValue
from portico.systems.whmcs.php_serialize import serialized_map
from portico.systems.whmcs.shapes import (
    Row,
    as_bool,
    as_id,
    as_int,
    as_money_or_zero,
    as_raw,
    as_text,
    as_word,
    record,
    rows,
)
from portico.systems.whmcs.users import get_users

ClientStatus = Literal["active", "inactive", "closed", "other"]


@dataclass(frozen=True, slots=True)
class Address:
    postal_code: str
    state: str
    """In Japan the prefecture."""
    city: str
    street: str
    street2: str = ""
    country: str = "JP"


@dataclass(frozen=True, slots=True)
class NewClient:
    first_name: str
    last_name: str
    email: str
    phone: str
    address: Address
    customer_number: str
    marker: str
    """Ours, unique per creation: by it the client is found again when the outcome was lost."""
    company: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    id: WhmcsClientId
    owner_user_id: WhmcsUserId | None
    """The login that owns it."""
    status: ClientStatus
    first_name: str
    last_name: str
    company: str
    email: str
    phone: str
    address: Address
    language: str
    currency: str
    credit: Money
    """Paid in advance, taken off the next invoices."""
    customer_number: str
    marker: str
    sso_allowed: bool
    default_gateway: str = ""
    owner_email: str = ""
    """Of the login that owns it: not always the client's own."""
    custom_fields: dict[int, str] = field(default_factory=dict)
    """Field id → value. To change one, send the whole map: what becomes of ids left out is not documented."""


@dataclass(frozen=True, slots=True)
class ClientChange:
    """What is to be changed: None stays as it is, an empty text clears."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    email: str | None = None
    """The client's own. The login's is the user's: update_user."""
    phone: str | None = None
    postal_code: str | None = None
    state: str | None = None
    city: str | None = None
    street: str | None = None
    street2: str | None = None
    country: str | None = None


async def add_client(whmcs: Whmcs, new: NewClient, *, owner_user_id: WhmcsUserId | None = None) -> WhmcsClientId:
    """Creates a client with its login. Never call it twice without looking for the marker in between.

    `owner_user_id`: an existing user that has no client (what a crash inside WHMCS leaves behind, see get_users).
    Raises EmailTaken; SystemRefused `client_input_wrong`, `client_field_required`.
    """
    fields = {whmcs.settings.field_customer_number: new.customer_number, whmcs.settings.field_portal_marker: new.marker}
    params: dict[str, FormValue] = {
        **_profile(_as_change(new)),
        "language": whmcs.settings.language,
        "customfields": serialized_map(fields),
        "noemail": True,
        "owner_user_id": owner_user_id,
        # Customers enter WHMCS by single sign-on only: a password that nobody ever knows.
        "password2": None if owner_user_id else f"Aa1-{secrets.token_urlsafe(32)}",
    }
    answer = await call(whmcs, "AddClient", params, repeatable=False)
    return WhmcsClientId(as_int(answer, "clientid"))


async def find_clients_by_marker(whmcs: Whmcs, email: str, marker: str) -> list[WhmcsClientId]:
    """Clients that our AddClient with this marker made: looked for by the client's e-mail and by the user's."""
    by_email = await find_client_by_email(whmcs, email)
    found = {by_email.id: by_email} if by_email else {}
    for user in await get_users(whmcs, email):
        for client_id in (owned.client_id for owned in user.clients):
            if client_id not in found:
                found[client_id] = await get_clients_details(whmcs, client_id)
    return [client.id for client in found.values() if client.marker == marker]


async def find_client_by_email(whmcs: Whmcs, email: str) -> Client | None:
    """The client whose own e-mail is exactly this. A user without client is not found here: see get_users."""
    try:
        client = await _get_details(whmcs, {"email": email})
    except SystemRefused as refused:
        if refused.vendor_code == "client_not_found":
            return None
        raise
    return client if client.email.lower() == email.lower() else None


async def get_clients_details(whmcs: Whmcs, client_id: WhmcsClientId) -> Client:
    """Profile, status and custom fields; closed clients still resolve. Raises SystemRefused `client_not_found`."""
    client = await _get_details(whmcs, {"clientid": client_id})
    if client.id != client_id:
        raise SystemSurprised("whmcs", "GetClientsDetails answered with another client")
    return client


async def update_client(
    whmcs: Whmcs, client_id: WhmcsClientId, change: ClientChange, *, custom_fields: Mapping[int, str] | None = None
) -> None:
    """Changes what is given, leaves the rest; may be sent twice.

    `custom_fields` is the whole map. Raises EmailTaken; SystemRefused `client_not_found`, and `client_input_wrong`
    with the field in `facts` where WHMCS names it.
    """
    params: dict[str, FormValue] = {
        "clientid": client_id,
        **_profile(change),
        "customfields": serialized_map(custom_fields) if custom_fields is not None else None,
    }
    answer = await call(whmcs, "UpdateClient", params, repeatable=True)
    if as_id(answer, "clientid") != client_id:
        raise SystemSurprised("whmcs", "UpdateClient answered for another client")


async def _get_details(whmcs: Whmcs, params: Mapping[str, FormValue]) -> Client:
    answer = await call(whmcs, "GetClientsDetails", params, repeatable=True)
    # Old versions give the fields at the top level only; where `client` is there, the copies are deprecated.
    return _client(whmcs, record(answer, "client") or answer)


_ON_THE_WIRE = {
    "first_name": "firstname",
    "last_name": "lastname",
    "company": "companyname",
    "email": "email",
    "phone": "phonenumber",
    "postal_code": "postcode",
    "state": "state",
    "city": "city",
    "street": "address1",
    "street2": "address2",
    "country": "country",
}


def _profile(change: ClientChange) -> dict[str, FormValue]:
    """The profile fields on the wire; None is left out there, an empty text clears."""
    return {_ON_THE_WIRE[each.name]: getattr(change, each.name) for each in fields(change)}


def _as_change(new: NewClient) -> ClientChange:
    address = {each.name: getattr(new.address, each.name) for each in fields(new.address)}
    return ClientChange(new.first_name, new.last_name, new.company, new.email, new.phone, **address)


def _client(whmcs: Whmcs, row: Row) -> Client:
    client_id = as_id(row, "client_id", "id", "userid")
    if client_id is None:
        raise SystemSurprised("whmcs", "GetClientsDetails: no client id")
    owner = as_id(row, "owner_user_id")
    currency = as_raw(row, "currency_code") or whmcs.settings.currency
    custom_fields = {as_int(each, "id"): as_text(each, "value") for each in rows(row, "customfields", "customfield")}
    status = as_word(row, "status")
    return Client(
        id=WhmcsClientId(client_id),
        owner_user_id=WhmcsUserId(owner) if owner else None,
        status=cast(ClientStatus, status if status in ("active", "inactive", "closed") else "other"),
        first_name=as_text(row, "firstname"),
        last_name=as_text(row, "lastname"),
        company=as_text(row, "companyname"),
        email=as_raw(row, "email"),
        phone=as_text(row, "phonenumber"),
        address=_address(row),
        language=as_raw(row, "language"),
        currency=currency,
        credit=as_money_or_zero(row, "credit", currency),
        customer_number=custom_fields.get(whmcs.settings.field_customer_number, ""),
        marker=custom_fields.get(whmcs.settings.field_portal_marker, ""),
        sso_allowed=as_bool(row, "allowSingleSignOn") if "allowSingleSignOn" in row else True,
        default_gateway=as_raw(row, "defaultgateway"),
        owner_email=_owner_email(row, owner),
        custom_fields=custom_fields,
    )


def _address(row: Row) -> Address:
    return Address(
        postal_code=as_text(row, "postcode"),
        state=as_text(row, "state") or as_text(row, "fullstate"),
        city=as_text(row, "city"),
        street=as_text(row, "address1"),
        street2=as_text(row, "address2"),
        country=as_raw(row, "country") or as_raw(row, "countrycode"),
    )


def _owner_email(row: Row, owner: int | None) -> str:
    logins = rows(record(row, "users"), "user", "user")
    return next((as_raw(login, "email") for login in logins if owner and as_id(login, "id") == owner), "")
