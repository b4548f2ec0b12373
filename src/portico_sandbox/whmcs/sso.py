"""CreateSsoToken, and what a token turns into when the browser brings it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call
from portico_sandbox.whmcs.changes import change
from portico_sandbox.whmcs.rows import CLIENTS, CLOSED, SERVICES, SSO_TOKENS, USERS, find
from portico_sandbox.whmcs.values import words

TOKEN_LIFE = timedelta(seconds=60)
HOME = "/clientarea.php"
PAY_METHODS_PAGE = "/index.php?rp=/account/paymentmethods"
CUSTOM_REDIRECT = "sso:custom_redirect"

_HOME_DESTINATIONS = words(
    "emails announcements downloads knowledgebase network_status domains domain_details tickets submit_ticket "
    "shopping_cart shopping_cart_addons shopping_cart_domain_register shopping_cart_domain_transfer"
)
_DESTINATIONS = {
    **{f"clientarea:{name}": HOME for name in _HOME_DESTINATIONS},
    "": HOME,
    "clientarea:profile": f"{HOME}?action=details",
    "clientarea:billing_info": PAY_METHODS_PAGE,
    "clientarea:invoices": f"{HOME}?action=invoices",
    "clientarea:services": f"{HOME}?action=services",
}


class TokenUseless(Exception):
    """Unknown, used or expired: the page says the same for all three."""


@dataclass(frozen=True)
class Redeemed:
    client_id: int
    user_id: int
    path: str  # relative to this host, begins with a slash


def create_sso_token(call: Call) -> Answer:
    client, user = _who(call)
    path = _path(call)
    if not client["allow_sso"]:
        raise ApiRefusal(f"SSO authentication blocked for client {client['id']}")
    token = secrets.token_hex(20)
    expires = (call.sandbox.clock.now() + TOKEN_LIFE).isoformat()
    row = {"client_id": client["id"], "user_id": user["id"], "path": path, "expires": expires, "used": False}
    with change(call.sandbox, "CreateSsoToken") as made:
        made.tx.put(SSO_TOKENS, token, row)
        destination = call.text("destination")
        made.record(client["id"], client_id=client["id"], destination=destination, path=path)
    url = f"{base_url(call.sandbox)}/oauth/singlesignon.php?access_token={token}"
    return {"access_token": token, "redirect_url": url}


def redeem(sandbox: Sandbox, token: str) -> Redeemed:
    """Uses a token up. Raises TokenUseless."""
    row = sandbox.store.get(SSO_TOKENS, token)
    if row is None or row["used"] or sandbox.clock.now() > datetime.fromisoformat(row["expires"]):
        raise TokenUseless
    with change(sandbox, "redeem SSO token") as made:
        made.tx.change(SSO_TOKENS, token, used=True)
        made.record(row["client_id"], client_id=row["client_id"], path=row["path"])
    return Redeemed(row["client_id"], row["user_id"], row["path"])


def base_url(sandbox: Sandbox) -> str:
    """The install's own System URL."""
    return f"http://localhost:{sandbox.settings.whmcs_port}"


def _who(call: Call) -> tuple[Row, Row]:
    if not call.number("client_id") and not call.number("user_id"):
        raise ApiRefusal("A valid client_id or user_id is required")
    user = _user(call) if call.number("user_id") else None
    client_id = call.number("client_id") or _first_client(user)
    client = find(call.sandbox, CLIENTS, client_id)
    if client is None or client["status"] == CLOSED:
        raise ApiRefusal("Invalid client_id")
    if user and client_id not in [link["id"] for link in user["clients"]]:
        raise ApiRefusal("Invalid user_id for client")
    owner = user or find(call.sandbox, USERS, client["owner_user_id"])
    if owner is None:
        raise ApiRefusal("Token could not be provisioned: the client has no owner")
    return client, owner


def _user(call: Call) -> Row:
    user = find(call.sandbox, USERS, call.number("user_id"))
    if user is None:
        raise ApiRefusal("Invalid user_id")
    return user


def _first_client(user: Row | None) -> int:
    return int(user["clients"][0]["id"]) if user and user["clients"] else 0


def _path(call: Call) -> str:
    destination = call.text("destination")
    if destination == CUSTOM_REDIRECT:
        return local_path(call.text("sso_redirect_path"))
    if destination == "clientarea:product_details" and find(call.sandbox, SERVICES, call.number("service_id")):
        return f"{HOME}?action=productdetails&id={call.number('service_id')}"
    if destination not in _DESTINATIONS:
        raise ApiRefusal("Invalid destination")
    return _DESTINATIONS[destination]


def local_path(text: str) -> str:
    """A path on this host, with or without its leading slash; anything that could lead elsewhere becomes home."""
    path = text.lstrip("/\\ ")
    if not path or "\\" in path or "://" in path.partition("?")[0] or not path.isprintable():
        return HOME
    return f"/{path}"


ACTIONS: dict[str, Action] = {"CreateSsoToken": create_sso_token}
