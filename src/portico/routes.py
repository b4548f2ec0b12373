"""Every route of the application, domain by domain."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portico.events.hooks import whmcs_hook

ROUTES: list[ControllerRouterHandler] = [whmcs_hook]
