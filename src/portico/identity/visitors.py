"""Who is at the door, as far as a request tells: where it comes from, with what, and in which language."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from litestar import Request

from portico.settings import Settings
from portico.web.pages import language

_LONGEST_AGENT = 300


@dataclass(frozen=True, slots=True)
class Visitor:
    source: str
    """The network address that tries are counted by: one IPv4 address, or a /64 of IPv6."""
    user_agent: str
    language: str


def visitor_of(request: Request[Any, Any, Any]) -> Visitor:
    settings: Settings = request.app.state.portal.settings
    peer = request.client.host if request.client else ""
    forwarded = request.headers.getall("x-forwarded-for", [])
    source = source_of(peer, ",".join(forwarded), settings.identity.trusted_proxies)
    return Visitor(source, request.headers.get("user-agent", "")[:_LONGEST_AGENT], language(request))


def source_of(peer: str, forwarded_for: str, trusted_proxies: int) -> str:
    """The address that the outermost of our own proxies saw. What a client wrote further left is never believed."""
    seen = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    if trusted_proxies > 0 and len(seen) >= trusted_proxies:
        return _network(seen[-trusted_proxies]) or _network(peer) or "unknown"
    return _network(peer) or "unknown"


def _network(address: str) -> str:
    """One household has a whole /64 of IPv6 to choose from. Empty for what is no address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
