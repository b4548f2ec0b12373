"""The client area that a customer sees after SSO: an invoice to pay, cards, invoices, services."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, Router, get, post
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs import invoice_machine, sessions, sso
from portico_sandbox.whmcs.calls import to_int
from portico_sandbox.whmcs.card_form import TEST_CARDS, CardForm, read_card
from portico_sandbox.whmcs.changes import change
from portico_sandbox.whmcs.invoice_machine import PAYABLE, WrongState, balance_of, is_overdue, totals
from portico_sandbox.whmcs.paymethods import has_expired, remove_card, store_card
from portico_sandbox.whmcs.php_form import parse_form
from portico_sandbox.whmcs.rendering import message, page, yen
from portico_sandbox.whmcs.rows import INVOICES, PAY_METHODS, PRODUCTS, SERVICES, TRANSACTIONS, find, rows_where
from portico_sandbox.whmcs.sessions import Session, session_of
from portico_sandbox.whmcs.values import CYCLE_LABELS, money
from portico_sandbox.world_types import GATEWAY

Browser = Request[Any, Any, Any]
PER_PAGE = 25
_FOLDER = Path(__file__).parent / "templates"


@get("/oauth/singlesignon.php")
async def single_sign_on(request: Browser) -> Response[Any]:
    sandbox: Sandbox = request.app.state.sandbox
    try:
        redeemed = sso.redeem(sandbox, request.query_params.get("access_token", ""))
    except sso.TokenUseless:
        text = "It works once and for 60 seconds. Go back to the portal and press the button again."
        return message(sandbox, "This sign-in link has expired or was already used", text, 403)
    cookie = sessions.begin(sandbox, redeemed.client_id, redeemed.user_id)
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Redirect(redeemed.path, status_code=302, cookies=[cookie], headers=headers)


@get("/")
async def front(request: Browser) -> Redirect:
    return Redirect(sso.HOME, status_code=302)


@get("/clientarea.php")
async def client_area(request: Browser) -> Response[str]:
    session = session_of(request)
    if session is None:
        return _signed_out(request)
    match request.query_params.get("action", ""):
        case "invoices":
            return _invoices(session, to_int(request.query_params.get("page", "1")))
        case "services":
            return page(session.sandbox, "services.html", session, services=_services(session))
        case "productdetails":
            return _product_details(session, to_int(request.query_params.get("id", "")))
        case "details":
            return page(session.sandbox, "details.html", session)
    return _home(session)


@get("/viewinvoice.php")
async def view_invoice(request: Browser) -> Response[str]:
    session = session_of(request)
    if session is None:
        return _signed_out(request)
    invoice = _own(session, INVOICES, "userid", request.query_params.get("id", ""))
    if invoice is None or invoice["status"] == "Draft":
        return _not_found(session)
    payments = rows_where(session.sandbox, TRANSACTIONS, invoiceid=invoice["id"])
    return page(
        session.sandbox,
        "invoice.html",
        session,
        invoice=invoice,
        totals=totals(invoice),
        balance=balance_of(session.sandbox, invoice),
        payments=payments,
        payable=invoice["status"] in PAYABLE,
        overdue=is_overdue(session.sandbox, invoice),
        cards=_cards(session),
    )


@post("/viewinvoice.php", status_code=200)
async def pay_invoice(request: Browser) -> Response[Any]:
    session, form = session_of(request), await _form(request)
    if session is None or not _form_is_ours(session, form):
        return _signed_out(request)
    invoice = _own(session, INVOICES, "userid", request.query_params.get("id", ""))
    if invoice is None:
        return _not_found(session)
    try:
        _pay(session, invoice)
    except WrongState as error:
        session.say(str(error), trouble=True)
    return Redirect(f"/viewinvoice.php?id={invoice['id']}", status_code=303)


@get("/index.php")
async def pay_methods(request: Browser) -> Response[str]:
    session = session_of(request)
    if session is None:
        return _signed_out(request)
    if request.query_params.get("rp", "") != "/account/paymentmethods":
        return _not_found(session)
    return _pay_methods_page(session, CardForm())


@post("/index.php", status_code=200)
async def change_pay_methods(request: Browser) -> Response[Any]:
    session, form = session_of(request), await _form(request)
    if session is None or not _form_is_ours(session, form):
        return _signed_out(request)
    match request.query_params.get("rp", ""):
        case "/account/paymentmethods/add":
            return _add_card(session, form)
        case "/account/paymentmethods/delete":
            return _remove_card(session, form)
    return _not_found(session)


@post("/logout.php", status_code=200)
async def log_out(request: Browser) -> Response[str]:
    session = session_of(request)
    if session:
        sessions.end(session.sandbox, session.key)
    return message(request.app.state.sandbox, "You have signed out", "You can close this page.", 200)


@get("/assets/client-area.css", media_type=MediaType.TEXT, sync_to_thread=False)
def style_sheet() -> Response[bytes]:
    return Response((_FOLDER / "client-area.css").read_bytes(), media_type="text/css; charset=utf-8")


async def play_page_faults(request: Browser) -> Response[Any] | None:
    """Dials of the whole system reach the pages too; the call's name is `page`."""
    sandbox: Sandbox = request.app.state.sandbox
    dial = sandbox.dials.take("whmcs", "page", "down", "slow", "error")
    if dial is None:
        return None
    if dial.mode == "slow":
        await asyncio.sleep(dial.seconds)
        return None
    status = 503 if dial.mode == "down" else 500
    return message(sandbox, "Billing is not available", "Please try again in a few minutes.", status)


def _signed_out(request: Browser) -> Response[str]:
    text = "Your session here has ended. Go back to the portal and press the button again."
    return message(request.app.state.sandbox, "Please sign in through the portal", text, 403)


def _not_found(session: Session) -> Response[str]:
    return message(session.sandbox, "Page not found", "There is nothing of yours at this address.", 404, session)


def _home(session: Session) -> Response[str]:
    unpaid = [row for row in _shown_invoices(session) if row["status"] == "Unpaid"]
    active = [service for service in _services(session) if service["status"] == "Active"]
    due = sum(balance_of(session.sandbox, row) for row in unpaid)
    values: dict[str, Any] = {"unpaid": unpaid, "due": money(due), "active": active, "cards": _cards(session)}
    return page(session.sandbox, "home.html", session, **values)


def _invoices(session: Session, number: int) -> Response[str]:
    rows = _shown_invoices(session)
    pages = max(-(-len(rows) // PER_PAGE), 1)
    number = min(max(number, 1), pages)
    shown = [
        {**row, "total": totals(row).total, "overdue": is_overdue(session.sandbox, row)}
        for row in rows[(number - 1) * PER_PAGE : number * PER_PAGE]
    ]
    return page(session.sandbox, "invoices.html", session, invoices=shown, count=len(rows), number=number, pages=pages)


def _product_details(session: Session, service_id: int) -> Response[str]:
    found = [service for service in _services(session) if service["id"] == service_id]
    if not found:
        return _not_found(session)
    return page(session.sandbox, "services.html", session, services=found)


def _shown_invoices(session: Session) -> list[Row]:
    """Newest first, without drafts."""
    rows = rows_where(session.sandbox, INVOICES, userid=session.client_id)
    return sorted((row for row in rows if row["status"] != "Draft"), key=lambda row: row["id"], reverse=True)


def _services(session: Session) -> list[Row]:
    rows = rows_where(session.sandbox, SERVICES, clientid=session.client_id)
    return [_named(session.sandbox, row) for row in rows]


def _named(sandbox: Sandbox, service: Row) -> Row:
    product = find(sandbox, PRODUCTS, service["pid"])
    return {**service, "name": product["name"] if product else "", "cycle": CYCLE_LABELS[service["billingcycle"]]}


def _cards(session: Session) -> list[Row]:
    rows = rows_where(session.sandbox, PAY_METHODS, clientid=session.client_id)
    return [{**row, "expired": has_expired(session.sandbox, row), "until": _until(row)} for row in rows]


def _until(card: Row) -> str:
    year, month = card["expires"].split("-")
    return f"{month}/{year}"


def _own(session: Session, table: str, owner: str, row_id: object) -> Row | None:
    row = find(session.sandbox, table, row_id)
    return row if row and row[owner] == session.client_id else None


def _pay(session: Session, invoice: Row) -> None:
    amount = balance_of(session.sandbox, invoice)
    with change(session.sandbox, "pay invoice") as made:
        invoice_machine.add_payment(made, invoice, amount, GATEWAY)
        made.record(invoice["id"], client_id=session.client_id, invoice_id=invoice["id"], amount=money(amount))
    session.say(f"Thank you! Your payment of {yen(amount)} has been received.")


def _pay_methods_page(session: Session, form: CardForm) -> Response[str]:
    status = 422 if form.troubles else 200
    cards, numbers = _cards(session), {_spaced(number): brand for number, brand in TEST_CARDS.items()}
    return page(session.sandbox, "methods.html", session, status, cards=cards, form=form, numbers=numbers)


def _spaced(number: str) -> str:
    return " ".join(number[n : n + 4] for n in range(0, len(number), 4))


def _add_card(session: Session, form: dict[str, str]) -> Response[Any]:
    card = read_card(form.get("number", ""), form.get("expiry", ""), session.sandbox.clock.today())
    if card.troubles:
        return _pay_methods_page(session, card)
    with change(session.sandbox, "add card") as made:
        store_card(made, session.client_id, card.last_four, card.brand, card.expires)
    session.say(f"Your {card.brand} ending in {card.last_four} has been added.")
    return Redirect(sso.PAY_METHODS_PAGE, status_code=303)


def _remove_card(session: Session, form: dict[str, str]) -> Response[Any]:
    method = _own(session, PAY_METHODS, "clientid", form.get("paymethodid", ""))
    if method is None:
        return _not_found(session)
    with change(session.sandbox, "remove card") as made:
        remove_card(made, method)
    session.say(f"Your {method['card_type']} ending in {method['card_last_four']} has been removed.")
    return Redirect(sso.PAY_METHODS_PAGE, status_code=303)


async def _form(request: Browser) -> dict[str, str]:
    parsed = parse_form(await request.body())
    return {name: value for name, value in parsed.items() if isinstance(value, str)}


def _form_is_ours(session: Session, form: dict[str, str]) -> bool:
    return hmac.compare_digest(form.get("token", "").encode(), session.form_token.encode())


PAGES: tuple[ControllerRouterHandler, ...] = (
    Router(
        "/",
        route_handlers=[
            single_sign_on,
            front,
            client_area,
            view_invoice,
            pay_invoice,
            pay_methods,
            change_pay_methods,
            log_out,
        ],
        before_request=play_page_faults,
    ),
    style_sheet,
)
