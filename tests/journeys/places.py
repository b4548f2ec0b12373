"""Every page to look at, by who may see it: one for each route of the table, and further states of some of them."""

from __future__ import annotations

from tests.house.two_customers import Route, routes
from tests.journeys.resident import Resident

NO_PAGES = ("/static/", "/favicon.ico", "/livez", "/readyz", "/api/")
PAGES = [route for route in routes() if route.method == "GET" and not route.template.startswith(NO_PAGES)]
RESIDENT, NOBODY, STAFF = "resident", "nobody", "staff"
ACCESS = {"customer": RESIDENT, "public": NOBODY, "staff": STAFF}
BOOK = ("", "/card", "/missing", "/down", "/running", "/tries", "/crash")
FURTHER = {
    RESIDENT: ("/nowhere", "/catalog?category=Mobile", "/billing?q=nothing-like-it", "/support/new?order={order}"),
    NOBODY: ("/nowhere", *(f"/style-book{part}" for part in BOOK)),
    STAFF: ("/nowhere", "/home"),
    "keiri@aozora.example": ("/home", "/billing", "/billing?page=2", "/services", "/billing/payment-methods"),
    "daniel.kowalski@mail.example": ("/home", "/services/7022"),
    "tsubasa.matsumoto@mail.example": ("/home", "/billing/payment-methods"),
    "yuko.inoue@mail.example": ("/services", "/billing"),
    "naoki.kimura@mail.example": ("/billing",),
    "grace.kim@mail.example": ("/home", "/catalog", "/cart", "/orders", "/billing", "/services", "/support"),
    "liam.andersson@mail.example": ("/home", "/notifications"),
}
"""Addresses that are wrong · 300 invoices · overdue and suspended · a card that has expired · a service in each state ·
credit · nothing yet. Nobody whom `test_parts_alone` wants unread."""


def places(resident: Resident) -> dict[str, list[str]]:
    """Person → paths."""
    found: dict[str, list[str]] = {person: [] for person in (NOBODY, RESIDENT, STAFF)}
    for route in PAGES:
        found[ACCESS[route.access]].append(_path(route, resident))
    for person, paths in FURTHER.items():
        found.setdefault(person, []).extend(path.format(**resident.things) for path in paths)
    return found


def _path(route: Route, resident: Resident) -> str:
    return resident.password_link if route.template == "/password/new" else route.path(resident.things)
