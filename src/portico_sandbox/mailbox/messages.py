"""A received message, taken apart once when it arrives."""

from __future__ import annotations

import email
import re
from email.message import EmailMessage
from email.policy import default as default_policy
from html.parser import HTMLParser
from typing import Any

from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_ADDRESS_IN_TEXT = re.compile(r"https?://[^\s<>\"']+")


def keep(sandbox: Sandbox, sender: str, recipients: list[str], content: bytes) -> Row:
    """Stores the message and answers its row. `recipients` are those of the envelope, not of the headers."""
    message = email.message_from_bytes(content, policy=default_policy)
    assert isinstance(message, EmailMessage)
    text, html = _part(message, "plain"), _part(message, "html")
    with sandbox.store.begin() as tx:
        number = tx.next("mail")
        row: Row = {
            "n": number,
            "at": sandbox.clock.now().isoformat(),
            "sender": sender,
            "to": recipients,
            "from": str(message.get("From", sender)),
            "subject": str(message.get("Subject", "")),
            "text": text,
            "html": html,
            "links": links_in(text, html),
        }
        tx.put("mail", str(number), row)
    return row


def messages_to(sandbox: Sandbox, address: str = "") -> list[Row]:
    """Newest first; of one recipient where an address is given."""
    wanted = address.strip().lower()
    rows = reversed(list(sandbox.store.table("mail").values()))
    return [row for row in rows if not wanted or wanted in (to.lower() for to in row["to"])]


def message_for(sandbox: Sandbox, number: int) -> Row | None:
    return sandbox.store.get("mail", str(number))


def links_in(text: str, html: str) -> list[str]:
    """Every web address that the reader could follow, in order, each once."""
    found = [address.rstrip(".,;:!?)。、」") for address in _ADDRESS_IN_TEXT.findall(text)]
    parser = _Anchors()
    parser.feed(html)
    return list(dict.fromkeys(found + parser.addresses))


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    content: Any = part.get_content()
    return str(content).replace("\r\n", "\n")


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href") if tag == "a" else None
        if target and target.startswith(("http://", "https://")):
            self.addresses.append(target)
