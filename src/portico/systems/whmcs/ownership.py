"""Whose a row is. WHMCS never checks: our credential is an administrator's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from portico.customer import WhmcsClientId
from portico.errors import NotFound, SystemSurprised
from portico.systems.whmcs.shapes import as_id

log = structlog.get_logger()


def is_of(row: Mapping[str, Any], client_id: WhmcsClientId, owner_key: str) -> bool:
    """A row without an owner is nobody's."""
    return as_id(row, owner_key) == client_id


def must_be_of(row: Mapping[str, Any], client_id: WhmcsClientId, owner_key: str, what: str) -> None:
    """Raises NotFound for somebody else's thing, exactly as for one that does not exist."""
    if not is_of(row, client_id, owner_key):
        log.warning("whmcs.owner.foreign", what=what, whmcs_client_id=client_id)
        raise NotFound(what)


def all_must_be_of(rows: Iterable[Mapping[str, Any]], client_id: WhmcsClientId, owner_key: str, what: str) -> None:
    """For lists that were asked for by owner: one foreign row and nothing of the answer can be trusted."""
    if not all(is_of(row, client_id, owner_key) for row in rows):
        log.error("whmcs.owner.foreign", what=what, whmcs_client_id=client_id)
        raise SystemSurprised("whmcs", f"{what}: a row of somebody else")
