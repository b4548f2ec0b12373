"""Two customers, each with some of everything, before the whole app; and what the portal and the systems hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute
from sqlalchemy import text

from portico.customer import SfAccountId
from portico.identity.seed import seed_people
from portico.portal import Portal
from portico.routes import ROUTES
from portico.settings import read_settings
from portico.systems.salesforce.orders import get_order
from portico.web import web_parts
from portico.web.gate import handlers_of
from portico_sandbox.world_customers import READY
from portico_sandbox.world_types import Person
from tests.fixtures.sandbox import SandboxControl

OWNER, STRANGER = READY[0], READY[7]
"""Ken has a line, fiber, invoices and a card, and may have internet; Isabella may have mobile only."""
ESIM = {"sku": "MOB-ESIM-3GB", "options": {"eid": "89049032000000000000000000000077"}}
NOBODYS = {
    "order": "801000000000001AAA",
    "operation": "9f1f6f5e-0000-4000-8000-000000000001",
    "invoice": "1",
    "service": "1",
    "product": "NO-SUCH-SKU",
    "own cart line": "00000000-0000000000000000-1",
    "case": "500000000000001AAA",
    "session": "9f1f6f5e-0000-4000-8000-000000000002",
}
"""By kind of id: one that does not exist. Each kind has a real one of the owner's in `things_of_the_owner`."""

SESSION = text("SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = :email")
LINE_IS_ACTIVE = text("""
    INSERT INTO journal (order_id, step, state, actor, facts, started_at, updated_at)
    VALUES (:order_id, :step, 'done', 'freebit', '{"account": "07011112222"}', :now, :now)
""")
TABLES = text("""
    SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
""")
# What may change when a page is only looked at: when a session was last seen, and an empty cart.
SEEN_THROUGH = {
    "sessions": "SELECT md5(string_agg(id::text, ',' ORDER BY id)) FROM sessions",
    "carts": "SELECT md5(string_agg(user_id || items::text, ',' ORDER BY user_id)) FROM carts WHERE items <> '[]'",
}
EVERYTHING = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t"


@dataclass(frozen=True)
class Route:
    """One method of one address. `ids`: path parameter → what kind of id it is."""

    method: str
    template: str
    access: str
    ids: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def is_unsafe(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def is_api(self) -> bool:
        return self.template.startswith("/api/")

    def path(self, ids: dict[str, str]) -> str:
        """With these ids, by their kind."""
        return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: ids[self.ids[found[1]]], self.template)


def routes() -> list[Route]:
    """Of the whole portal; nothing is connected."""
    app = Litestar(route_handlers=ROUTES, openapi_config=None, **web_parts(read_settings()))
    found = [_routes_of(route, handler) for route in app.routes for handler in handlers_of(route)]
    return sorted((route for some in found for route in some), key=str)


def _routes_of(route: Any, handler: BaseRouteHandler) -> Iterator[Route]:
    methods = handler.http_methods if isinstance(route, HTTPRoute) else {"GET"}  # type: ignore[attr-defined]
    ids = {name: handler.opt["ids"][name] for name in route.path_parameters}
    yield from (Route(str(method), route.path_format, handler.opt["access"], ids) for method in methods)


@dataclass(frozen=True)
class Things:
    """One real id of each kind that belongs to the owner (`theirs`), and one that is nobody's."""

    theirs: dict[str, str]
    nobodys: dict[str, str]


async def things_of_the_owner(portal: Portal, owner: httpx2.AsyncClient) -> Things:
    """Orders an eSIM, opens a case, fills a cart, all through the API."""
    await _put_cart(owner, [ESIM])
    placed = await owner.post("/api/v1/orders", json={}, headers={"idempotency-key": "k"})
    assert placed.status_code == 201, placed.text
    order_id = placed.json()["id"]
    await _make_installable(portal, order_id)
    case = await owner.post("/api/v1/cases", json={"subject": "Hello", "description": "A question"})
    assert case.status_code == 201, case.text
    await _put_cart(owner, [ESIM, {"sku": "VPN-HOME"}])
    async with portal.db.begin() as tx:
        placement = (await tx.execute(text("SELECT id FROM placements"))).scalar_one()
        session = (await tx.execute(SESSION, {"email": OWNER.email})).scalar_one()
    theirs = {
        "order": order_id,
        "operation": str(placement),
        "invoice": str(OWNER.invoices[0].id),
        "service": str(OWNER.services[0].id),
        "product": "NET-FIBER-1G",  # the stranger's account is not eligible for it
        "own cart line": await _cart_line(owner),
        "case": case.json()["id"],
        "session": str(session),
    }
    assert theirs.keys() == NOBODYS.keys()
    return Things(theirs, NOBODYS)


async def _put_cart(client: httpx2.AsyncClient, items: list[dict[str, Any]]) -> None:
    answer = await client.put("/api/v1/cart", json={"items": items})
    assert answer.status_code == 200, answer.text


async def _cart_line(client: httpx2.AsyncClient) -> str:
    """The last one, as the page names it."""
    page = (await client.get("/cart")).text
    return [str(found[1]) for found in re.finditer(r"/cart/items/([^/]+)/removal", page)][-1]


async def _make_installable(portal: Portal, order_id: str) -> None:
    """As if Freebit had activated the line: there is an install code to be stolen."""
    order = await get_order(portal.salesforce, SfAccountId(OWNER.sf_account_id), order_id)
    values = {
        "order_id": order_id,
        "step": next(f"line:{item.id}" for item in order.items if item.sim_kind == "eSIM"),
        "now": portal.clock.now(),
    }
    async with portal.db.begin() as tx:
        await tx.execute(LINE_IS_ACTIVE, values)


async def add_people(portal: Portal, staff: list[dict[str, str]]) -> None:
    """The two as the demo seeds them, and the staff."""
    await seed_people(portal, {"customers": {"ready": [_ready(OWNER), _ready(STRANGER)]}, "staff": staff})


def _ready(person: Person) -> dict[str, Any]:
    names = ("email", "password", "whmcs_client_id", "sf_account_id")
    return {name: getattr(person, name) for name in names}


@dataclass(frozen=True)
class State:
    """What portal and systems hold, comparable."""

    tables: dict[str, Any]
    ledger: int


async def state_of(portal: Portal, sandbox: SandboxControl) -> State:
    async with portal.db.begin() as tx:
        names = list((await tx.execute(TABLES)).scalars())
        queries = {name: SEEN_THROUGH.get(name, EVERYTHING.format(f'"{name}"')) for name in names}
        tables = {name: (await tx.execute(text(query))).scalar() for name, query in queries.items()}
    return State(tables, len(await sandbox.ledger()))


def differences(before: State, after: State) -> list[str]:
    changed = [name for name in before.tables if before.tables[name] != after.tables[name]]
    return changed + (["ledger of the systems"] if before.ledger != after.ledger else [])
