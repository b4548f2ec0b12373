"""What the OpenAPI document says in words, and its few parts that no handler can know."""

from __future__ import annotations

from typing import Any

from portico.settings import Settings
from portico.web.csrf import origin_of

ABOUT = """
What a customer can do in the portal, as JSON. A walk through the whole of it with curl is in `docs/api.md`.

**Signing in without a browser.** `POST /api/v1/auth/sign-in` (or sign-up, or link) answers a session cookie: keep it
and send it with every request. A session ends after 30 minutes without a request, and 12 hours after it began, unless
the provider has set other times. Every POST, PUT and PATCH also carries an `Origin` header with the portal's own
origin, exactly as in its address (`https://my.example`); without it the answer is 403 `cross_site_request`.

**Bodies** are JSON in snake_case, sent as `application/json`. A field that is not described is refused. Ids are
strings, times are ISO 8601 in UTC, money is
`{"amount": "1100", "currency": "JPY"}` with the currency's own number of decimals.

**Lists** are `{"items", "next_cursor", "total", "as_of"}`; `next_cursor` given as `?cursor=` leads to the next page.
`as_of` says when what is shown was read: copies are dropped as soon as the other system tells of a change.

**Errors** are `application/problem+json` (RFC 9457): `code` is stable, `detail` says what to do in the language of
`Accept-Language` (en, ja), `errors[]` has a JSON pointer for each wrong field. 429, 502 and 503 carry
`Retry-After`. Somebody else's thing is 404, like one that does not exist. Every answer carries `X-Request-ID`.

**Once, not twice.** Calls that create something take an `Idempotency-Key`: the same key with the same body makes
nothing twice. Where the outcome is not known in time the answer is 202 with an operation: look at its `status_url`
until its state is no longer `running`, and do not send the request again.
""".strip()

TAGS = {
    "identity": "Sign-up, sign-in, linking a billing account, passwords, sessions, and who one is.",
    "home": "What the home page shows, and where an operation stands.",
    "catalog": "What this account may order, with prices.",
    "orders": "Cart, orders and their timelines.",
    "subscriptions": "Services that run.",
    "billing": "Invoices, payment methods, links into the billing system; profile, address and e-mail address.",
    "support": "Cases.",
    "notifications": "What the portal has told the customer.",
}

DONE = "Done."
RUNNING = (
    "The outcome is not known yet. Look at `status_url` until its state is no longer `running`;"
    " do not send the request again."
)
EVENTS = "text/event-stream"
LOCATION: dict[str, Any] = {
    "Location": {"description": "Where to look next.", "required": True, "schema": {"type": "string"}}
}

_SALESFORCE_ID = {"type": "string", "pattern": "^[0-9A-Za-z]{15}([0-9A-Za-z]{3})?$"}
_WHMCS_ID = {"type": "string", "pattern": "^[1-9][0-9]{0,9}$"}
_UUID = {"type": "string", "format": "uuid"}
ID_FORMS: dict[str, dict[str, Any]] = {
    "order": {"type": "string", "pattern": "^([0-9A-Za-z]{15}([0-9A-Za-z]{3})?|pending-[0-9a-f-]{36})$"},
    "case": _SALESFORCE_ID,
    "invoice": _WHMCS_ID,
    "service": _WHMCS_ID,
    "operation": _UUID,
    "session": _UUID,
}
"""By kind of id, as `ids=` of a route names it."""


def security_schemes(settings: Settings) -> dict[str, Any]:
    cookie = "__Host-portico" if settings.portal.is_secure else "portico"
    return {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie,
            "description": "As sign-in, sign-up and link answer it. Each sign-in and each new password brings another."
            " What changes something wants the `Origin` header besides.",
        },
    }


def security_of(access: str) -> list[dict[str, list[str]]]:
    return [{"session": []}] if access == "customer" else []


def event(data: dict[str, Any]) -> dict[str, Any]:
    """One server-sent event; `data`: the schema of what is in it, as JSON."""
    return {
        "description": "Of each event of the stream.",
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]+$"},
            "event": {"const": "step"},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
        },
    }


def origin(settings: Settings) -> dict[str, Any]:
    """The header of every call that changes something."""
    return {
        "name": "Origin",
        "in": "header",
        "required": True,
        "description": "The portal's own origin. Browsers send it (or Sec-Fetch-Site) by themselves.",
        "schema": {"const": origin_of(settings.portal.url)},
    }


def idempotency_key(*, is_required: bool) -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": is_required,
        "description": "Any text of yours, one for each thing that shall be made."
        " Sent again with the same body, nothing is made twice; with another body it is refused."
        + ("" if is_required else " Without it, each call is one of its own."),
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "5e9c2d0e-first-order",
    }
