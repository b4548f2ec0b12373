"""The eSIM install code: whether it was looked at, and as a picture, drawn here: it never goes to a third party."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta

import segno
from sqlalchemy import text

from portico.orders import timeline
from portico.portal import Portal
from portico.systems.salesforce.orders import Order

SHOWN = "install_shown"
LATELY = timedelta(days=30)
READY = text(f"""
    SELECT DISTINCT order_id FROM journal
    WHERE order_id = ANY(:ids) AND starts_with(step, 'line:') AND state = 'done' AND updated_at >= :since
      AND NOT EXISTS (SELECT 1 FROM journal s WHERE s.order_id = journal.order_id AND s.step = '{SHOWN}')
""")  # noqa: S608


def qr_code(lpa: str) -> str:
    """An SVG element of the code, to be put into a page as it is; it holds nothing but rectangles."""
    out = io.BytesIO()
    segno.make(lpa, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, border=2, scale=4, dark="#000", light="#fff", omitsize=True
    )
    return out.getvalue().decode()


async def installable(portal: Portal, orders: Sequence[Order]) -> set[str]:
    """The ids of those orders whose eSIM became ready lately, and whose install code nobody has looked at yet."""
    values = {"ids": [order.id for order in orders], "since": portal.clock.now() - LATELY}
    async with portal.db.begin() as tx:
        return set((await tx.execute(READY, values)).scalars())


async def code_was_shown(portal: Portal, order_id: str) -> None:
    async with portal.db.begin() as tx:
        await timeline.note_once(tx, order_id, SHOWN, "done", portal.clock.now(), actor="customer")
