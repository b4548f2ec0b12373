"""Small cookies of the pages: language, theme, the message after a redirect. None of them is a secret."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from litestar.datastructures import Cookie

from portico.i18n import Message, known
from portico.settings import Settings

FlashKind = Literal["success", "info"]
YEAR = 365 * 24 * 3600
CART = "cart-count"
_FLASH = "flash"
_LONGEST_VALUE = 80
_LONGEST_COOKIE = 1500
_unpack = msgspec.json.Decoder(tuple[FlashKind, str, dict[str, str]]).decode


@dataclass(frozen=True, slots=True)
class Flash:
    message: Message
    kind: FlashKind = "success"


def cookie(settings: Settings, name: str, value: str, max_age: int) -> Cookie:
    return Cookie(
        key=cookie_name(settings, name),
        value=value,
        max_age=max_age,
        path="/",
        httponly=True,
        secure=settings.portal.is_secure,
        samesite="lax",
    )


def cookie_name(settings: Settings, name: str) -> str:
    """`__Host-` keeps neighbors under the same domain from planting it; over plain http no browser would take it."""
    return f"__Host-portico-{name}" if settings.portal.is_secure else f"portico-{name}"


def flash_cookie(settings: Settings, flash: Flash | None) -> Cookie:
    """None removes it."""
    if flash is None:
        return cookie(settings, _FLASH, "", 0)
    return cookie(settings, _FLASH, _packed(flash), 60)


def flash_of(settings: Settings, cookies: dict[str, str]) -> Flash | None:
    """The message that the last answer left. A forged cookie can only choose among our own sentences."""
    packed = cookies.get(cookie_name(settings, _FLASH), "")
    if not packed or len(packed) > _LONGEST_COOKIE:
        return None
    try:
        kind, key, values = _unpack(base64.urlsafe_b64decode(packed))
        sentence = known(key)
        if sentence is None or ("%(" in sentence.text and not values):
            return None
        message = sentence(**{name: value[:_LONGEST_VALUE] for name, value in values.items()})
        message.in_language("en")  # a value that the sentence asks for is missing: KeyError
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return None
    return Flash(message, kind)


def _packed(flash: Flash) -> str:
    values: dict[str, Any] = {name: str(value)[:_LONGEST_VALUE] for name, value in flash.message.values.items()}
    return base64.urlsafe_b64encode(msgspec.json.encode((flash.kind, flash.message.key, values))).decode()
