"""The ports of the demo contract, and whether they are free."""

from __future__ import annotations

import asyncio
import errno
import http.client
import socket
from dataclasses import dataclass
from http import HTTPStatus

LEFTOVERS_SECONDS = 4
"""A run that was just killed needs a moment until its processes are gone."""


class PortTaken(Exception):
    """Its text names the port and what to do."""


@dataclass(frozen=True)
class Ports:
    base: int = 8000

    OFFSETS = {  # noqa: RUF012 a table, never written to
        "portal": 0,
        "control panel and mailbox": 100,
        "Salesforce": 101,
        "Pub/Sub": 102,
        "WHMCS": 103,
        "Freebit": 104,
        "SMTP": 105,
        "Postgres": 106,
        "Redis": 107,
        "metrics of web": 108,
        "metrics of worker": 109,
        "metrics of listener": 110,
        "Salesforce over TLS": 111,
        "Pub/Sub over TLS": 112,
    }

    def __getitem__(self, name: str) -> int:
        return self.base + self.OFFSETS[name]

    def all(self) -> dict[str, int]:
        return {name: self.base + offset for name, offset in self.OFFSETS.items()}

    @property
    def sandbox(self) -> list[int]:
        """Where the sandbox answers once it is up."""
        names = ("control panel and mailbox", "Salesforce", "Pub/Sub", "WHMCS", "Freebit", "SMTP")
        return [self[name] for name in (*names, "Salesforce over TLS", "Pub/Sub over TLS")]


async def wait_until_free(ports: Ports, seconds: float = LEFTOVERS_SECONDS) -> None:
    """Raises PortTaken where one is still taken after this time."""
    end = asyncio.get_running_loop().time() + seconds
    while taken := [(name, port) for name, port in ports.all().items() if not is_free(port)]:
        if asyncio.get_running_loop().time() > end:
            raise PortTaken(_sentence(taken, ports.base))
        await asyncio.sleep(0.1)


def is_free(port: int) -> bool:
    return _can_bind(socket.AF_INET, "127.0.0.1", port) and _can_bind(socket.AF_INET6, "::1", port)


def has_ipv6() -> bool:
    return _bind_error(socket.AF_INET6, "::1", 0) is None


def is_open(port: int) -> bool:
    """Whether something listens there on 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(port: int, path: str) -> bool:
    """Whether GET there is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _can_bind(family: socket.AddressFamily, host: str, port: int) -> bool:
    # A machine without IPv6 refuses for another reason than a taken port: nothing to complain about.
    return _bind_error(family, host, port) not in (errno.EADDRINUSE, errno.EACCES)


def _bind_error(family: socket.AddressFamily, host: str, port: int) -> int | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error.errno or errno.EINVAL
    return None


def _sentence(taken: list[tuple[str, int]], base: int) -> str:
    which = ", ".join(f"{port} ({name})" for name, port in taken)
    word = "Port" if len(taken) == 1 else "Ports"
    verb = "is" if len(taken) == 1 else "are"
    other = 9000 if base != 9000 else 8000
    return (
        f"{word} {which} {verb} taken by another program."
        f" Stop that program, or move all ports of the demo: make demo PORT_BASE={other}"
    )
