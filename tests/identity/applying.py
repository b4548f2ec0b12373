"""What a person types at sign-up, by default everything right."""

from __future__ import annotations

from typing import Any

from portico_sandbox.world_newcomers import FREE, OTHERS
from portico_sandbox.world_types import Person

HINA, EMMA = FREE[:2]
RIN, MATEO, YUMA = OTHERS[:3]
PASSWORD = "correct horse battery"


def api_body(person: Person = HINA, **other: Any) -> dict[str, Any]:
    """A whole body of `POST /api/v1/auth/sign-up`; a field given as None is left out."""
    address = {
        "postal_code": person.address.postal_code,
        "state": person.address.state,
        "city": person.address.city,
        "street": person.address.street,
    }
    body: dict[str, Any] = {
        "email": person.email,
        "password": PASSWORD,
        "customer_number": person.customer_number,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "phone": person.phone,
        "address": address,
        **other,
    }
    return {name: value for name, value in body.items() if value is not None}


def form_fields(person: Person = HINA, **other: str) -> dict[str, str]:
    """The same for the page's form."""
    body = api_body(person)
    address = {f"address.{name}": value for name, value in body.pop("address").items()}
    return {**body, **address, **other}
