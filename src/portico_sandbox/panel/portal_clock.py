"""Tells the portal's database how far the shared clock has been moved."""

from __future__ import annotations

import psycopg

from portico_sandbox.sandbox import Sandbox

_SET = """
INSERT INTO clock_offset (id, seconds) VALUES (1, %s)
ON CONFLICT (id) DO UPDATE SET seconds = excluded.seconds
"""


async def tell_portal(sandbox: Sandbox) -> str:
    """Writes the present offset; "" when it went well or there is no portal to tell, else a sentence."""
    address = sandbox.settings.portal_database_url
    if not address:
        return ""
    try:
        # The portal's own setting may name SQLAlchemy's driver in its scheme.
        url = address.replace("postgresql+psycopg://", "postgresql://", 1)
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=2) as connection:
            await connection.execute("SET LOCAL statement_timeout = '2s'")
            await connection.execute(_SET, (sandbox.clock.offset.total_seconds(),))
            await connection.execute("NOTIFY portico_clock")
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()
        return f"The portal's database did not take the new time: {reason[0] if reason else type(error).__name__}."
    return ""
