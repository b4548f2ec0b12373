"""The stand-in's tables, and how a row is found."""

from __future__ import annotations

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

CLIENTS = "whmcs_clients"
USERS = "whmcs_users"
PRODUCTS = "whmcs_products"
SERVICES = "whmcs_services"
ORDERS = "whmcs_orders"
INVOICES = "whmcs_invoices"
TRANSACTIONS = "whmcs_transactions"
CREDITS = "whmcs_credits"
PAY_METHODS = "whmcs_pay_methods"
CANCEL_REQUESTS = "whmcs_cancel_requests"
GATEWAYS = "whmcs_gateways"
SSO_TOKENS = "whmcs_sso_tokens"
SESSIONS = "whmcs_sessions"
HOOK_SPOOL = "whmcs_hook_spool"
SWITCHES = "whmcs_switches"

FIRST_NEW_ID = {
    CLIENTS: 6000,
    USERS: 9000,
    SERVICES: 55001,
    ORDERS: 71001,
    INVOICES: 88001,
    TRANSACTIONS: 30001,
    CREDITS: 4001,
    PAY_METHODS: 5001,
    CANCEL_REQUESTS: 301,
    "whmcs_invoice_items": 120001,
}
"""Ids of the stand-in's own making start here, above those of the seeded world; clients and users never agree."""

CLOSED = "Closed"


def find(sandbox: Sandbox, table: str, row_id: object) -> Row | None:
    return sandbox.store.get(table, str(row_id))


def rows_where(sandbox: Sandbox, table: str, **wanted: object) -> list[Row]:
    """The rows whose fields equal these values, in the order in which they were made."""
    rows = sandbox.store.table(table).values()
    return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]


def client_by_email(sandbox: Sandbox, email: str) -> Row | None:
    wanted = email.casefold()
    rows = sandbox.store.table(CLIENTS).values()
    return next((row for row in rows if row["email"].casefold() == wanted), None)


def user_by_email(sandbox: Sandbox, email: str) -> Row | None:
    wanted = email.casefold()
    rows = sandbox.store.table(USERS).values()
    return next((row for row in rows if row["email"].casefold() == wanted), None)
