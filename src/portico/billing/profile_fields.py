"""What people type into their profile, made uniform; each wrong field is named."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import fields

from portico.errors import FieldFault, InputWrong
from portico.i18n import Message, _m
from portico.identity.fields import (
    PERSONAL,
    PHONE,
    PHONE_WRONG,
    POSTAL_CODE_WRONG,
    TOO_LONG,
    normal_phone,
    normal_postal_code,
    normal_words,
)
from portico.systems.whmcs.clients import Address, Client

DETAILS = ("last_name", "first_name", "company", "phone")
ADDRESS = ("postal_code", "state", "city", "street", "street2", "country")
FIELDS = (*DETAILS, *ADDRESS)
JAPAN = "JP"

COUNTRY_WRONG = _m("Enter the country as two letters, like JP.")
POSTAL_CODE_ODD = _m("Enter the postal code as on your letters.")
_MISSING: dict[str, Message] = dict(PERSONAL)
_OPTIONAL = ("company", "street2")
_NEEDED_IN_JAPAN = ("postal_code", "state")
_LONGEST = {"phone": 30, "postal_code": 20, "city": 40, "state": 80}
"""City and state: as much as an address in Salesforce holds, else an order to it could never be placed."""
_ABROAD = re.compile(r"\+[1-9][0-9]{6,14}")
_POSTAL_CODE_IN_JAPAN = re.compile(r"[0-9]{3}-[0-9]{4}")
_POSTAL_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]*")
_COUNTRY = re.compile(r"[A-Z]{2}")


def flat(client: Client) -> dict[str, str]:
    """The profile by field name, as WHMCS holds it."""
    details = {name: str(getattr(client, name)) for name in DETAILS}
    return details | {each.name: str(getattr(client.address, each.name)) for each in fields(Address)}


def uniform(typed: Mapping[str, str], country: str) -> dict[str, str]:
    """The given fields as they are to be stored; `country` is where the address is. Raises InputWrong."""
    found = {name: _uniform(name, value, country) for name, value in typed.items()}
    faults = [(name, _fault(name, value, country)) for name, value in found.items()]
    wrong = [FieldFault(f"/{name}", fault) for name, fault in faults if fault]
    if wrong:
        raise InputWrong(*wrong)
    return found


def _uniform(name: str, value: str, country: str) -> str:
    if name == "phone":
        return normal_phone(value)  # digits only, a Japanese number in its national form
    if name == "postal_code":
        return normal_postal_code(value) if country == JAPAN else _narrow(value)
    return _narrow(value).upper() if name == "country" else normal_words(value)


def _narrow(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).split())


def _fault(name: str, value: str, country: str) -> Message | None:
    if not value:
        return _missing(name, country)
    most = _LONGEST.get(name, 100)
    if len(value) > most:
        return TOO_LONG(most=most)
    if name == "phone" and not (PHONE.fullmatch(value) or _ABROAD.fullmatch(value)):
        return PHONE_WRONG
    if name == "postal_code":
        if country == JAPAN:
            return None if _POSTAL_CODE_IN_JAPAN.fullmatch(value) else POSTAL_CODE_WRONG
        return None if _POSTAL_CODE.fullmatch(value) else POSTAL_CODE_ODD
    return COUNTRY_WRONG if name == "country" and not _COUNTRY.fullmatch(value) else None


def _missing(name: str, country: str) -> Message | None:
    if name in _OPTIONAL or (name in _NEEDED_IN_JAPAN and country != JAPAN):
        return None
    return COUNTRY_WRONG if name == "country" else _MISSING[name]
