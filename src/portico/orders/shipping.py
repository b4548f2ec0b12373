"""An address that an order is to go to, other than the profile's."""

from __future__ import annotations

from collections.abc import Mapping

from portico.billing.profile_fields import uniform
from portico.errors import FieldFault, InputWrong
from portico.orders.checkout import ShippingAddress


def checked_address(given: Mapping[str, str]) -> ShippingAddress:
    """Uniform, and such that Salesforce takes it. Raises InputWrong with pointers below `/address`."""
    try:
        return ShippingAddress(**uniform(given, given["country"].strip().upper()))
    except InputWrong as wrong:
        raise InputWrong(*(FieldFault(f"/address{one.pointer}", one.message) for one in wrong.faults)) from None
