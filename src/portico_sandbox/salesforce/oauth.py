"""OAuth: the JWT bearer and client credentials flows, and what a token says of its user."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from portico_sandbox.salesforce import sessions
from portico_sandbox.salesforce.objects import USER
from portico_sandbox.sandbox import Sandbox

WELL_KNOWN_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
_LONGEST_LIFE = 3600  # seconds ahead; an `exp` in milliseconds is thousands of years ahead


class OAuthRefusal(Exception):
    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status

    @property
    def body(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.description}


@dataclass(frozen=True)
class Door:
    """What the token endpoint needs beside the sandbox."""

    sandbox: Sandbox
    public_key: RSAPublicKey

    @property
    def own_origins(self) -> set[str]:
        ports = {"http": self.sandbox.settings.salesforce_port, "https": self.sandbox.settings.salesforce_tls_port}
        hosts = ("localhost", "127.0.0.1", "[::1]")
        return {f"{scheme}://{host}:{port}" for scheme, port in ports.items() for host in hosts}


def token(door: Door, form: Mapping[str, str], origin: str) -> dict[str, Any]:
    """The answer of `POST /services/oauth2/token`. Raises OAuthRefusal."""
    match form.get("grant_type"):
        case "urn:ietf:params:oauth:grant-type:jwt-bearer":
            _check_assertion(door, form.get("assertion", ""), origin)
            return _granted(door, origin, "api refresh_token offline_access")
        case "client_credentials":
            _check_client(door, form)
            return {**_granted(door, origin, "api"), **_signed(door, form["client_id"])}
    raise OAuthRefusal("unsupported_grant_type", "grant type not supported")


def _granted(door: Door, origin: str, scope: str) -> dict[str, Any]:
    session = sessions.open_session(door.sandbox, sessions.INTEGRATION_USER_ID)
    return {
        "access_token": session.token,
        "scope": scope,
        "instance_url": origin,
        "id": f"{origin}/id/{session.organization_id}/{session.user_id}",
        "token_type": "Bearer",
    }


def _check_assertion(door: Door, assertion: str, origin: str) -> None:
    claims = _claims(door, assertion)
    settings = door.sandbox.settings
    if claims.get("iss") != settings.salesforce_client_id:
        raise OAuthRefusal("invalid_client_id", "client identifier invalid")
    if not _audience_fits(claims.get("aud"), {*WELL_KNOWN_AUDIENCES, *door.own_origins, origin}):
        raise OAuthRefusal("invalid_grant", "audience is invalid")
    _check_expiry(door.sandbox, claims.get("exp"))
    if claims.get("sub") != settings.salesforce_username:
        raise OAuthRefusal("invalid_grant", "user hasn't approved this consumer")


def _check_client(door: Door, form: Mapping[str, str]) -> None:
    settings = door.sandbox.settings
    if form.get("client_id") != settings.salesforce_client_id:
        raise OAuthRefusal("invalid_client_id", "client identifier invalid")
    given, right = form.get("client_secret", ""), settings.salesforce_client_secret
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise OAuthRefusal("invalid_client", "invalid client credentials")


def _signed(door: Door, client_id: str) -> dict[str, str]:
    """What flows other than the JWT bearer one add to their answer."""
    issued_at = str(int(door.sandbox.clock.now().timestamp() * 1000))
    key = door.sandbox.settings.salesforce_client_secret.encode()
    digest = hmac.new(key, f"{client_id}{issued_at}".encode(), hashlib.sha256).digest()
    return {"issued_at": issued_at, "signature": base64.b64encode(digest).decode()}


def identity(sandbox: Sandbox, session: sessions.Session, origin: str) -> dict[str, Any]:
    """The page that the `id` of a token answer names."""
    info = user_info(sandbox, session, origin)
    user = sandbox.store.get(USER.table, session.user_id) or {}
    root = f"{origin}/services/data/v{{version}}"
    return {
        "id": info["sub"],
        "asserted_user": True,
        "user_id": session.user_id,
        "organization_id": session.organization_id,
        "username": user.get("Username"),
        "nick_name": user.get("Username"),
        "display_name": info["name"],
        "email": user.get("Email"),
        "first_name": user.get("FirstName"),
        "last_name": user.get("LastName"),
        "timezone": user.get("TimeZoneSidKey"),
        "active": info["active"],
        "user_type": "STANDARD",
        "language": "ja",
        "locale": "ja_JP",
        "is_app_installed": True,
        "urls": {
            **info["urls"],
            "sobjects": f"{root}/sobjects/",
            "query": f"{root}/query/",
            "recent": f"{root}/recent/",
            "partner": f"{origin}/services/Soap/u/{{version}}/{session.organization_id[:15]}",
        },
    }


def user_info(sandbox: Sandbox, session: sessions.Session, origin: str) -> dict[str, Any]:
    user = sandbox.store.get(USER.table, session.user_id) or {}
    return {
        "sub": f"{origin}/id/{session.organization_id}/{session.user_id}",
        "user_id": session.user_id,
        "organization_id": session.organization_id,
        "preferred_username": user.get("Username"),
        "name": " ".join(filter(None, (user.get("FirstName"), user.get("LastName")))),
        "email": user.get("Email"),
        "zoneinfo": user.get("TimeZoneSidKey"),
        "active": user.get("IsActive", False),
        "urls": {"rest": f"{origin}/services/data/v{{version}}/"},
    }


def refusal_of_dial(code: str) -> OAuthRefusal:
    error, _, description = code.partition(":")
    return OAuthRefusal(error or "invalid_grant", description.strip() or "user hasn't approved this consumer")


def _claims(door: Door, assertion: str) -> dict[str, Any]:
    # Only the signature: expiry and audience are judged below, as this vendor judges them.
    try:
        claims = json.loads(jwt.PyJWS().decode(assertion, door.public_key, algorithms=["RS256"]))
    except (jwt.PyJWTError, ValueError) as error:
        raise OAuthRefusal("invalid_grant", "invalid assertion") from error
    if not isinstance(claims, dict):
        raise OAuthRefusal("invalid_grant", "invalid assertion")
    return claims


def _audience_fits(audience: object, accepted: set[str]) -> bool:
    given = audience if isinstance(audience, list) else [audience]
    return any(isinstance(each, str) and each.rstrip("/") in accepted for each in given)


def _check_expiry(sandbox: Sandbox, expiry: object) -> None:
    """Good where it lies ahead of the real clock or of the sandbox's: clients may follow either."""
    if isinstance(expiry, bool) or not (isinstance(expiry, (int, float)) or str(expiry).isdigit()):
        raise OAuthRefusal("invalid_grant", "invalid assertion")
    clocks = (time.time(), sandbox.clock.now().timestamp())
    if not min(clocks) < float(str(expiry)) <= max(clocks) + _LONGEST_LIFE:
        raise OAuthRefusal("invalid_grant", "expired authorization code")
