"""A small app made of the web's own parts: what pages stand on, without the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
from litestar import Litestar, Request, Response, get, post
from litestar.middleware import ASGIMiddleware
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from portico import errors
from portico.customer import Customer, SfAccountId, UserId, WhmcsClientId
from portico.errors import Refusal, SystemDown
from portico.i18n import _m
from portico.settings import Settings
from portico.systems.http import deadline
from portico.web import Form, hand_off, read_form, read_json, redirect, render, seal, web_parts

ORIGIN = "http://localhost:8000"
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
SAVED = _m("Invoice %(number)s")
CUSTOMER = Customer(UserId(UUID(int=7)), WhmcsClientId(1), SfAccountId("001000000000001AAA"))


@dataclass(frozen=True)
class Person:
    display_name: str
    email: str = "hanako@example.com"
    is_staff: bool = False
    unread: int = 0
    customer: Customer | None = CUSTOMER


class SessionByHeader(ASGIMiddleware):
    """Stands where identity's session middleware stands."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        name = dict(scope["headers"]).get(b"x-test-user", b"").decode()
        scope["user"] = Person(name, is_staff=name == "staff") if name else None
        await next_app(scope, receive, send)


class Address(Struct):
    city: str
    floors: list[int]
    note: str = ""


@get("/open", access="public")
async def open_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return render(request, "components/style_book_card.html", form=Form())


@get("/mine/{name:str}", access="customer", ids={"name": "name"})
async def my_page(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    return render(request, "components/style_book_card.html", form=Form.of({"email": name}))


@get("/staff-only", access="staff")
async def staff_page() -> str:
    return "staff"


@post("/form", access="public", status_code=200)
async def form_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    form = await read_form(request)
    try:
        form.text("email", required=True, most=20)
        form.secret("password", required=True)
        form.check()
    except Refusal as refusal:
        return render(request, "components/style_book_card.html", form=form.refused(refusal))
    return redirect(request, "/open", SAVED(number=form.text("email")))


@post("/pay", access="public", status_code=303)
async def pay() -> Response[bytes]:
    return hand_off("http://localhost:8103/oauth/singlesignon.php?access_token=x")


@post("/hooks/trial", access="hook", status_code=200)
async def hook() -> dict[str, bool]:
    return {"taken": True}


@post("/api/v1/address", access="public", status_code=200)
async def address(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"city": (await read_json(request, Address)).city}


@get(["/broken/{kind:str}", "/api/v1/broken/{kind:str}"], access="public", ids={"kind": "kind of failure"})
async def broken(kind: FromPath[str]) -> None:
    raise {
        "down": SystemDown("whmcs"),
        "running": errors.StillRunning("op-1"),
        "stranger": errors.NotFound("somebody else's"),
        "tries": errors.TooManyTries(),
    }.get(kind, RuntimeError("secret words of a driver"))


@get("/number", access="public")
async def number(page: FromQuery[int]) -> int:
    return page


@get("/deadline", access="public")
async def seen_deadline() -> bool:
    return deadline.get() is not None


ROUTES = [open_page, my_page, staff_page, form_page, pay, hook, address, broken, number, seen_deadline]


def trial_app(settings: Settings, *more: Any) -> Litestar:
    app = Litestar(
        route_handlers=[*ROUTES, *more],
        middleware=[SessionByHeader()],
        openapi_config=None,
        **web_parts(settings),
    )
    seal(app)
    return app


def client_of(app: Litestar) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app)  # type: ignore[arg-type]
    return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers={"accept": "text/html"})
