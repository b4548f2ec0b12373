"""Single sign-on into WHMCS: addresses that log the customer in, once, within a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from portico.customer import WhmcsClientId
from portico.errors import SystemSurprised
from portico.systems.whmcs.client import Whmcs, call
from portico.systems.whmcs.php_form import FormValue
from portico.systems.whmcs.shapes import as_raw

SSO_SECONDS = 60
"""How long an address is good, at most."""


@dataclass(frozen=True, slots=True)
class OneInvoice:
    """To be used only after get_invoice said whose it is."""

    invoice_id: int


@dataclass(frozen=True, slots=True)
class OneService:
    """To be used only after get_client_product said whose it is."""

    service_id: int


Destination: TypeAlias = Literal["home", "invoices", "payment_methods"] | OneInvoice | OneService


async def create_sso_token(whmcs: Whmcs, client_id: WhmcsClientId, destination: Destination) -> str:
    """The address to redirect to at once. It is a complete sign-in: never log, copy or keep it.

    Raises SingleSignOnOff, SystemRefused `client_not_found`, `sso_failed`; SystemSurprised when the address leads
    somewhere else than to the configured WHMCS.
    """
    params = {"client_id": client_id, **_destination(destination)}
    # Asked twice it makes a second token and the first one dies unused: so it may be repeated.
    answer = await call(whmcs, "CreateSsoToken", params, repeatable=True)
    url = as_raw(answer, "redirect_url")
    if _origin(url) != _origin(whmcs.settings.url):
        raise SystemSurprised("whmcs", "CreateSsoToken leads to another host")
    return url


def _destination(destination: Destination) -> dict[str, FormValue]:
    """The paths are built here from numbers only: a path from outside would be an open redirect."""
    if isinstance(destination, OneInvoice):
        path = f"viewinvoice.php?id={destination.invoice_id:d}"
        return {"destination": "sso:custom_redirect", "sso_redirect_path": path}
    if isinstance(destination, OneService):
        return {"destination": "clientarea:product_details", "service_id": destination.service_id}
    if destination == "invoices":
        return {"destination": "clientarea:invoices"}
    return {"destination": "clientarea:billing_info"} if destination == "payment_methods" else {}


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", None
    has_login = parts.username is not None or parts.password is not None
    return parts.scheme, "" if has_login else (parts.hostname or ""), port
