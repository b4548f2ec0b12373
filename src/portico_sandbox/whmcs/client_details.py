"""What GetClientsDetails shows of a client."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.countries import country_name, dialing_code
from portico_sandbox.whmcs.invoice_machine import balance_of, is_overdue
from portico_sandbox.whmcs.rows import INVOICES, SERVICES, USERS, find, rows_where
from portico_sandbox.whmcs.values import words
from portico_sandbox.world_types import CLIENT_FIELD_CUSTOMER_NUMBER, CLIENT_FIELD_PORTAL_MARKER

_AS_THEY_ARE = words(
    "uuid owner_user_id firstname lastname companyname email address1 address2 city postcode phonenumber tax_id "
    "status currency credit defaultgateway groupid language notes taxexempt latefeeoveride overideduenotices "
    "separateinvoices disableautocc overrideautoclose email_preferences"
)


def details(sandbox: Sandbox, client: Row, stats: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"userid": client["id"], "client_id": client["id"], "id": client["id"]}
    shown |= {name: client[name] for name in _AS_THEY_ARE}
    shown |= _names_and_places(client)
    shown |= {
        "currency_code": "JPY",
        "billingcid": 0,
        "lastlogin": _last_login(sandbox, client),
        "emailoptout": not client["marketingoptin"],
        "marketing_emails_opt_in": client["marketingoptin"],
        "isOptedInToMarketingEmails": client["marketingoptin"],
        "email_verified": True,
        "allowSingleSignOn": int(client["allow_sso"]),
        "users": {"user": _users(sandbox, client["id"])},
        **_custom_fields(client),
    }
    return {**shown, "stats": _stats(sandbox, client["id"])} if stats else shown


def _names_and_places(client: Row) -> dict[str, str]:
    calling = dialing_code(client["country"])
    digits = "".join(c for c in client["phonenumber"] if c.isdigit())
    formatted = f"+{calling}.{digits.removeprefix('0')}" if calling else digits
    return {
        "fullname": f"{client['firstname']} {client['lastname']}",
        "fullstate": client["state"],
        "state": client["state"],
        "statecode": client["state"],
        "country": client["country"],
        "countrycode": client["country"],
        "countryname": country_name(client["country"]),
        "phonecc": calling,
        "phonenumberformatted": formatted,
        "telephoneNumber": formatted,
    }


def _custom_fields(client: Row) -> dict[str, Any]:
    ids = (CLIENT_FIELD_CUSTOMER_NUMBER, CLIENT_FIELD_PORTAL_MARKER)
    fields = [{"id": field_id, "value": client["customfields"].get(str(field_id), "")} for field_id in ids]
    # The numbered copies count positions, not ids.
    return {"customfields": fields, **{f"customfields{n}": field["value"] for n, field in enumerate(fields, 1)}}


def _last_login(sandbox: Sandbox, client: Row) -> str:
    user = find(sandbox, USERS, client["owner_user_id"])
    when = user["last_login"] if user else ""
    return f"Date: {when}<br>IP Address: 127.0.0.1<br>Host: localhost" if when else "No Login Logged"


def _users(sandbox: Sandbox, client_id: int) -> list[dict[str, Any]]:
    shown = []
    for user in sandbox.store.table(USERS).values():
        for link in user["clients"]:
            if link["id"] == client_id:
                name = f"{user['firstname']} {user['lastname']}"
                shown.append({"id": user["id"], "name": name, "email": user["email"], "is_owner": link["isOwner"]})
    return shown


def _stats(sandbox: Sandbox, client_id: int) -> dict[str, Any]:
    invoices = rows_where(sandbox, INVOICES, userid=client_id)
    services = rows_where(sandbox, SERVICES, clientid=client_id)
    count = Counter(invoice["status"] for invoice in invoices)
    overdue = [invoice for invoice in invoices if is_overdue(sandbox, invoice)]
    due = sum((balance_of(sandbox, i) for i in invoices if i["status"] == "Unpaid"), Decimal(0))
    return {
        "numdueinvoices": count["Unpaid"],
        "dueinvoicesbalance": f"¥{due:,.0f}",
        "numoverdueinvoices": len(overdue),
        "numDraftInvoices": count["Draft"],
        "numpaidinvoices": count["Paid"],
        "numunpaidinvoices": count["Unpaid"],
        "numcancelledinvoices": count["Cancelled"],
        "numrefundedinvoices": count["Refunded"],
        "numcollectionsinvoices": count["Collections"],
        "numpaymentpendinginvoices": count["Payment Pending"],
        "productsnumactive": sum(service["status"] == "Active" for service in services),
        "productsnumtotal": len(services),
    }
