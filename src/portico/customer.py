"""Who a customer is in each system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
WhmcsClientId = NewType("WhmcsClientId", int)
"""A billing account at WHMCS. Not a WHMCS user (login): those are other numbers that look the same."""
WhmcsUserId = NewType("WhmcsUserId", int)
SfAccountId = NewType("SfAccountId", str)
"""18 characters."""


@dataclass(frozen=True, slots=True)
class Customer:
    """The mapping of one customer; every domain function takes it, and every copy is scoped by it."""

    user_id: UserId
    whmcs_client_id: WhmcsClientId
    sf_account_id: SfAccountId
