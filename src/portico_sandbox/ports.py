"""Loopback sockets, bound before anything is served, so that a taken port is a sentence and no stack trace."""

from __future__ import annotations

import errno
import socket

Sockets = list[socket.socket]

_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class PortTaken(Exception):
    """Its text names the port and what it was wanted for."""


def bind(port: int, purpose: str) -> Sockets:
    """Sockets on 127.0.0.1 and, where the machine has it, ::1. Raises PortTaken."""
    sockets: Sockets = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            sockets.append(_bound(family, address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in _ABSENT:
                continue
            close(sockets)
            raise PortTaken(f"Port {port} ({purpose}) can't be had on {address}: {error.strerror}.") from error
    return sockets


def bind_all(purposes: dict[int, str]) -> dict[int, Sockets]:
    """Port → its sockets. All or none: raises PortTaken for the first that can't be had."""
    bound: dict[int, Sockets] = {}
    try:
        for port, purpose in purposes.items():
            bound[port] = bind(port, purpose)
    except PortTaken:
        close_all(bound)
        raise
    return bound


def close_all(bound: dict[int, Sockets]) -> None:
    for sockets in bound.values():
        close(sockets)


def close(sockets: Sockets) -> None:
    for bound in sockets:
        bound.close()


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's algorithm off; else an answer in two writes takes 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # An earlier run's connections may linger in TIME_WAIT; a live listener still refuses us.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
        bound.listen(1024)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
