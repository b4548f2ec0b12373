"""Clients: AddClient, UpdateClient, GetClientsDetails."""

from __future__ import annotations

import re
import uuid
from typing import Any

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call
from portico_sandbox.whmcs.changes import Change, change
from portico_sandbox.whmcs.client_details import details
from portico_sandbox.whmcs.countries import is_country
from portico_sandbox.whmcs.php_serialize import PhpData, read_map
from portico_sandbox.whmcs.rows import CLIENTS, GATEWAYS, USERS, client_by_email, find, user_by_email
from portico_sandbox.whmcs.users import new_user
from portico_sandbox.whmcs.values import local_time, words
from portico_sandbox.world_types import CLIENT_FIELD_CUSTOMER_NUMBER, CLIENT_FIELD_PORTAL_MARKER

CLIENT_FIELDS = {CLIENT_FIELD_CUSTOMER_NUMBER: "Customer number", CLIENT_FIELD_PORTAL_MARKER: "Portal marker"}
BANNED_DOMAIN = "@banned.example"
"""Magic: an e-mail of this domain is `not available for use`."""

_PROFILE = words(
    "firstname lastname companyname email address1 address2 city state postcode country phonenumber tax_id "
    "language notes"
)
_FLAGS = words(
    "taxexempt latefeeoveride overideduenotices separateinvoices disableautocc overrideautoclose marketingoptin"
)
_REQUIRED = (
    ("firstname", "You did not enter your first name"),
    ("lastname", "You did not enter your last name"),
    ("email", "You did not enter your email address"),
    ("address1", "You did not enter your address (line 1)"),
    ("city", "You did not enter your city"),
    ("state", "You did not enter your state"),
    ("postcode", "You did not enter your postcode"),
    ("phonenumber", "You did not enter your phone number"),
)
_EMAIL = re.compile(r"[^@\s<>\"',;]+@[^@\s<>\"',;]+\.[^@\s.<>\"',;]+")


def add_client(call: Call) -> Answer:
    fields = read_map(call.text("customfields"))  # an array here reads as nothing, like the real one
    if not call.flag("skipvalidation"):
        _validate(call, fields)
    owner = _owner(call)
    with change(call.sandbox, "AddClient") as made:
        user_id = owner["id"] if owner else new_user(made, call)
        client = _new_client(made, call, user_id, fields)
        _join(made, user_id, client["id"])
        made.announce("ClientAdd", client["id"], user=user_id)
        made.record(client["id"], **_facts(client))
    return {"clientid": client["id"], "owner_id": user_id}


def update_client(call: Call) -> Answer:
    client = _client_to_update(call)
    values = _updates(call, client)
    with change(call.sandbox, "UpdateClient") as made:
        changed = made.tx.change(CLIENTS, str(client["id"]), **values)
        made.announce("ClientEdit", client["id"])
        made.record(client["id"], **_facts(changed), changed=sorted(values))
    return {"clientid": str(client["id"])}


def get_clients_details(call: Call) -> Answer:
    if not call.text("clientid") and not call.text("email"):
        raise ApiRefusal("Either clientid Or email Is Required")
    if call.text("clientid"):
        client = find(call.sandbox, CLIENTS, call.number("clientid"))
    else:
        client = client_by_email(call.sandbox, call.text("email"))
    if client is None:
        raise ApiRefusal("Client Not Found")
    shown = details(call.sandbox, client, stats=call.flag("stats"))
    stats = {"stats": shown.pop("stats")} if "stats" in shown else {}
    match call.switches.toplevel_client:
        case "never":
            return {"client": shown, **stats}
        case "only":
            return {**shown, **stats}
    return {**shown, "client": shown, **stats}


def _validate(call: Call, fields: dict[Any, PhpData]) -> None:
    for name, message in _REQUIRED:
        if not call.text(name).strip():
            raise ApiRefusal(message)
    if not _EMAIL.fullmatch(call.text("email")):
        raise ApiRefusal("The email address you entered was not valid")
    if not is_country(call.text("country")):
        raise ApiRefusal("Valid country required")
    for field_id in filter(None, call.switches.required_client_fields.split(",")):
        if not fields.get(int(field_id)):
            name = CLIENT_FIELDS.get(int(field_id), field_id)
            raise ApiRefusal(f"You did not provide required custom field value for {name}")


def _owner(call: Call) -> Row | None:
    """The existing user to attach to, or None when a new one is to be made, whose e-mail and password are fit."""
    if call.number("owner_user_id"):
        owner = find(call.sandbox, USERS, call.number("owner_user_id"))
        if owner is None:
            raise ApiRefusal("Invalid Owner User ID")
        return owner
    if not call.text("password2"):
        raise ApiRefusal("You did not enter a password")
    if call.text("email").endswith(BANNED_DOMAIN):
        raise ApiRefusal("The email address entered is not available for use.")
    if user_by_email(call.sandbox, call.text("email")):
        raise ApiRefusal("A user already exists with that email address")
    return None


def _new_client(made: Change, call: Call, user_id: int, fields: dict[Any, PhpData]) -> Row:
    profile = {name: call.text(name) for name in _PROFILE}
    client = new_client_row(
        made.sandbox, made.new_id(CLIENTS), user_id, profile, known_fields(fields), call.number("groupid")
    )
    client["marketingoptin"] = call.flag("marketingoptin")
    made.tx.put(CLIENTS, str(client["id"]), client)
    return client


def new_client_row(
    sandbox: Sandbox, client_id: int, user_id: int, profile: dict[str, str], fields: dict[str, str], group: int = 0
) -> Row:
    """A complete row; `fields` maps ids of client custom fields, as text, to values."""
    profile = {**dict.fromkeys(_PROFILE, ""), **profile}
    return {
        "id": client_id,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"whmcs-client-{client_id}")),
        "owner_user_id": user_id,
        **profile,
        "country": profile["country"].upper(),
        **dict.fromkeys(_FLAGS, False),
        "status": "Active",
        "currency": 1,
        "credit": "0.00",
        "defaultgateway": "",
        "groupid": group,
        "allow_sso": True,
        "email_preferences": dict.fromkeys(("general", "invoice", "support", "product", "domain", "affiliate"), "1"),
        "customfields": fields,
        "datecreated": local_time(sandbox),
    }


def known_fields(fields: dict[Any, PhpData]) -> dict[str, str]:
    """WHMCS stores values only for fields that exist."""
    return {str(key): str(value) for key, value in fields.items() if key in CLIENT_FIELDS and value is not None}


def _join(made: Change, user_id: int, client_id: int) -> None:
    links = [*made.tx.change(USERS, str(user_id))["clients"], {"id": client_id, "isOwner": True}]
    made.tx.change(USERS, str(user_id), clients=links)


def _client_to_update(call: Call) -> Row:
    if call.text("clientid"):
        client = find(call.sandbox, CLIENTS, call.number("clientid"))
    else:
        client = client_by_email(call.sandbox, call.text("clientemail"))
    if client is None:
        raise ApiRefusal("Client ID Not Found")
    return client


def _updates(call: Call, client: Row) -> Row:
    values: Row = {name: call.text(name) for name in _PROFILE if call.has(name)}
    values |= {name: call.flag(name) for name in _FLAGS if call.has(name)}
    if "email" in values:
        _check_new_email(call, client, values["email"])
    if "country" in values and not is_country(values["country"]):
        raise ApiRefusal("Valid country required")
    if call.text("status") in ("Active", "Inactive", "Closed"):
        values["status"] = call.text("status")
    if find(call.sandbox, GATEWAYS, call.text("paymentmethod")):
        values["defaultgateway"] = call.text("paymentmethod")
    if preferences := call.array("email_preferences"):
        sent = {str(kind): "1" if value == "1" else "0" for kind, value in preferences.items()}
        values["email_preferences"] = {**client["email_preferences"], **sent}
    if call.text("customfields"):
        kept = {} if call.switches.custom_fields_update == "replace" else client["customfields"]
        values["customfields"] = {**kept, **known_fields(read_map(call.text("customfields")))}
    return values


def _check_new_email(call: Call, client: Row, email: str) -> None:
    if not _EMAIL.fullmatch(email):
        raise ApiRefusal("The email address entered is not valid")
    other = client_by_email(call.sandbox, email)
    if other and other["id"] != client["id"]:
        raise ApiRefusal("Duplicate Email Address")


def _facts(client: Row) -> dict[str, Any]:
    fields = client["customfields"]
    return {
        "client_id": client["id"],
        "email": client["email"],
        "customer_number": fields.get(str(CLIENT_FIELD_CUSTOMER_NUMBER), ""),
        "marker": fields.get(str(CLIENT_FIELD_PORTAL_MARKER), ""),
    }


ACTIONS: dict[str, Action] = {
    "AddClient": add_client,
    "UpdateClient": update_client,
    "GetClientsDetails": get_clients_details,
}
