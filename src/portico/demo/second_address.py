"""The portal on ::1 as well: Granian binds one address, and `localhost` means both."""

from __future__ import annotations

import asyncio
import contextlib

from portico.demo.ports import has_ipv6

CHUNK = 65536


async def also_on_ipv6(port: int) -> asyncio.Server | None:
    """Passes connections to [::1]:port on to 127.0.0.1:port. None on a machine without IPv6."""
    if not has_ipv6():
        return None

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:  # just being started again: the caller sees what it would see on the other address
            writer.close()
            return
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    return await asyncio.start_server(pass_on, "::1", port)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
