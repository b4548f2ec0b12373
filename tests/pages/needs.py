"""Which system each page and each read of the API needs; what is not listed needs none. Compared with the calls."""

from __future__ import annotations

from dataclasses import dataclass, field

SYSTEMS = ("whmcs", "salesforce", "freebit")


@dataclass(frozen=True)
class Needs:
    """`parts`: system → how many parts of the page say "later" without it. `whole`: the page is about that alone."""

    parts: dict[str, int] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()

    @property
    def systems(self) -> frozenset[str]:
        return self.whole | self.parts.keys()


def _whole(*systems: str) -> Needs:
    return Needs(whole=frozenset(systems))


NONE = Needs()
NEEDS = {
    "GET /home": Needs({"whmcs": 2, "salesforce": 2}),
    "GET /billing": Needs({"whmcs": 1}),
    "GET /billing/invoices/{invoice_id}": _whole("whmcs"),
    "GET /billing/payment-methods": Needs({"whmcs": 1}),
    "GET /cart": Needs({"salesforce": 1}),
    "GET /catalog": Needs({"salesforce": 1}),
    "GET /catalog/{sku}": _whole("salesforce"),
    "GET /checkout": _whole("whmcs", "salesforce"),
    "GET /orders": Needs({"salesforce": 1}),
    "GET /orders/{order_id}": _whole("salesforce"),
    "GET /orders/{order_id}/cancellation": _whole("salesforce"),
    "GET /profile": Needs({"whmcs": 2}),
    "GET /profile/address": _whole("whmcs"),
    "GET /profile/details": _whole("whmcs"),
    "GET /services": Needs({"whmcs": 1}),
    "GET /services/{service_id}": _whole("whmcs"),
    "GET /support": Needs({"salesforce": 1}),
    "GET /support/{case_id}": _whole("salesforce"),
    "GET /api/v1/cart": _whole("salesforce"),
    "GET /api/v1/cases": _whole("salesforce"),
    "GET /api/v1/cases/{case_id}": _whole("salesforce"),
    "GET /api/v1/catalog": _whole("salesforce"),
    "GET /api/v1/eligibility": _whole("salesforce"),
    "GET /api/v1/invoices": _whole("whmcs"),
    "GET /api/v1/invoices/{invoice_id}": _whole("whmcs"),
    "GET /api/v1/me/profile": _whole("whmcs"),
    "GET /api/v1/me/status": Needs({"whmcs": 4, "salesforce": 2}),
    "GET /api/v1/orders": _whole("salesforce"),
    "GET /api/v1/orders/{order_id}": _whole("salesforce"),
    "GET /api/v1/orders/{order_id}/events": _whole("salesforce"),
    "GET /api/v1/payment-gateways": _whole("whmcs"),
    "GET /api/v1/payment-methods": _whole("whmcs"),
    "GET /api/v1/subscriptions": _whole("whmcs"),
    "GET /api/v1/subscriptions/{subscription_id}": _whole("whmcs"),
}
