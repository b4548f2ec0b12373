"""Fills the empty store with the lines that customers of the world already have."""

from __future__ import annotations

from datetime import timedelta

from portico_sandbox.freebit.lines import LINES
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.world_types import Service


def seed(sandbox: Sandbox) -> None:
    services = [s for person in sandbox.world.people for s in person.services if s.line_number]
    with sandbox.store.begin() as tx:
        for service in services:
            tx.put(LINES, service.line_number, _line(sandbox, service))


def _line(sandbox: Sandbox, service: Service) -> Row:
    opened = sandbox.clock.now() - timedelta(days=service.registered_days_ago)
    return {
        "account": service.line_number,
        "master": sandbox.settings.freebit_master_account,
        "plan_code": sandbox.world.product_by_sku[service.sku].freebit_plan_code,
        "contract_line": "5G",
        "opened_on": opened.date().isoformat(),
        "cancelled_at": None,
        "usage_kb": [service.id % 97 * 1000, 204_800, 51_200, 0, 512_000],
        "eid": service.eid,
        "iccid": service.iccid,
        "imsi": f"44010{service.id:010d}",
        "matching_id": f"PTC-W{service.id}",
        "accepted_at": opened.isoformat(),
        "settles_at": opened.isoformat(),
        "fate": "well",
    }
