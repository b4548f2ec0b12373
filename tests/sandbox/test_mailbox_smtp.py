"""Mail over real SMTP, read as pages and as JSON."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from portico_sandbox import ports
from portico_sandbox.mailbox import smtp
from portico_sandbox.mailbox.messages import links_in
from portico_sandbox.panel.app import build_app
from portico_sandbox.sandbox import Sandbox
from tests.sandbox.serving_apps import client_of, fresh_sandbox

LINK = "http://localhost:8000/sign-up/confirm?code=a1&x=2"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return fresh_sandbox(tmp_path)


@pytest.fixture
async def smtp_port(sandbox: Sandbox) -> AsyncIterator[int]:
    sockets = ports.bind(0, "a test")
    port = sockets[0].getsockname()[1]
    servers = await smtp.serve(sandbox, sockets)
    yield int(port)
    for server in servers:
        server.close()


@pytest.fixture
async def browser(sandbox: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(build_app(sandbox, [], nothing)) as client:
        yield client


async def nothing(_sandbox: Sandbox) -> None:
    pass


def letter(to: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Portico <no-reply@portico.example>", to, subject
    message.set_content(f"ようこそ。\n\nConfirm here: {LINK}.\n")
    message.add_alternative(f'<p>ようこそ</p><a href="{LINK.replace("&", "&amp;")}">Confirm</a>', subtype="html")
    return message


async def deliver(port: int, *messages: EmailMessage) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port) as connection:
            for message in messages:
                connection.send_message(message)

    await asyncio.to_thread(send)


async def test_a_letter_arrives_whole(smtp_port: int, browser: httpx2.AsyncClient) -> None:
    await deliver(smtp_port, letter("hina.sato@mail.example", "ご登録の確認"), letter("other@mail.example", "Other"))

    [mail] = (await browser.get("/mailbox.json", params={"to": "Hina.Sato@mail.example"})).json()
    assert (mail["subject"], mail["to"], mail["sender"]) == (
        "ご登録の確認",
        ["hina.sato@mail.example"],
        "no-reply@portico.example",
    )
    assert "ようこそ" in mail["text"]
    assert "<p>ようこそ</p>" in mail["html"]
    assert mail["links"] == [LINK]

    everybody = (await browser.get("/mailbox.json")).json()
    assert [m["subject"] for m in everybody] == ["Other", "ご登録の確認"]


async def test_pages(smtp_port: int, browser: httpx2.AsyncClient) -> None:
    assert "No mail yet" in (await browser.get("/mailbox")).text
    await deliver(smtp_port, *(letter("a@mail.example", f"Letter {n}") for n in range(1, 28)))

    first = (await browser.get("/mailbox")).text
    assert "Letter 27<" in first
    assert "Letter 2<" not in first
    second = (await browser.get("/mailbox?page=2")).text
    assert "Letter 2<" in second
    one = await browser.get("/mailbox/1")
    assert LINK.replace("&", "&amp;") in one.text
    assert "sandbox=" in one.text
    assert (await browser.get("/mailbox/99")).status_code == 404


def test_links_are_found_once_and_without_their_full_stop() -> None:
    text = "See https://portico.example/a?b=c. または https://portico.example/d。"
    html = '<a href="https://portico.example/d">d</a><a href="mailto:x@y.example">m</a>'
    assert links_in(text, html) == ["https://portico.example/a?b=c", "https://portico.example/d"]
