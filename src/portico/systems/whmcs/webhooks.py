"""What the hook file inside WHMCS posts to us: verified and decoded, nothing else.

Signed by Standard Webhooks 1.0 (https://www.standardwebhooks.com/); the hook file is deploy/whmcs/portico_hooks.php.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from portico.customer import WhmcsClientId
from portico.errors import HookRefused, HookSignatureWrong, HookTooLarge
from portico.settings import WhmcsSettings

MAX_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class HookEvent:
    """Says that something changed, never what: the truth is read again."""

    id: str
    """The sender's; a resend has the same."""
    event: str
    """Name of the vendor's hook point, such as InvoicePaid."""
    whmcs_client_id: WhmcsClientId | None
    ids: dict[str, int]
    """What it is about, such as {"invoice": 8801}."""
    at: datetime | None
    """When it happened over there; aware, UTC."""
    source: str = ""


def verify(settings: WhmcsSettings, headers: Mapping[str, str], body: bytes) -> HookEvent:
    """The event, when one of our secrets signed it within five minutes of now (real time).

    Raises HookTooLarge, HookSignatureWrong (also when no secret is set: an empty key could be forged), HookRefused.
    """
    if len(body) > MAX_BYTES:
        raise HookTooLarge(f"{len(body)} bytes")
    lowered = {name.lower(): value for name, value in headers.items()}
    if not any(_is_signed(secret.get_secret_value(), lowered, body) for secret in settings.hook_secrets):
        raise HookSignatureWrong()
    return _decode(lowered["webhook-id"], body)


def _is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, EmptyWebhookSecretError, ValueError):  # ValueError: headers of another form
        return False
    return True


def _decode(webhook_id: str, body: bytes) -> HookEvent:
    try:
        said: Any = json.loads(body)
        client_id = _id_or_none(said.get("whmcs_client_id"))
        return HookEvent(
            id=webhook_id,
            event=_name(said["event"]),
            whmcs_client_id=WhmcsClientId(client_id) if client_id else None,
            ids={_name(kind): _id(number) for kind, number in (said.get("ids") or {}).items()},
            at=_moment(said.get("at")),
            source=str(said.get("source") or "")[:64],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HookRefused(type(error).__name__) from None


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        raise ValueError("no name")
    return value


def _id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("no id")
    return int(value)


def _id_or_none(value: Any) -> int | None:
    return None if value in (None, "", 0) else _id(value)


def _moment(value: Any) -> datetime | None:
    if value in (None, ""):
        return None
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment.astimezone(UTC)
