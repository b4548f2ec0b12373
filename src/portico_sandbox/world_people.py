"""Everybody in the world."""

from __future__ import annotations

from portico_sandbox.world_customers import READY
from portico_sandbox.world_newcomers import FREE, OTHERS, WHMCS_USERS

PEOPLE = READY + FREE + WHMCS_USERS + OTHERS
