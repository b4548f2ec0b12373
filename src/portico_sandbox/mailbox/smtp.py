"""The SMTP server: takes any mail for anybody."""

from __future__ import annotations

import asyncio
import socket

from aiosmtpd.smtp import SMTP, Envelope, Session

from portico_sandbox.mailbox.messages import keep
from portico_sandbox.sandbox import Sandbox


async def serve(sandbox: Sandbox, sockets: list[socket.socket]) -> list[asyncio.Server]:
    """Listens on the given bound sockets; closing the servers ends it."""
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        receiver: asyncio.Protocol = SMTP(_Receiver(sandbox), hostname="mailbox.example", ident="Mailbox", loop=loop)
        return receiver

    return [await loop.create_server(protocol, sock=listening) for listening in sockets]


class _Receiver:
    """What aiosmtpd calls for each message."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        row = keep(self._sandbox, envelope.mail_from or "", list(envelope.rcpt_tos), raw)
        return f"250 Message {row['n']} accepted"
