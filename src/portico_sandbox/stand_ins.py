"""The three stand-ins side by side: what fills their store, and what their staff can do."""

from __future__ import annotations

import asyncio

from portico_sandbox.buttons import Button
from portico_sandbox.freebit.control import BUTTONS as FREEBIT_BUTTONS
from portico_sandbox.freebit.seed import seed as seed_freebit
from portico_sandbox.panel.review import REVIEW_ORDER
from portico_sandbox.salesforce.control import BUTTONS as SALESFORCE_BUTTONS
from portico_sandbox.salesforce.seed import seed as seed_salesforce
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.whmcs.control import BUTTONS as WHMCS_BUTTONS
from portico_sandbox.whmcs.seed import seed as seed_whmcs

BUTTONS: list[Button] = [REVIEW_ORDER, *SALESFORCE_BUTTONS, *WHMCS_BUTTONS, *FREEBIT_BUTTONS]


def seed(sandbox: Sandbox) -> None:
    """Fills the empty store with the world."""
    for seed_one in (seed_salesforce, seed_whmcs, seed_freebit):
        seed_one(sandbox)
    with sandbox.store.begin() as tx:
        tx.put("sandbox", "seeded", {"done": True})  # last: without it a start seeds anew


async def reset(sandbox: Sandbox) -> None:
    """The world as on its first day: store, clock and mailbox start over, dials are turned back, streams are cut."""
    sandbox.dials.clear()
    sandbox.store.clear()
    seed(sandbox)
    await asyncio.gather(*(start_over() for start_over in sandbox.on_reset))
