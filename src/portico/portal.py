"""What every domain function takes as its first argument."""

from __future__ import annotations

from dataclasses import dataclass

from portico.cache import Cache
from portico.clock import Clock
from portico.db import Database
from portico.mail import Mail
from portico.settings import Settings
from portico.systems.freebit.client import Freebit
from portico.systems.salesforce.client import Salesforce
from portico.systems.whmcs.client import Whmcs


@dataclass(frozen=True)
class Portal:
    settings: Settings
    db: Database
    cache: Cache
    whmcs: Whmcs
    salesforce: Salesforce
    freebit: Freebit
    mail: Mail
    clock: Clock
