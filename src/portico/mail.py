"""Mail to customers: written once per occasion in the transaction that caused it, sent by the worker."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from portico.errors import SystemDown
from portico.i18n import translations
from portico.settings import MailSettings, PortalSettings

INSERT = text("""
    INSERT INTO mails (key, recipient, language, subject, body, created_at)
    VALUES (:key, :recipient, :language, :subject, :body, :now) ON CONFLICT (key) DO NOTHING
""")
UNSENT = text("SELECT recipient, language, subject, body FROM mails WHERE key = :key AND sent_at IS NULL")
UNSENT_KEYS = text("""
    SELECT key FROM mails WHERE sent_at IS NULL AND created_at > :after AND created_at <= :before
    ORDER BY created_at DESC LIMIT 100
""")
SENT = text("UPDATE mails SET sent_at = :now WHERE key = :key")
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Mail:
    settings: MailSettings
    portal: PortalSettings

    async def write(
        self, tx: AsyncConnection, now: datetime, *, key: str, to: str, template: str, language: str, **values: Any
    ) -> None:
        """Stores a mail; `key` names the occasion, and a second one with the same key is not written.

        `template` is a text whose first line is the subject; a line that is an address becomes a button in HTML.
        Call `post.post`, which also defers the sending.
        """
        subject, body = self.words(template, language, **values)
        row = {"key": key, "recipient": to, "language": language, "subject": subject, "body": body, "now": now}
        await tx.execute(INSERT, row)

    def words(self, template: str, language: str, **values: Any) -> tuple[str, str]:
        """Subject and body, stored nowhere: for a mail with a secret in it, which its own job sends."""
        whole = _environment(language).get_template(template).render(portal=self.portal, **values)
        subject, _, body = whole.strip().partition("\n")
        return subject.strip(), body.strip()

    async def send(self, key: str, to: str, subject: str, body: str, *, language: str) -> None:
        """Hands one mail to the mail server. Raises SystemDown("mail")."""
        message = EmailMessage()
        message["From"] = Address(self.portal.name, addr_spec=self.settings.sender)
        message["To"] = to
        message["Subject"] = subject
        message["Message-ID"] = f"<{sha256(key.encode()).hexdigest()[:32]}@{self.settings.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body + "\n")
        html = _environment(language).get_template("mail.html")
        blocks = [block.strip() for block in body.split("\n\n") if block.strip()]
        message.add_alternative(
            html.render(blocks=blocks, portal=self.portal, subject=subject, language=language), subtype="html"
        )
        try:
            await asyncio.to_thread(self._deliver, message)
        except (smtplib.SMTPException, OSError) as error:
            raise SystemDown("mail", type(error).__name__) from error

    def _deliver(self, message: EmailMessage) -> None:
        with smtplib.SMTP(self.settings.host, self.settings.port, timeout=TIMEOUT_SECONDS) as server:
            if self.settings.start_tls:
                server.starttls(context=ssl.create_default_context())
            if self.settings.username:
                server.login(self.settings.username, self.settings.password.get_secret_value())
            server.send_message(message)


async def unsent(tx: AsyncConnection, key: str) -> Mapping[str, str] | None:
    """The mail, or None where it has gone out."""
    row = (await tx.execute(UNSENT, {"key": key})).mappings().first()
    return dict(row) if row else None


async def unsent_keys(tx: AsyncConnection, after: datetime, before: datetime) -> list[str]:
    """Newest first: mails that nobody takes must not stand before those that can go out."""
    return list((await tx.execute(UNSENT_KEYS, {"after": after, "before": before})).scalars())


async def sent(tx: AsyncConnection, key: str, now: datetime) -> None:
    await tx.execute(SENT, {"key": key, "now": now})


def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("portico", "."),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html"], default=False),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    return environment
